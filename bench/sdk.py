"""What the SDK costs: a job's package, importing it, and the memory of an upload and a download.

- A create request, from a `Job` to what is sent, with a document of 22 KB and of 10 MB. The floor is the document's
  SHA-256 and CRC-32, one copy of it, and one RSA signature with the same key.
- `import segl.sdk` in a fresh interpreter, already compiled. The floor is importing httpx, lxml and cryptography
  alone. Once as installed here, and once without click, which `pip install segl` does not install: with it, httpx
  imports its command line.
- The peak RSS of a fresh process that sends or fetches 10 MB over TLS, above what it had before, warmed up. The
  floor is the 10 MB.

Floor and measurement take turns, so that both run under the same conditions.

    .venv/bin/python bench/sdk.py
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from certificates import Authority as Issuer
from segl.core.protocol import PortalJobResponse
from segl.sdk import ContactInformation, Document, Email, FileType, Job, Sender, Signer
from segl.sdk.portal.operations import PortalOperations
from tls_service import CUSTOMER, SERVICE, Authority, pem_files, reply, serving

SIZES = {"22 KB": (22_000, 300), "10 MB": (10_000_000, 30)}
"""Bytes and rounds."""
IMPORT_ROUNDS = 20
MEGABYTE = 1_000_000
LARGE = 10 * MEGABYTE
WAYS = ("upload from a file", "download, read", "download, saved")
FLOOR_IMPORTS = "import httpx, lxml.etree, cryptography.x509, cryptography.hazmat.primitives.serialization.pkcs12"


def main() -> None:
    packages()
    imports()
    memory()


def packages() -> None:
    key = Issuer.root().intermediate().organization(CUSTOMER)
    calls = PortalOperations("https://api.example.org/api", key, Sender(CUSTOMER))
    for name, (size, rounds) in SIZES.items():
        content = b"%PDF-1.7" + os.urandom(size - 8)

        def floor(content: bytes = content) -> None:
            sha256(content).digest()
            zlib.crc32(content)
            bytearray(content)
            key.sign(b"signed")

        job = job_of(content)
        took = in_turns(floor, lambda job=job: void(next(calls.create(job))), rounds)  # type: ignore[misc]  # of this round
        tell(f"create request, {name}", *took)


def job_of(content: bytes) -> Job:
    signers = [Signer(ContactInformation(email=Email("someone@example.com")))]
    return Job(Document("Contract", "Please sign.", FileType.PDF, content), signers)


def imports() -> None:
    def fresh(*program: str) -> Callable[[], None]:
        command = [sys.executable, "-c", "\n".join(program)]
        return lambda: void(subprocess.run(command, check=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""}))

    fresh("import segl.sdk")()
    for name, before in (("import segl.sdk", ""), ("without click", "import sys; sys.modules['click'] = None")):
        tell(name, *in_turns(fresh(before, FLOOR_IMPORTS), fresh(before, "import segl.sdk"), IMPORT_ROUNDS))


def void(_: object) -> None:
    pass


def memory() -> None:
    """Measure each way in a separate process, whose peak (VmHWM) is reset after a first small call."""
    authority, large = Authority("Root"), b"%PDF-1.7" + os.urandom(LARGE - 8)
    created = PortalJobResponse(7, "https://api.example.org/api/7/cancel").to_xml()
    with (
        tempfile.TemporaryDirectory() as name,
        serving(authority.organization(SERVICE), authority, Path(name)) as service,
    ):
        folder = Path(name)
        (folder / "large.pdf").write_bytes(large)
        (folder / "root.pem").write_bytes(authority.pem())
        pem_files(authority.organization(CUSTOMER), folder)
        sizes = {"small": b"x", "large": large}

        def answer(handler: BaseHTTPRequestHandler) -> None:
            service.requests.clear()
            reply(handler, 200, created if handler.command == "POST" else sizes[handler.path.rsplit("/", 1)[1]])

        service.answer = answer
        for client in ("sync", "async"):
            for way in WAYS:
                command = [
                    sys.executable,
                    str(Path(__file__).with_name("sdk_memory.py")),
                    client,
                    way,
                    service.api_root,
                ]
                printed = subprocess.run([*command, name], check=True, capture_output=True).stdout
                print(f"{client:5} {way:18} {int(printed) / LARGE:.2f} x the {LARGE // MEGABYTE} MB")


def in_turns(floor: Callable[[], None], action: Callable[[], None], rounds: int) -> tuple[float, float]:
    """Return the median milliseconds of both."""
    times: dict[Callable[[], None], list[float]] = {floor: [], action: []}
    for _ in range(rounds):
        for each, taken in times.items():
            start = time.perf_counter()
            each()
            taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[floor]), statistics.median(times[action])


def tell(what: str, floor: float, took: float) -> None:
    print(f"{what:24} {took:7.2f} ms, floor {floor:7.2f} ms: {took / floor:.2f} x")


if __name__ == "__main__":
    main()
