"""What a document of 1, 30, 200 and 400 pages costs: its inspection, the picture of a page, its texts, its assembly.

The floors, in the same run, are PDFium and pikepdf doing the least that could do: open the PDF, draw and read what is
asked for, or save it. Each is done in a process of its own, so that its CPU time and peak memory are its own.

    .venv/bin/python bench/documents.py
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pikepdf
import pypdfium2
import typst

from segl.core.pades import FrontPage, FrontPageDocument, FrontPageSigner, assemble
from segl.core.protocol import SignatureType
from segl.service.rendering import read_contents, tasks, wire
from segl.service.rendering.limits import Limits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from certificates import NOW

PAGES = (1, 30, 200, 400)
ROUNDS = 3
WIDTH = 1240
SCALE = WIDTH / 595
MEBIBYTE = 2**10  # in the units of ru_maxrss
LIMITS = Limits()
Result = TypeVar("Result")
Action = Callable[[], object]
Cost = tuple[float, float]
"""CPU seconds, and MiB more than before."""


def main() -> None:
    tasks.rehearse()
    for pages in PAGES:
        original, _ = apart(lambda pages=pages: letter(pages))
        print(f"{pages} pages, {len(original) // 1024} KiB")
        for name, (ours, least) in actions(original, pages).items():
            rounds = [(cost(ours), cost(least)) for _ in range(ROUNDS)]
            (took, memory), (floor, least_memory) = (
                (statistics.median(each[who][0] for each in rounds), statistics.median(each[who][1] for each in rounds))
                for who in (0, 1)
            )
            print(
                f"  {name:9} {took * 1000:8.1f} ms, {took / floor:5.1f} x the least ({floor * 1000:.1f} ms); "
                f"{memory:4.0f} MiB, {least_memory:.0f} with the least"
            )


def actions(original: bytes, pages: int) -> dict[str, tuple[Action, Action]]:
    """Return what is measured, each with the least that it could be."""
    _, contents, laid_out = wire.split(tasks.inspect({"": original}, limits=LIMITS))
    page = (pages + 1) // 2
    return {
        "inspect": (lambda: tasks.inspect({"": original}, limits=LIMITS), lambda: (saved(original), drawn(original))),
        "picture": (
            lambda: tasks.page_image(laid_out, page=page, width=WIDTH, limits=LIMITS),
            lambda: picture(original, page),
        ),
        "texts": (lambda: read_contents(contents), lambda: texts(original)),
        "assemble": (
            lambda: assemble(documents=[laid_out], front_page=front_page(pages), attachments=[]),
            lambda: saved(original),
        ),
    }


def letter(pages: int) -> bytes:
    """Return a letter of so many pages, with a font of its own."""
    page = "= Letter\n *#lorem(40)*\n\n #lorem(400)"
    return typst.compile("\n#pagebreak()\n".join([page] * pages).encode())


def front_page(pages: int) -> FrontPage:
    signer = FrontPageSigner("Kari Nordmann", "01018012345", NOW, "TestID", 4, SignatureType.AUTHENTICATED_SIGNATURE)
    return FrontPage("Letter", 1, [signer], [FrontPageDocument("Letter", pages)], "Nordvik", NOW)


def saved(pdf: bytes) -> bytes:
    with pikepdf.open(BytesIO(pdf)) as document:
        result = BytesIO()
        document.save(result)
        return result.getvalue()


def drawn(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        for page in document:
            page.render(scale=0.5).close()
        return texts(pdf)


def picture(pdf: bytes, page: int) -> bytes:
    with pypdfium2.PdfDocument(pdf) as document:
        result = BytesIO()
        document[page - 1].render(scale=SCALE).to_pil().convert("RGB").save(result, "JPEG", quality=80)
        return result.getvalue()


def texts(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


def cost(action: Action) -> Cost:
    """Return what the action costs."""
    _, result = apart(action)
    return result


def apart(action: Callable[[], Result]) -> tuple[Result, Cost]:
    """Do it in a process of its own, since typst runs in a process that is forked only if it did not before."""
    results, its_results = get_context("fork").Pipe(duplex=False)

    def measure() -> None:
        memory, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        result = action()
        took = time.process_time() - began
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        its_results.send((result, (took, (most - memory) / MEBIBYTE)))

    process = get_context("fork").Process(target=measure)
    process.start()
    its_results.close()  # so that the end of the process is seen
    result: tuple[Result, Cost] = results.recv()
    process.join()
    return result


if __name__ == "__main__":
    main()
