"""What rendering children do: everything here may meet a hostile PDF, nothing runs in the service's own process."""

import codecs
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import Any

import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image

from segl.core.errors import InvalidDocument, TooManyPages
from segl.core.pades import Attachment, FrontPage, FrontPageDocument, assembly, originals, sheets, substitutes
from segl.core.pades.assembly import merge
from segl.core.pades.comparing import compare
from segl.core.pades.front_page import faces, typeset
from segl.core.pades.text_pages import typeset_text
from segl.service.rendering import pictures, wire
from segl.service.rendering.limits import Limits
from segl.service.rendering.wire import Task

VERSIONS = ("1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
# Sides of a page in points (ISO 32000-1, annex C).
SMALLEST_SIDE, LARGEST_SIDE = 3, 14400
LOCKED = "The PDF is protected by a password, without which nobody can open it; send it without protection."
RESTRICTED = "The PDF opens without a password, but is restricted by its owner; send it without restrictions."
PROTECTED = "The PDF is protected in a way that is not known here; send it without protection."


def prepare(task: Task) -> Callable[[], bytes]:
    """The task, ready to run where nothing can be opened any more. No untrusted PDF is read before it runs."""
    if task.name == "assemble":
        return _assemble(**task.arguments)
    if task.name == "typeset_text":
        pages = typeset_text(**task.arguments)  # typst reads fonts; the PDF it makes is trusted
        return lambda: pages
    return partial(_TASKS[task.name], limits=task.limits, **task.arguments)


def _assemble(
    *, documents: Sequence[bytes | memoryview], front_page: FrontPage, attachments: Sequence[Attachment]
) -> Callable[[], bytes]:
    footers = typeset(front_page)
    return partial(merge, footers, documents=documents, front_page=front_page, attachments=attachments)


def inspect(pdfs: Mapping[str, bytes | memoryview], *, limits: Limits) -> bytes:
    """The parts of an `Inspected` for each, joined: its facts and its pages as JSON, and the laid-out PDF."""
    results: list[bytes] = []
    for name, pdf in pdfs.items():
        try:
            results += _inspected(pdf, limits)
        except InvalidDocument as error:
            raise type(error)(f"{name}: {error}") from error
    return wire.join(results)


def _inspected(pdf: bytes | memoryview, limits: Limits) -> tuple[bytes, bytes, bytes]:
    if b"%PDF-" not in bytes(pdf[:1024]):
        raise InvalidDocument("The document is not a PDF.")
    _check_unprotected(pdf)
    with originals.opened(pdf) as document:
        facts = _facts(document, limits)
        widths = [originals.shown_size(page)[0] for page in document.pages]
        laid_out = assembly.lay_out(document)
    compare(pdf, laid_out)
    asked = substitutes.asked()
    with _opened(laid_out) as shown:
        pages = [_content(each) for each in shown]
        substitutes.check_fonts(shown, since=asked)
    for content, width in zip(pages, widths, strict=True):
        content["scale"] = content["width"] / width
    return json.dumps(facts).encode(), json.dumps(pages).encode(), laid_out


def lay_out(pdf: bytes | memoryview, *, limits: Limits) -> bytes:
    """The laid-out PDF of one that was accepted by a release that did not keep it."""
    with originals.opened(pdf) as document:
        return assembly.lay_out(document)


def _check_unprotected(pdf: bytes | memoryview) -> None:
    """qpdf, which comes next, cannot open protected PDFs here: it would read random numbers from a device."""
    try:
        with pypdfium2.PdfDocument(bytes(pdf)) as document:
            if pdfium.FPDF_GetSecurityHandlerRevision(document) != -1:
                raise InvalidDocument(RESTRICTED)
    except pypdfium2.PdfiumError as error:
        reasons = {pdfium.FPDF_ERR_PASSWORD: LOCKED, pdfium.FPDF_ERR_SECURITY: PROTECTED}
        raise InvalidDocument(reasons.get(error.err_code, originals.DAMAGED)) from None


def _facts(document: Pdf, limits: Limits) -> dict[str, Any]:
    if document.is_encrypted:
        raise InvalidDocument(PROTECTED)
    version = max(document.pdf_version, str(document.Root.get(Name.Version, "")).removeprefix("/"))
    if version not in VERSIONS:
        raise InvalidDocument(f"The PDF has version {version}; only versions 1.1 to 1.7 can be signed.")
    if document.Root.get(Name.NeedsRendering):
        raise InvalidDocument("The PDF is a dynamic XFA form, which few readers can show; print it to a new PDF.")
    if any(isinstance(each, Stream) and (Name.F in each or Name.Ref in each) for each in document.objects):
        raise InvalidDocument("The PDF shows content from outside itself; print it to a new PDF and send that.")
    pages = len(document.pages)
    if pages > limits.pages:
        raise TooManyPages(f"The PDF has {pages} pages; at most {limits.pages} can be signed.")
    if not pages:
        raise InvalidDocument("The PDF has no pages; send one with at least 1.")
    for number, page in enumerate(document.pages, 1):
        _check_size(number, page)
    return {"version": version, "pages": pages, "pdfa": document.open_metadata().pdfa_status or None}


def _check_size(number: int, page: pikepdf.Page) -> None:
    width, height = originals.shown_size(page)
    if not (SMALLEST_SIDE <= width <= LARGEST_SIDE and SMALLEST_SIDE <= height <= LARGEST_SIDE):
        raise InvalidDocument(
            f"Page {number} of the PDF is {width:.0f} by {height:.0f} points; "
            f"each side must be {SMALLEST_SIDE} to {LARGEST_SIDE}."
        )


def page_image(pdf: bytes | memoryview, *, page: int, width: int, limits: Limits) -> bytes:
    """A page of a laid-out PDF as a picture, of the size that `picture_size` says."""
    with _opened(pdf) as document:
        if not 1 <= page <= len(document):
            raise InvalidDocument(f"There is no page {page}; the PDF has {len(document)}.")
        return pictures.encode(_drawn(document[page - 1], width, limits))


def _drawn(sheet: pypdfium2.PdfPage, width: int, limits: Limits) -> Image.Image:
    """What lies in the sheet's art box; the rest is not drawn."""
    left, low, right, high = sheet.get_artbox()
    size = pictures.picture_size(right - left, high - low, wanted=width, pixels=limits.pixels)
    scale = size[0] / (right - left)
    start = (-round(left * scale), -round((sheet.get_height() - high) * scale))
    whole = (round(sheet.get_width() * scale), round(sheet.get_height() * scale))
    bitmap = pypdfium2.PdfBitmap.new_native(*size, pdfium.FPDFBitmap_BGR, rev_byteorder=True)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
    flags = pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER
    pdfium.FPDF_RenderPageBitmap(bitmap, sheet, *start, *whole, 0, flags)
    picture: Image.Image = bitmap.to_pil()
    return picture


def read_pages(pdf: bytes | memoryview, *, limits: Limits) -> bytes:
    """The values of a `PageContent` for each page of a laid-out PDF, as JSON."""
    with _opened(pdf) as document:
        return json.dumps([_content(page) for page in document]).encode()


def _content(page: pypdfium2.PdfPage) -> dict[str, Any]:
    left, low, right, high = page.get_artbox()
    return {"width": right - left, "height": high - low, "text": page.get_textpage().get_text_bounded()}


@contextmanager
def _opened(pdf: bytes | memoryview) -> Iterator[pypdfium2.PdfDocument]:
    with originals.reading(), pypdfium2.PdfDocument(bytes(pdf)) as document:
        yield document


def check_sealed(pdf: bytes | memoryview, *, documents: Sequence[bytes | memoryview], limits: Limits) -> bytes:
    """Nothing, if the last pages of a sealed PDF are the sheets of the laid-out documents."""
    sheets.check_same(pdf, documents)
    return b""


_TASKS: dict[str, Callable[..., bytes]] = {
    each.__name__: each for each in (inspect, lay_out, page_image, read_pages, check_sealed)
}


def rehearse() -> None:
    """Do each task once on a small page, so that whatever the libraries load late is loaded before the lock-down.

    Typesetting is left out: typst would start threads, which a forked child does not inherit.
    """
    faces("")
    substitutes.load()
    for codec in ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "ascii", "pdfdoc"):
        codecs.lookup(codec)
    page, limits, now = _small_page(), Limits(), datetime.now(UTC)
    _, _, laid_out = wire.split(inspect({"": page}, limits=limits))
    page_image(laid_out, page=1, width=10, limits=limits)
    read_pages(laid_out, limits=limits)
    front = FrontPage("", 0, (), (FrontPageDocument("", 1),), "", now)
    attachments = [Attachment("a", "application/xml", "", b"")]
    merged = merge(page, documents=[laid_out], front_page=front, attachments=attachments)
    check_sealed(merged, documents=[laid_out], limits=limits)


def _small_page() -> bytes:
    """A page with a text and an annotation."""
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
    note = Dictionary(Type=Name.Annot, Subtype=Name.Square, Rect=[9, 9, 50, 50], C=[1, 0, 0], F=4, Contents="æ")
    with Pdf.new() as small:
        page = small.add_blank_page()
        page.Resources = Dictionary(Font=Dictionary(F=font))
        page.Contents = Stream(small, b"BT /F 12 Tf 9 99 Td (text) Tj ET")
        page.Annots = Array([small.make_indirect(note)])
        saved = BytesIO()
        small.save(saved)
    return saved.getvalue()
