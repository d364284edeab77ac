"""Whether a PDF as laid out looks, page by page, as its original does in a PDF reader.

What the libraries repair, leave out or draw anew on the way is judged by its effect: PDFium draws each page of the
original, annotations and form fields included, and the same page as laid out, so that their pixels coincide.

The reference is PDFium's own view of the untouched original: what a repair of ours loses or brings to light cannot hide
in it. It differs from what most readers show in two places, which are mended there too: fields of a document without a
form, and boxes to tick without a picture of their state. Where else the two differ, the document is refused.

It parses PDFs from strangers, so the service runs it in a rendering child only. It opens no file.
"""

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageChops

from segl.core.errors import InvalidDocument
from segl.core.pades.originals import DAMAGED, reading, with_form

SCALE = 1.493
"""Pixels per point, about: a full stop of 8 points covers a pixel. No round number, see `SHIFT`."""
CLOSER = 3 * SCALE
"""The scale for a page whose text differs. PDFium leaves out text that it takes for a shadow, and turns around what is
written from the right, not quite alike on page and sheet; if a letter is missing, this shows it."""
SHIFT = 0.3
"""Pixels by which pages lie off the raster, so that their edges, and what else is at whole points, is not at an edge
of a pixel: there a rounding in the tenth digit would make a picture or a tile a pixel larger."""
FRAME = 0.25
"""Points of a sheet that its hairline around a page covers of it."""
MOST_PIXELS = 16_000_000
"""Pixels of one page; larger pages are compared at a smaller scale."""
DECIMALS = 5
"""Of a matrix that qpdf writes."""
BAND = 1_200_000
"""Pixels that are drawn at a time: an A4 page."""
PEAK, MEAN, SIDE = 96, 20, 4
"""How far (0 to 255) one pixel, and the mean of a square of pixels, may be beyond all that is next to its place on the
other picture. A full stop of 8 points that is lost has a pixel of 150, a letter a square of 20; rounding makes less."""

_EMPTY = 2
"""Bytes of an empty string as PDFium gives it, in UTF-16 with an end."""


def compare(original: bytes | memoryview, laid_out: bytes) -> None:
    """Refuse a document whose pages, as laid out in the art boxes of `laid_out`, lack something or look otherwise.

    Each pixel of either picture must be like one of the other's at its place or next to it: letters are placed on
    whole pixels, so rounding moves them by one. If the text that PDFium reads from a page is not all in that of its
    sheet, which also has the text of annotations and fields, the two are looked at more closely.

    Raises:
        InvalidDocument: naming the first page that differs.
    """
    with reading(), _Original(bytes(original)) as before, pypdfium2.PdfDocument(laid_out) as after:
        if len(before.document) != len(after):
            raise InvalidDocument(DAMAGED)
        canvases = _Canvas(), _Canvas()
        for index in range(len(after)):
            page, sheet = before.page(index), after[index]
            scale = SCALE if _has_its_text(page, sheet) else CLOSER
            too_large = scale == CLOSER and _fitting(page, scale) < SCALE
            if min(page.get_size()) <= 0 or too_large or not _looks_same(page, sheet, scale, *canvases):
                raise InvalidDocument(
                    f"Page {index + 1} of the PDF would not look in the signed document as it does in a PDF reader; "
                    "print it to a new PDF and send that."
                )
            page.close()
            sheet.close()


class _Original:
    """The original in PDFium, which draws fields only of a document with a form; most readers draw the others too."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.document = _open(content)
        self._with_form: pypdfium2.PdfDocument | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self.document, self._with_form):
            if each is not None:
                each.close()

    def page(self, index: int) -> pypdfium2.PdfPage:
        page = self.document[index]
        if page.formenv is None and _has_fields(page):
            page.close()
            if self._with_form is None:
                self._with_form = _open(with_form(self._content))
            page = self._with_form[index]
        _hide_aids(page)
        return page


def _open(content: bytes) -> pypdfium2.PdfDocument:
    document = pypdfium2.PdfDocument(content)
    document.init_forms()
    return document


def _has_its_text(page: pypdfium2.PdfPage, sheet: pypdfium2.PdfPage) -> bool:
    needed, found = _text(page), _text(sheet)
    return found.startswith(needed) or not Counter(needed) - Counter(found)


def _text(page: pypdfium2.PdfPage) -> str:
    text = page.get_textpage()
    try:
        return "".join(text.get_text_range().split()).replace("\ufffe", "-")  # a hyphen at the end of a line
    finally:
        text.close()


class _Grid(NamedTuple):
    """The pixels of a page, how far it lies off them, and which of them are in the band from `top` to `bottom`."""

    width: int
    height: int
    shift: float
    margin: int
    top: int
    bottom: int


class _Canvas:
    """Memory to draw bands in, one after the other: fresh memory for each would cost more than drawing."""

    def __init__(self) -> None:
        self._memory = (ctypes.c_ubyte * (4 * BAND))()
        self._used = 0

    def blank(self, grid: _Grid) -> pypdfium2.PdfBitmap:
        """A white picture for a band. With an alpha channel, PDFium gives letters in fields no coloured edges."""
        height = grid.bottom - grid.top
        self._used = 4 * grid.width * height
        bitmap = pypdfium2.PdfBitmap.new_native(grid.width, height, pdfium.FPDFBitmap_BGRA, buffer=self._memory)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, grid.width, height)
        return bitmap

    def drawn(self) -> memoryview:
        """The picture in words of two pixels, which compare quickly; a last odd pixel is left out."""
        return memoryview(self._memory).cast("B")[: self._used // 8 * 8].cast("Q")


def _looks_same(
    page: pypdfium2.PdfPage, sheet: pypdfium2.PdfPage, scale: float, before: _Canvas, after: _Canvas
) -> bool:
    for grid in _bands(page, sheet, scale):
        first, second = before.blank(grid), after.blank(grid)
        _draw_original(page, first, grid)
        _draw_laid_out(sheet, second, grid, page.get_width())
        if before.drawn() != after.drawn() and not _same(first, second, grid):
            return False
    return True


def _fitting(page: pypdfium2.PdfPage, scale: float) -> float:
    """The scale, or less if the page would have too many pixels."""
    across, down = page.get_size()
    return min(scale, math.sqrt(MOST_PIXELS / (across * down)))


def _bands(page: pypdfium2.PdfPage, sheet: pypdfium2.PdfPage, scale: float) -> Iterator[_Grid]:
    across, down = page.get_size()
    scale = _fitting(page, scale)
    width, height = max(1, round(across * scale)), max(1, round(down * scale))
    left, _, right, _ = sheet.get_artbox()
    margin = 1 + math.ceil(FRAME * width / (right - left))
    if min(width, height) <= 4 * margin:
        margin = 0
    step = max(1, BAND // width)
    for top in range(0, height, step):
        # PDFium draws fields without a matrix only.
        yield _Grid(width, height, 0 if _has_fields(page) else SHIFT, margin, top, min(top + step, height))


def _has_fields(page: pypdfium2.PdfPage) -> bool:
    return any(pdfium.FPDFAnnot_GetSubtype(each) == pdfium.FPDF_ANNOT_WIDGET for each in _annotations(page))


def _annotations(page: pypdfium2.PdfPage) -> Iterator[pdfium.FPDF_ANNOTATION]:
    """The page's annotations, each open until the next."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        if annotation := pdfium.FPDFPage_GetAnnot(page, index):
            try:
                yield annotation
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)


def _hide_aids(page: pypdfium2.PdfPage) -> None:
    """Hide boxes to tick that have no picture of their present state: PDFium alone shows a grey frame for them."""
    if page.formenv is None:
        return
    for annotation in _annotations(page):
        kind = pdfium.FPDFAnnot_GetFormFieldType(page.formenv, annotation)
        drawn = pdfium.FPDFAnnot_GetAP(annotation, pdfium.FPDF_ANNOT_APPEARANCEMODE_NORMAL, None, 0) > _EMPTY
        if kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON) and not drawn:
            flags = pdfium.FPDFAnnot_GetFlags(annotation)
            pdfium.FPDFAnnot_SetFlags(annotation, flags | pdfium.FPDF_ANNOT_FLAG_HIDDEN)


def _draw_original(page: pypdfium2.PdfPage, bitmap: pypdfium2.PdfBitmap, grid: _Grid) -> None:
    """Draw the band as a reader shows it."""
    if grid.shift:
        _draw_through(page, bitmap, grid, (0, 0, *page.get_size()))
        return
    place = (0, -grid.top, grid.width, grid.height, 0, pdfium.FPDF_ANNOT)
    pdfium.FPDF_RenderPageBitmap(bitmap, page, *place)
    pdfium.FPDF_FFLDraw(page.formenv, bitmap, page, *place)


def _draw_laid_out(sheet: pypdfium2.PdfPage, bitmap: pypdfium2.PdfBitmap, grid: _Grid, width: float) -> None:
    """Draw the band as it lies in the sheet's art box, which a page of that width in points was scaled to.

    The art box is exact. The page lies where the matrix before it, which has five decimals, puts it: a hundredth of a
    pixel away, enough to move every hundredth letter.
    """
    left, low, right, high = sheet.get_artbox()
    scale = round((right - left) / width, DECIMALS)
    aspect = (high - low) / (right - left)
    left, low, right = round(left, DECIMALS), round(low, DECIMALS), round(left, DECIMALS) + width * scale
    high = low + (right - left) * aspect
    _draw_through(sheet, bitmap, grid, (left, sheet.get_height() - high, right, sheet.get_height() - low))


def _draw_through(
    page: pypdfium2.PdfPage, bitmap: pypdfium2.PdfBitmap, grid: _Grid, area: tuple[float, float, float, float]
) -> None:
    """Draw the band of a part of a page, which is in points from the upper left: left, top, right, bottom."""
    left, top, right, bottom = area
    across, down = grid.width / (right - left), grid.height / (bottom - top)
    matrix = pdfium.FS_MATRIX(across, 0, 0, down, grid.shift - left * across, grid.shift - top * down - grid.top)
    clip = pdfium.FS_RECTF(0, 0, grid.width, grid.bottom - grid.top)
    pdfium.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, clip, pdfium.FPDF_ANNOT)


def _same(one: pypdfium2.PdfBitmap, other: pypdfium2.PdfBitmap, grid: _Grid) -> bool:
    """Whether two pictures of a band show the same, but for the frame around the page."""
    top, bottom = max(grid.margin - grid.top, 0), min(grid.height - grid.margin, grid.bottom) - grid.top
    if grid.width <= 2 * grid.margin or top >= bottom:
        return True
    inner = (grid.margin, top, grid.width - grid.margin, bottom)
    first, second = (each.to_pil().convert("RGB").crop(inner) for each in (one, other))
    area = _exceeding(ImageChops.difference(first, second), MEAN)
    if area is None:
        return True
    around = (max(0, area[0] - 4), max(0, area[1] - 4), min(first.width, area[2] + 4), min(first.height, area[3] + 4))
    first, second = first.crop(around), second.crop(around)
    beyond = ImageChops.lighter(_beyond(first, second), _beyond(second, first))
    return not (_exceeding(beyond, PEAK) or _exceeding(beyond.reduce(SIDE), MEAN))


def _beyond(one: Image.Image, other: Image.Image) -> Image.Image:
    """How far each pixel of `one` is beyond the darkest and lightest of the nine around its place in `other`."""
    darkest, lightest = _neighbours(other, ImageChops.darker), _neighbours(other, ImageChops.lighter)
    return ImageChops.lighter(ImageChops.subtract(darkest, one), ImageChops.subtract(one, lightest))


def _neighbours(picture: Image.Image, choose: Callable[[Image.Image, Image.Image], Image.Image]) -> Image.Image:
    """What `choose` chooses, for each pixel, of it and the eight around it; at an edge, those of the other edge."""
    for across, down in ((1, 0), (0, 1)):
        before, after = (ImageChops.offset(picture, sign * across, sign * down) for sign in (1, -1))
        picture = choose(choose(picture, before), after)
    return picture


def _exceeding(difference: Image.Image, limit: int) -> tuple[int, int, int, int] | None:
    """Where a difference is more than `limit`, if anywhere: left, top, right, bottom."""
    return difference.point(([0] * (limit + 1) + [255] * (255 - limit)) * 3).getbbox()
