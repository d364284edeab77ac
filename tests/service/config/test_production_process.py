"""What a production process loads."""

import secrets
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certificates import certificate, private_key, subject

# Starts as `segl serve` does, and loads what each kind of process loads on its first call or work.
PROGRAM = """
import sys
from importlib import import_module
from pathlib import Path

from segl.service.config import wiring

wiring.start(Path(sys.argv[1]))

from django.conf import settings
from segl.service import worker
from segl.service.config import listeners, processes
from segl.service.identity import provider

for name in (settings.ROOT_URLCONF, settings.SEGL_API_URLCONF):
    assert import_module(name).urlpatterns
try:
    provider.current()
except provider.NoProviderError:
    print("\\n".join(sys.modules))
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """The file of a service that is no sandbox, with keys of its own."""
    tables = [f'[{name}]\ncertificate = "{name}.pem"\nprivate_key = "{name}-key.pem"' for name in ("seal", "signer_ca")]
    lines = [
        'api_root = "https://sign.example.com/api"',
        'web_root = "https://sign.example.com"',
        'database = "sqlite:///database.sqlite3"',
        'documents = "documents"',
        'master_key_file = "master-key"',
        'trust_anchors = ["root.pem"]',
        '[mail]\nsender = "segl@example.com"',
        *tables,
    ]
    (tmp_path / "master-key").write_text(secrets.token_hex(32))
    for name, is_ca in (("root", True), ("seal", False), ("signer_ca", True)):
        write_key(tmp_path, name, is_ca=is_ca)
    file = tmp_path / "segl.toml"
    file.write_text("\n".join([*lines, ""]).replace("[seal]", '[seal]\nroot = "root.pem"'))
    return file


def write_key(folder: Path, name: str, *, is_ca: bool) -> None:
    """A key whose certificate the root issued."""
    now, key, root_key = datetime.now(UTC), private_key(name, "P-256"), private_key("root", "P-256")
    day = timedelta(days=1)
    made = certificate(subject(name), key, subject("root"), root_key, is_ca, True, now - day, now + day)
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}-key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_it_has_no_test_eid_and_nothing_else_of_the_sandbox(configuration: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(configuration)], capture_output=True, text=True, check=True
    )
    loaded = ended.stdout.split()
    assert "segl.service.identity.log_ins" in loaded
    assert [name for name in loaded if name.startswith("segl.sandbox")] == []
