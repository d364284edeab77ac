"""Sets Django up before the service's modules are imported; documents and signing keys of a test's own."""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

import django_environment  # importing it sets Django up
from configured import configured
from segl.core.certificates import TrustAnchors
from segl.core.keys import PrivateKey
from segl.sandbox.pki import SandboxPki, ensure_pki
from segl.service import configuration, due, sealing
from segl.service.identity import provider
from segl.service.sealing import Sealer
from segl.service.store import documents


@pytest.fixture
def document_folder(tmp_path: Path) -> Iterator[Path]:
    """Documents are stored in an empty folder: this one."""
    with configured(folder=tmp_path, documents="documents"):
        documents._store.cache_clear()
        yield tmp_path / "documents"
    documents._store.cache_clear()


@pytest.fixture
def store(database: str, document_folder: Path) -> str:
    """An empty database, on each kind in turn, and an empty document store; gives the database's URL."""
    return database


@pytest.fixture
def sqlite(tmp_path: Path, migrated_sqlite: Path) -> Iterator[None]:
    """An empty database of one kind, where the kind makes no difference."""
    path = tmp_path / "database.sqlite3"
    shutil.copyfile(migrated_sqlite, path)
    with django_environment.use_database(f"sqlite:///{path}"):
        yield


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> SandboxPki:
    """A throw-away PKI as the sandbox makes it."""
    return ensure_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def server_tls(pki: SandboxPki) -> ssl.SSLContext:
    """With the certificate of the throw-away PKI's server, which is good for 127.0.0.1."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki.server.certificate, pki.server.private_key)
    return tls


@pytest.fixture
def sealer(pki: SandboxPki, monkeypatch: pytest.MonkeyPatch) -> Sealer:
    """The service holds the throw-away PKI's keys."""
    monkeypatch.setattr(sealing.sealer, "_current", None)
    made = Sealer(
        seal_key=PrivateKey.from_pem(pki.seal.certificate.read_bytes(), pki.seal.private_key.read_bytes()),
        signer_ca=PrivateKey.from_pem(pki.signer_ca.certificate.read_bytes(), pki.signer_ca.private_key.read_bytes()),
        trust=TrustAnchors.from_pem(pki.trust_anchors.read_bytes()),
    )
    sealing.configure(made)
    return made


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one each time the workers of this process are woken."""
    calls: list[str] = []
    monkeypatch.setattr(due, "_wakers", [lambda: calls.append("woken")])
    return calls


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The service is not a sandbox."""
    monkeypatch.setattr(provider, "_current", None)
    with configured(sandbox=False):
        assert not configuration.current().sandbox
        yield
