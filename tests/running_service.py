"""`segl serve` as an operator runs it: a configuration in a folder, and processes on ports of their own."""

import json
import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from certificates import certificate
from running_sandbox import SEGL
from segl.sandbox.pki import SERVER_NUMBER, SandboxPki, ensure_pki
from segl.sdk import ClientCertificate, ClientConfiguration, Environment, Sender
from segl.service.configuration import KeyFiles

SECONDS_TO_START = 30
SERVING = re.compile(r"segl serve \w+ (accepts calls on|is running)")


@dataclass(frozen=True)
class Operator:
    """A folder with a configuration that lacks only the listeners, which each process gets from its environment."""

    folder: Path
    pki: SandboxPki
    configuration: Path

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGL_")}
        return {**inherited, "SEGL_CONFIG": str(self.configuration), **settings}

    def command(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run `segl` to its end, with these settings in the environment."""
        environment = self.environment(settings)
        return subprocess.run(
            [*SEGL, *arguments], capture_output=True, text=True, env=environment, check=False, timeout=60
        )

    def done(self, *arguments: str, **settings: str) -> str:
        """Return what `segl` prints when it succeeds."""
        ended = self.command(*arguments, **settings)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @contextmanager
    def serving(self, kind: str, **settings: str) -> Iterator["Process"]:
        """`segl serve` of this kind until the block ends."""
        log_file = self.folder / f"{kind}-{secrets.token_hex(4)}.log"
        command = [*SEGL, "serve", kind]
        with (
            log_file.open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log, env=self.environment(settings)) as process,
        ):
            try:
                served = Process(process, log_file)
                served.wait_until_serving()
                yield served
            finally:
                process.kill()

    def client(self, api_root: str, number: str = "123456789") -> ClientConfiguration:
        """An organization's configuration for the API at that address."""
        [files] = [each for each in self.pki.organizations if each.organization.number == number]
        environment = Environment(api_root, self.pki.trust_anchors, SERVER_NUMBER)
        return ClientConfiguration(
            environment, ClientCertificate.from_pem(files.certificate, files.private_key), Sender(number)
        )

    def issued(
        self, name: x509.Name, *purposes: x509.ObjectIdentifier, ends_in: timedelta = timedelta(days=1)
    ) -> KeyFiles:
        """Another certificate by the CA of the organizations, for the first one's key."""
        files = self.pki.organizations[0]
        _, issuer = x509.load_pem_x509_certificates(files.certificate.read_bytes())
        key, issuer_key = (
            load_pem_private_key(path.read_bytes(), None)
            for path in (files.private_key, files.private_key.with_name("organizations-ca-key.pem"))
        )
        end = datetime.now(UTC) + ends_in
        made = certificate(
            name,
            key,  # type: ignore[arg-type]  # RSA
            issuer.subject,
            issuer_key,  # type: ignore[arg-type]  # EC
            not_before=end - timedelta(days=2),
            not_after=end,
            extensions=[x509.ExtendedKeyUsage(purposes)] if purposes else [],
        )
        file = self.folder / f"issued-{secrets.token_hex(4)}.pem"
        file.write_bytes(made.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM))
        return KeyFiles(file, files.private_key)


@dataclass(frozen=True)
class Process:
    """One `segl serve`."""

    process: "subprocess.Popen[bytes]"
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def wait_until_serving(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while not SERVING.search(self.log):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"it does not serve:\n{self.log}")
            time.sleep(0.02)


def operator(folder: Path, database: str, **settings: str) -> Operator:
    """The configuration of a service with the sandbox's throw-away PKI, since production has no eID of its own yet."""
    pki = ensure_pki(folder / "pki")
    (folder / "master-key").touch(0o600)
    (folder / "master-key").write_text(secrets.token_hex(32))
    values = {
        "sandbox": True,
        "api_root": "https://127.0.0.1:8443/api",
        "web_root": "http://127.0.0.1:8080",
        "database": database,
        "documents": "documents",
        "master_key_file": "master-key",
        "trust_anchors": [str(pki.trust_anchors)],
        "intermediates": [str(pki.intermediates)],
        "poll_interval_seconds": 1,
        "calls_per_second": 1000,
        **settings,
    }
    tables = {
        "seal": {
            "certificate": str(pki.seal.certificate),
            "private_key": str(pki.seal.private_key),
            "root": str(pki.trust_anchors),
        },
        "signer_ca": {
            "certificate": str(pki.signer_ca.certificate),
            "private_key": str(pki.signer_ca.private_key),
        },
        "revocation": {"policy": "off"},  # the throw-away certificates name nobody who could be asked
        "mail": {"sender": "Segl <segl@example.com>", "backend": "segl.sandbox.stand_ins.outbox.EmailBackend"},
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    configuration = folder / "segl.toml"
    configuration.write_text("\n".join([*lines, ""]))
    return Operator(folder, pki, configuration)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
