"""Keys and certificates are looked at before anything is served: each fault with its setting and a sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from builders import create
from certificates import Kind, certificate, private_key, subject
from configured import configured
from segl.core.keys import PrivateKey
from segl.sandbox.pki import SandboxPki
from segl.service import configuration, sealing
from segl.service.config.checking import check_certificates, check_surroundings, warn_of_expiry
from segl.service.config.reading import ConfigurationError
from segl.service.configuration import Api, Clients, Configuration, KeyFiles
from segl.service.sealing import Sealer
from segl.service.store import documents
from segl.service.store.models import Job

HOUR = timedelta(hours=1)


def issued(
    name: str,
    issuer: str,
    *,
    ca: bool = False,
    binding: bool = True,
    issuing: bool = True,
    hours: int = 24,
    kind: Kind = "P-256",
) -> PrivateKey:
    """A certificate by `issuer` (its own when it has the same name) that ends in so many hours."""
    end = datetime.now(UTC) + hours * HOUR
    key, issuer_key = private_key(f"{name} {kind}", kind), private_key(f"{issuer} P-256", "P-256")
    made = certificate(
        subject(name),
        key,
        subject(issuer),
        issuer_key,
        ca,
        True,
        end - timedelta(days=30),
        end,
        binding,
        key_cert_sign=issuing,
    )
    return PrivateKey(made, (), key)


class Production:
    """The files of a service that is no sandbox, in a folder; `write` replaces one key's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.write("root", issued("Root", "Root", ca=True))
        self.write("seal-root", issued("Root", "Root", ca=True))
        self.write("seal", issued("Seal", "Root"))
        self.write("signer-ca", issued("Signer CA", "Root", ca=True))
        self.write("issuer", issued("Issuer", "Root", ca=True))
        self.write("api", issued("Server", "Issuer"), issued("Issuer", "Root", ca=True))
        self.write("register", issued("Register", "Issuer", kind="RSA"))

    def write(self, name: str, *keys: PrivateKey) -> KeyFiles:
        files = self.files(name)
        files.certificate.write_bytes(b"".join(each.certificate.public_bytes(Encoding.PEM) for each in keys))
        pem = keys[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files.private_key.write_bytes(pem)
        return files

    def files(self, name: str) -> KeyFiles:
        return KeyFiles(self._folder / f"{name}.pem", self._folder / f"{name}-key.pem")

    def configuration(self) -> Configuration:
        root = self.files("root").certificate
        register = configuration.current().contact_register
        assert register is not None
        return replace(
            configuration.current(),
            sandbox=False,
            trust_anchors=(root,),
            intermediates=(self.files("issuer").certificate,),
            seal=self.files("seal"),
            seal_root=self.files("seal-root").certificate,
            signer_ca=self.files("signer-ca"),
            contact_register=replace(register, key=self.files("register")),
            api=Api(tls=self.files("api")),
        )


@pytest.fixture
def production(tmp_path: Path) -> Production:
    return Production(tmp_path)


def refused(configuration: Configuration) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        check_certificates(configuration)
    return str(error.value).splitlines()


def test_what_is_right_passes(production: Production, pki: SandboxPki) -> None:
    check_certificates(production.configuration())
    sandbox: dict[str, Any] = {"seal": pki.seal, "seal_root": pki.trust_anchors, "signer_ca": pki.signer_ca}
    trust = {"trust_anchors": (pki.trust_anchors,), "intermediates": (pki.intermediates,)}
    mine = {**sandbox, **trust, "api": Api(tls=pki.server), "contact_register": None}
    check_certificates(replace(configuration.current(), **mine))


@pytest.mark.parametrize(
    ("name", "keys", "sentence"),
    [
        ("root", [issued("Root", "Root", ca=True, hours=-1)], "`trust_anchors` names no root certificate"),
        ("root", [issued("Issuer", "Root", ca=True)], "`trust_anchors` names no root certificate"),
        ("seal", [issued("Seal", "Root", hours=-1)], "seal.pem, which cannot be used: The certificate CN=Seal expired"),
        ("seal", [issued("Seal", "Root", hours=24 * 60)], "CN=Seal is not valid before"),
        ("seal", [issued("Seal", "Root", binding=False)], "CN=Seal is for authentication only"),
        ("seal", [issued("Seal", "Another Root")], "CN=Seal, issued by CN=Another Root, does not chain to a trust"),
        (
            "seal",
            [issued("Seal", "Another Root")],
            "Append its issuers to that file, or correct `seal.root`.",
        ),
        ("signer-ca", [issued("Signer CA", "Root")], "signer-ca.pem, which cannot be used: The certificate CN=Signer"),
        (
            "signer-ca",
            [issued("Signer CA", "Root", ca=True, issuing=False)],
            "may not issue others: its key usage lacks keyCert",
        ),
        ("signer-ca", [issued("Signer CA", "Root", ca=True, hours=-1)], "The certificate CN=Signer CA expired"),
        ("signer-ca", [issued("Signer CA", "Other", ca=True)], "CN=Signer CA, issued by CN=Other, does not chain to"),
        (
            "api",
            [issued("Server", "Root", hours=-1)],
            "api.pem, which cannot be used: The certificate CN=Server exp",
        ),
        (
            "api",
            [issued("Server", "Root"), issued("Issuer", "Root", ca=True)],
            "the certificate CN=Server is followed by CN=Issuer, which did not issue it: put the server's",
        ),
        (
            "register",
            [issued("Register", "Issuer")],
            "register.pem, which cannot be used: Maskinporten does not accept the key of CN=Register: name",
        ),
        ("register", [issued("Register", "Issuer", kind="RSA", hours=-1)], "The certificate CN=Register expired"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_reported(
    production: Production, name: str, keys: list[PrivateKey], sentence: str
) -> None:
    production.write(name, *keys)
    assert any(sentence in problem for problem in refused(production.configuration()))


@pytest.mark.parametrize(
    ("name", "table"),
    [("seal", "seal"), ("signer-ca", "signer_ca"), ("api", "api"), ("register", "contact_register")],
)
def test_a_key_that_does_not_fit_is_reported(production: Production, name: str, table: str) -> None:
    file = production.files(name).private_key
    file.write_bytes(production.files("root").private_key.read_bytes())
    [problem] = refused(production.configuration())
    assert problem.startswith(
        f"The setting `{table}.private_key` names {file}, which cannot be used: The private key does not belong to the"
    )
    file.write_text("nonsense")
    [problem] = refused(production.configuration())
    assert problem.startswith(f"The setting `{table}.private_key` names {file}, which cannot be used: ")


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("issuer", "intermediates"),
        ("seal-root", "seal.root"),
        ("seal", "seal.certificate"),
        ("signer-ca", "signer_ca.certificate"),
        ("api", "api.certificate"),
        ("register", "contact_register.certificate"),
    ],
)
def test_a_file_that_is_gone_or_nonsense_is_reported(production: Production, name: str, setting: str) -> None:
    file = production.files(name).certificate
    file.write_text("nonsense")
    [problem] = refused(production.configuration())
    assert problem.startswith(
        f"The setting `{setting}` names {file}, which cannot be used: No certificates can be read"
    )
    file.unlink()
    assert refused(production.configuration()) == [
        f"The setting `{setting}` names {file}, which cannot be read: No such file or directory."
    ]


def test_a_file_without_a_root_for_the_seal_is_reported_once(production: Production) -> None:
    production.write("seal-root", issued("Issuer", "Root", ca=True))
    [problem] = refused(production.configuration())
    assert problem.startswith(
        "The setting `seal.root` names no root certificate that is valid today: name the PEM file"
    )


def test_a_client_issuer_that_chains_to_no_root_is_reported(production: Production) -> None:
    def listing(*names: str) -> Configuration:
        clients = Clients(tuple(production.files(each).certificate for each in names))
        return replace(production.configuration(), clients=clients, intermediates=())

    production.write("below", issued("Below", "Issuer", ca=True))
    check_certificates(listing("below", "issuer", "root"))
    production.write("stranger", issued("Stranger", "Another Root", ca=True))
    for name, reason in (
        ("stranger", "CN=Stranger, issued by CN=Another Root, does not chain to a trust anchor"),
        ("below", "CN=Below, issued by CN=Issuer, does not chain to a trust anchor"),
        ("register", "CN=Register is not a CA certificate and may not issue others"),
    ):
        [problem] = refused(listing(name))
        file = production.files(name).certificate
        assert problem.startswith(f"The setting `clients.issuers` names {file}, which cannot be used: The certificate")
        assert reason in problem
    assert "Add its root to `trust_anchors` and what is in between to `intermediates`" in refused(listing("below"))[0]


def test_the_sandboxs_keys_are_for_sandboxes_and_no_others(production: Production, pki: SandboxPki) -> None:
    [problem] = refused(replace(production.configuration(), sandbox=True))
    assert problem.startswith("`sandbox = true` is for the throw-away PKI")
    keys = {"seal": pki.seal, "seal_root": pki.trust_anchors, "signer_ca": pki.signer_ca}
    assert refused(replace(production.configuration(), **keys)) == [problem]  # type: ignore[arg-type]  # each its own


def test_all_problems_are_reported_at_once(production: Production) -> None:
    for name in ("seal", "signer-ca", "api"):
        production.files(name).certificate.write_text("nonsense")
    assert len(refused(production.configuration())) == 3


@pytest.mark.usefixtures("sealer")
class TestSurroundings:
    """A database with a job, and the documents of it."""

    @pytest.fixture(autouse=True)
    def job(self, store: str) -> Job:
        return create()

    def test_the_store_and_the_key_that_the_documents_were_written_with_pass(self, job: Job) -> None:
        check_surroundings()

    def test_a_certificate_that_has_expired_meanwhile_is_reported(self, sealer: Sealer) -> None:
        sealing.configure(replace(sealer, seal_key=issued("Seal", "Root", hours=-1)))
        with pytest.raises(ConfigurationError, match="can no longer be used: The certificate CN=Seal expired"):
            check_surroundings()

    def test_another_master_key_is_reported(self) -> None:
        with (
            configured(master_key=bytes(32)),
            pytest.raises(ConfigurationError, match="`master_key_file` names a key that the documents in the store"),
        ):
            check_surroundings()

    def test_a_store_without_the_documents_is_reported(self) -> None:
        with (
            configured(documents="blosb"),
            pytest.raises(ConfigurationError, match="`documents` names a place that lacks the documents stored last"),
        ):
            documents._store.cache_clear()
            check_surroundings()

    def test_one_document_that_is_gone_stops_nothing(self, document_folder: Path) -> None:
        (document_folder / documents.newest()[0].stored_name).unlink()
        check_surroundings()

    def test_documents_that_are_deleted_meanwhile_are_not_lost(self, job: Job) -> None:
        rows = documents.newest()
        job.documents.all().delete()
        documents.remove(each.stored_name for each in rows)
        assert not documents.are_lost(rows)


def test_certificates_that_expire_soon_are_logged(sealer: Sealer, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_expiry()
    assert caplog.messages == []
    sealing.configure(replace(sealer, signer_ca=issued("Signer CA", "Root", ca=True, hours=24 * 30)))
    warn_of_expiry()
    [message] = caplog.messages
    assert message.startswith("The certificate CN=Signer CA in the setting `signer_ca.certificate` expires 20")
