"""One process of `sdk.py`: sends or fetches 10 MB through the SDK and prints the bytes of its peak RSS above idle.

    sdk_memory.py sync|async WAY API_ROOT FOLDER

Linux only: writing 5 to /proc/self/clear_refs resets the peak (proc(5)).
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segl.sdk import (
    AsyncPortalClient,
    ClientCertificate,
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    Environment,
    FileType,
    Job,
    PadesReference,
    PortalClient,
    Sender,
    Signer,
)

_, kind, way, api_root, name = sys.argv
folder = Path(name)
SIGNERS = [Signer(ContactInformation(email=Email("someone@example.com")))]
CONFIGURATION = ClientConfiguration(
    Environment(api_root, folder / "root.pem", "984661185"),
    ClientCertificate.from_pem(folder / "certificate.pem", folder / "key.pem"),
    Sender("123456789"),
    calls_per_second=None,
)


def job(file: bytes | Path) -> Job:
    return Job(Document("Contract", None, FileType.PDF, file), SIGNERS)


def pades(client: Any, size: str) -> Any:
    return client.get_pades(PadesReference(f"{api_root}/{size}"))


WAYS: dict[str, Callable[[Any], Any]] = {
    "upload from a file": lambda client: client.create(job(folder / "large.pdf")),
    "download, read": lambda client: pades(client, "large").read(),
    "download, saved": lambda client: pades(client, "large").save(folder / "saved.pdf"),
}


def kilobytes(field: str) -> int:
    [line] = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith(f"{field}:")]
    return int(line.split()[1])


def idle() -> int:
    """Return the resident kilobytes above which the peak is measured."""
    Path("/proc/self/clear_refs").write_text("5")
    return kilobytes("VmRSS")


def measured() -> int:
    with PortalClient(CONFIGURATION) as client:
        client.create(job(b"%PDF-1.7 small"))
        pades(client, "small").read()
        before = idle()
        kept = WAYS[way](client)
        return kilobytes("VmHWM") - before if kept else 0


async def measured_async() -> int:
    async with AsyncPortalClient(CONFIGURATION) as client:
        await client.create(job(b"%PDF-1.7 small"))
        await pades(client, "small").read()
        before = idle()
        kept = await WAYS[way](client)
        return kilobytes("VmHWM") - before if kept else 0


if __name__ == "__main__":
    print((asyncio.run(measured_async()) if kind == "async" else measured()) * 1024)
