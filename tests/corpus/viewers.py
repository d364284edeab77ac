"""Two programs that show PDFs: a page of an original in any size, and a part of a page of a sealed PDF."""

import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import pypdfium2
from PIL import Image

SCALE = 1.5
"""Pixels a point of a sheet: 108 dpi."""
PROGRAMS = PDFIUM, POPPLER = "PDFium", "poppler"
SECONDS = 60
"""How long a program may take for a page."""
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""


class CannotShowError(Exception):
    """The program cannot show the document, or takes too long."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Pages count from 0. Both raise `CannotShowError`."""

    name: str
    original: Callable[[int, float], Image.Image]
    """The page, with so many pixels a point."""
    sealed: Callable[[int, Box], Image.Image]
    """What is in the box on the page."""


@contextmanager
def viewers(original: bytes, sealed: bytes) -> Iterator[tuple[Viewer, ...]]:
    """PDFium and poppler, with both documents open."""
    with _pdfium(original, sealed) as pdfium, _poppler(original, sealed) as poppler:
        yield pdfium, poppler


def widths(content: bytes) -> list[float]:
    """How wide the pages of a document are shown, in points, which are what a page's own unit says it is."""
    with pypdfium2.PdfDocument(content) as document:
        return [document.get_page_size(number)[0] for number in range(len(document))]


@contextmanager
def _pdfium(original: bytes, sealed: bytes) -> Iterator[Viewer]:
    with pypdfium2.PdfDocument(original) as one, pypdfium2.PdfDocument(sealed) as other:
        with warnings.catch_warnings(action="ignore"):  # It says that it cannot show dynamic forms.
            one.init_forms()
        yield Viewer(
            PDFIUM,
            lambda number, scale: _drawn(one, number, scale),
            lambda number, box: _drawn(other, number, SCALE).crop(box),
        )


def _drawn(document: pypdfium2.PdfDocument, number: int, scale: float) -> Image.Image:
    picture: Image.Image = document[number].render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")
    return picture


@contextmanager
def _poppler(original: bytes, sealed: bytes) -> Iterator[Viewer]:
    with tempfile.NamedTemporaryFile(suffix=".pdf") as one, tempfile.NamedTemporaryFile(suffix=".pdf") as other:
        for file, content in ((one, original), (other, sealed)):
            file.write(content)
            file.flush()

        def show_sealed(number: int, box: Box) -> Image.Image:
            left, top, right, bottom = box
            return _shown(other.name, number, SCALE, x=left, y=top, W=right - left, H=bottom - top)

        yield Viewer(POPPLER, lambda number, scale: _shown(one.name, number, scale), show_sealed)


def _shown(file: str, number: int, scale: float, **place: int) -> Image.Image:
    options = [word for name, value in place.items() for word in (f"-{name}", str(value))]
    page = ["-f", f"{number + 1}", "-l", f"{number + 1}", "-singlefile", "-cropbox", "-r", f"{72 * scale}"]
    try:
        done = subprocess.run(["pdftoppm", *page, *options, file], check=False, capture_output=True, timeout=SECONDS)
        return Image.open(BytesIO(done.stdout)).convert("RGB")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotShowError(f"poppler cannot show page {number + 1}") from error
