"""PDF checks, pages as pictures and text, and the assembly of the signed PDF, each in its own child process.

A hostile PDF is read by a process with bounded time and memory, an empty environment and no keys, which can open
neither a file nor a socket. If it dies of the document, the caller gets an `InvalidDocument`; if it cannot run, or is
killed from outside twice, a `RenderingUnavailableError`.
"""

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from time import monotonic
from typing import Any

from segl.core.errors import InvalidDocument
from segl.core.pades import Attachment, FrontPage
from segl.service import configuration
from segl.service.rendering import pictures, wire
from segl.service.rendering.children import RenderingUnavailableError, run, turn, warm_up
from segl.service.rendering.limits import MEBIBYTE, Limits

# The memory of each is configured. A child has about twice as long as it may use the processor: one whose time is over
# did not get enough of a busy machine, which says nothing of the document.
INSPECTION = Limits(cpu_seconds=15, wall_seconds=28)
"""For all documents of a job together; a page of text takes 20 to 33 ms. Tighter than later tasks, so that accepted
documents can be shown and sealed; and the client, which waits for 30 seconds, is answered."""
PAGES = Limits(cpu_seconds=20, wall_seconds=40)
ASSEMBLY = Limits(cpu_seconds=120, wall_seconds=240, result=128 * MEBIBYTE)

__all__ = [
    "Inspected",
    "PageContent",
    "PdfFacts",
    "RenderingUnavailableError",
    "assemble",
    "check_sealed",
    "inspect",
    "lay_out",
    "page_image",
    "picture_size",
    "read_contents",
    "read_pages",
    "typeset_texts",
    "warm_up",
]


@dataclass(frozen=True, slots=True)
class PdfFacts:
    """What a PDF says of itself: its version («1.7»), how many pages, and the PDF/A level it claims («3B»)."""

    version: str
    pages: int
    pdfa: str | None


@dataclass(frozen=True, slots=True)
class PageContent:
    """A page as it is in the signed PDF: width and height in points, and its text, as far as it has one in order.

    `scale` is that of the original page in the signed PDF; 1 where it was not recorded.
    """

    width: float
    height: float
    text: str
    scale: float = 1


@dataclass(frozen=True, slots=True)
class Inspected:
    """What an inspection found out about a PDF and made of it.

    `laid_out` is the PDF that is shown to signers and sealed (`segl.core.pades.assembly.lay_out`), `pages` the JSON of
    its pages (`read_contents`).
    """

    facts: PdfFacts
    laid_out: bytes
    pages: bytes


def inspect(pdfs: Mapping[str, bytes | memoryview]) -> list[Inspected]:
    """The facts of a job's PDFs and the PDFs laid out, after a check that every page can be shown.

    Raises `InvalidDocument`, with the name, when one is not a PDF, protected, damaged, without pages or with too many
    or absurdly large ones, of a version outside 1.1–1.7, or a dynamic form.
    """
    mapped = {name: pickle.PickleBuffer(pdf) for name, pdf in pdfs.items()}
    parts = wire.split(_run("inspect", _inspection(), pdfs=mapped))
    return [
        Inspected(PdfFacts(**json.loads(facts)), laid_out, pages)
        for facts, pages, laid_out in zip(*[iter(parts)] * 3, strict=True)
    ]


def lay_out(pdf: bytes) -> bytes:
    """The laid-out PDF of one that was accepted before such were kept."""
    return _run("lay_out", _pages(), pdf=pickle.PickleBuffer(pdf))


def typeset_texts(texts: Mapping[str, bytes | memoryview]) -> dict[str, bytes]:
    """A job's plain texts as PDFs: `segl.core.pades.text_pages.typeset_text`, in a child for each.

    Together they may take as long as the inspection of all documents. Raises `InvalidDocument`, with the name;
    `TooManyPages` is one.
    """
    made = {}
    limits = _inspection()
    with turn():
        until = monotonic() + limits.wall_seconds
        for name, content in texts.items():
            seconds = ceil(until - monotonic())
            try:
                if seconds <= 0:
                    raise InvalidDocument("The plain texts take too long to typeset together: send fewer, or PDFs.")
                left = replace(limits, cpu_seconds=ceil(seconds / 2), wall_seconds=seconds)
                made[name] = run("typeset_text", left, content=bytes(content))
            except InvalidDocument as error:
                raise type(error)(f"{name}: {error}") from error
    return made


def page_image(laid_out: bytes, *, page: int, width: int) -> bytes:
    """A page (from 1) of a laid-out PDF as JPEG or WebP, of that width in pixels or as wide as possible."""
    return _run("page_image", _pages(), pdf=pickle.PickleBuffer(laid_out), page=page, width=width)


def picture_size(page: PageContent, *, width: int) -> tuple[int, int]:
    """Width and height of what `page_image` makes of a page for this width."""
    return pictures.picture_size(page.width, page.height, wanted=width, pixels=PAGES.pixels)


def read_pages(laid_out: bytes) -> bytes:
    """The pages of a laid-out PDF as JSON."""
    return _run("read_pages", _pages(), pdf=pickle.PickleBuffer(laid_out))


def read_contents(pages: bytes) -> list[PageContent]:
    """The pages that such JSON describes."""
    return [PageContent(**each) for each in json.loads(pages)]


def check_sealed(pdf: bytes, *, documents: Sequence[bytes]) -> None:
    """Make sure that a sealed PDF shows these laid-out documents; `InvalidDocument` if it does not."""
    _run("check_sealed", _pages(), pdf=pickle.PickleBuffer(pdf), documents=tuple(map(pickle.PickleBuffer, documents)))


def assemble(*, documents: Sequence[bytes], front_page: FrontPage, attachments: Sequence[Attachment]) -> bytes:
    """`segl.core.pades.assemble` of laid-out PDFs in a child."""
    return _run(
        "assemble",
        replace(ASSEMBLY, memory=configuration.rendering().assembly_memory),
        documents=tuple(map(pickle.PickleBuffer, documents)),
        front_page=front_page,
        attachments=tuple(attachments),
    )


def _run(name: str, limits: Limits, **arguments: Any) -> bytes:
    with turn():
        return run(name, limits, **arguments)


def _inspection() -> Limits:
    return replace(INSPECTION, memory=configuration.rendering().inspection_memory)


def _pages() -> Limits:
    return replace(PAGES, memory=configuration.rendering().page_memory)
