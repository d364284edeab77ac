"""How much memory 20 parallel uploads of 10 MB take above the idle service, in the API's process and in all of them.

PSS and USS are sampled every 20 ms; the peak is printed. A first upload warms everything up, and each upload is of a
document that was not sent before and so must be inspected.

    .venv/bin/python bench/memory.py
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pikepdf import Dictionary, Name, Pdf, Stream

from segl.sdk import (
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    FileType,
    Job,
    PortalClient,
    Signer,
    Timeouts,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import pdfs
from running_sandbox import running_sandbox

UPLOADS = 20
SIDE = 1800  # of a picture of 9.7 MB
MEGABYTE = 1_000_000
SAMPLE_SECONDS = 0.02


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_sandbox(Path(folder, "sandbox")) as sandbox:
        configuration = replace(
            ClientConfiguration.sandbox(sandbox.ready_file, "123456789"), timeouts=Timeouts(call=120)
        )
        content = large_pdf()
        upload(configuration, content)
        time.sleep(1)
        root = sandbox.process.pid
        idle = {False: Memory.of([root]), True: Memory.of(tree(root))}
        began = time.perf_counter()
        with peaks(root) as peak, ThreadPoolExecutor(UPLOADS) as threads:
            list(threads.map(lambda number: upload(configuration, content + b"%%%d" % number), range(UPLOADS)))
        print(f"{UPLOADS} uploads of {len(content) / MEGABYTE:.1f} MB took {time.perf_counter() - began:.1f} s")
    for whole, name in ((False, "API process"), (True, "all processes")):
        for kind in ("pss", "uss"):
            before, most = getattr(idle[whole], kind), getattr(peak[whole], kind)
            each = (most - before) / UPLOADS
            print(f"{name:13} {kind.upper()}: {before:4.0f} MB idle, {most:4.0f} MB at most: {each:.2f} MB per upload")


def large_pdf() -> bytes:
    """Return a PDF with a picture that cannot be compressed."""

    def fill(document: Pdf) -> None:
        picture = Stream(document, os.urandom(SIDE * SIDE * 3))
        picture.update(
            {
                "/Type": Name.XObject,
                "/Subtype": Name.Image,
                "/Width": SIDE,
                "/Height": SIDE,
                "/ColorSpace": Name.DeviceRGB,
                "/BitsPerComponent": 8,
            }
        )
        page = document.add_blank_page(page_size=pdfs.A4)
        page.Resources = Dictionary(XObject=Dictionary(P=picture))
        page.Contents = Stream(document, b"500 0 0 500 50 50 cm /P Do")

    return pdfs.made(fill, compress_streams=False)


@dataclass
class Memory:
    """Megabytes: proportional (PSS) and unique (USS) set size."""

    pss: float = 0
    uss: float = 0

    @classmethod
    def of(cls, processes: list[int]) -> "Memory":
        total = cls()
        for each in processes:
            with suppress(OSError):  # it has ended
                lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()[1:]
                sizes = {line.split()[0]: int(line.split()[1]) * 1024 / MEGABYTE for line in lines}
                total.pss += sizes["Pss:"]
                total.uss += sizes["Private_Clean:"] + sizes["Private_Dirty:"]
        return total


@contextmanager
def peaks(root: int) -> Iterator[dict[bool, Memory]]:
    """Yield the peaks during the block: of the process (False), and of it with all its descendants (True)."""
    most = {False: Memory(), True: Memory()}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLE_SECONDS):
            for whole, highest in most.items():
                now = Memory.of(tree(root) if whole else [root])
                highest.pss, highest.uss = max(highest.pss, now.pss), max(highest.uss, now.uss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        done.set()
        watching.join()


def tree(process: int) -> list[int]:
    """Return a process and its descendants."""
    found = [process]
    with suppress(OSError):  # it has ended
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def upload(configuration: ClientConfiguration, content: bytes) -> None:
    signers = [Signer(ContactInformation(email=Email("someone@example.com")))]
    with PortalClient(configuration) as client:
        client.create(Job(Document("Picture", "Please sign.", FileType.PDF, content), signers))


if __name__ == "__main__":
    main()
