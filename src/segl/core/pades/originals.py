"""What of an original is shown and sealed: its pages, without anything that only some readers show.

It parses PDFs from strangers, so the service runs it in a rendering child only.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from io import BytesIO

import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium
from pikepdf import Array, Dictionary, Name, Object, Page, Pdf, Rectangle, Stream, String
from pikepdf.sanitize import Sanitizer

from segl.core.errors import InvalidDocument
from segl.core.pades import substitutes

DAMAGED = "The PDF is damaged or incomplete; save it again in the program that made it, or print it to a new PDF."
PORTFOLIO = "The PDF is a portfolio: what it shows are files within it; send each of them as a PDF of its own."
GIVEN_UP = re.compile("as null|null as value|as empty|giving up|ignoring|too many|loop detected|unable to|invalid kid")
"""What qpdf warns of when it goes on without a part of the document; other faults it mends as readers do."""
MOST_CONTENT = 128 * 1024 * 1024
"""Bytes that the pages' content of one document may unpack to."""
LARGEST_RATIO = 1032
"""Deflate packs no tighter."""
NEVER_SHOWN = 2 | 32
"""The flags Hidden and NoView of an annotation (ISO 32000-1, table 165)."""
UNSEEN = (Name.Link, Name.Popup, Name.FileAttachment, Name.Widget, Name.PrinterMark, Name.TrapNet)
"""Annotations that readers may show nothing of, or leave with the file attached to them, if they have no appearance."""
WIDEST_BORDER, NARROWEST_BORDERED = 3, 3
"""Points: a link's border that is wider, or around an area that is narrower, may strike out or cover what is there."""
MARKED_TEXT = (Name.Highlight, Name.Underline, Name.StrikeOut, Name.Squiggly)
HIGHEST_OBJECT = 8_388_607
"""ISO 32000-1, annex C."""


@contextmanager
def reading() -> Iterator[None]:
    """Turns what reading a damaged PDF raises into `InvalidDocument`.

    A PDF may have anything anywhere, so besides their own errors the libraries raise those of a wrong type.
    """
    try:
        yield
    except (
        pikepdf.PdfError,
        pikepdf.DependencyError,
        pypdfium2.PdfiumError,
        ArithmeticError,
        AttributeError,
        LookupError,
    ) as error:
        raise InvalidDocument(DAMAGED) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidDocument(DAMAGED) from error


@contextmanager
def opened(content: bytes | memoryview) -> Iterator[Pdf]:
    """The document as it is shown and sealed: plain pages, as a reader shows them on a screen.

    Annotations and form fields are drawn into the pages, boxes are cut to what is shown, layers are shown or hidden
    for good. What the original does (scripts, actions, attached files) is gone; links are left as they were.

    Raises:
        InvalidDocument: it cannot be read, or its pages unpack to more than `MOST_CONTENT`.
    """
    with reading(), _with_appearances(content) as original:
        if Name.Collection in original.Root:
            raise InvalidDocument(PORTFOLIO)
        Sanitizer().remove_attachments().remove_javascript().remove_private_app_data().apply(original)
        _fix_layers(original)
        substitutes.settle_fonts(original)
        _draw_annotations(original)
        for page in original.pages:
            _crop(page)
        _check_whole(original)
        yield original


def with_form(content: bytes) -> bytes:
    """The document with a form if it has none, for PDFium, which draws fields only then."""
    with _opened(content) as original:
        _mend_form(original)
        saved = BytesIO()
        original.save(saved, deterministic_id=True, compress_streams=False)
    return saved.getvalue()


def shown_size(page: Page) -> tuple[float, float]:
    """Width and height in points of a page as a viewer shows it: cropped, rotated, in its own unit."""
    box, unit = _shown_box(page), float(page.obj.get(Name.UserUnit, 1))
    width, height = box.width * unit, box.height * unit
    return (height, width) if page.rotation % 180 else (width, height)


@contextmanager
def _with_appearances(content: bytes | memoryview) -> Iterator[Pdf]:
    """The document, its pages' content sound and its annotations with pictures of themselves where they had none."""
    with _opened(content) as original:
        for page in original.pages:
            _mend_content(page)
            _mend_rotation(page)
            _mend_appearances(page)
        _mend_form(original)
        _check_content(original)
        _check_values(original)
        if not any(_lacks_appearance(page, original) for page in original.pages):
            yield original
            return
        _check_whole(original)
        _mark_undrawn(original)
        saved = BytesIO()
        original.save(saved, deterministic_id=True, compress_streams=False)
    with _opened(_drawn(saved.getvalue())) as original:
        _place_drawn(original)
        yield original


def _opened(content: bytes | memoryview) -> Pdf:
    return Pdf.open(BytesIO(_padded(content)), suppress_warnings=True)


def _padded(content: bytes | memoryview) -> bytes:
    """The file, made longer if its objects' numbers are high: qpdf drops those above a third of the file's size."""
    whole = bytes(content)
    numbers = [int(each) for each in re.findall(rb"/Size\s+(\d{1,7})\b", whole)]
    missing = 3 * min(max(numbers, default=0) + 1, HIGHEST_OBJECT) - len(whole)
    if missing <= 0:
        return whole
    end = whole.rfind(b"startxref")
    return b"".join((whole, b"\n", b" " * missing, b"\n", whole[end:] if end >= 0 else b""))


def _check_whole(original: Pdf) -> None:
    """Refuse a document of which qpdf gave up a part, which a reader may show all the same."""
    for warning in original.get_warnings():
        if GIVEN_UP.search(str(warning)):
            where = re.search(r"\(object (\d+) \d+, offset \d+\): |\(offset \d+\): ", str(warning))
            place = f"in its object {where[1]}" if where and where[1] else "in its structure"
            raise InvalidDocument(
                f"The PDF is damaged {place}, so that readers may show different things; "
                "print it to a new PDF and send that."
            )


def _mend_content(page: Page) -> None:
    """Drop entries of a page's content that are not streams, as readers do; a reader that does not, is compared."""
    content = page.obj.get(Name.Contents)
    if isinstance(content, Array):
        page.obj.Contents = Array([each for each in content if isinstance(each, Stream)])
    elif content is not None and not isinstance(content, Stream):
        del page.obj[Name.Contents]


def _mend_rotation(page: Page) -> None:
    """Make a rotation that is a real number, as readers take it, an integer."""
    node: Object | None = page.obj
    for _ in range(100):  # the page tree may be a loop
        if not isinstance(node, Dictionary):
            return
        if Name.Rotate in node:
            break
        node = node.get(Name.Parent)
    rotation = node.get(Name.Rotate) if isinstance(node, Dictionary) else None
    if isinstance(rotation, Decimal):
        page.obj.Rotate = int(rotation)


def _mend_appearances(page: Page) -> None:
    """Give the appearances of annotations a box where they have none, as PDFium does."""
    for annotation in _annotations(page):
        area = annotation.get(Name.Rect)
        for each in _appearances(annotation):
            if Name.BBox not in each and isinstance(area, Array):
                each.BBox = Array([0, 0, Rectangle(area).width, Rectangle(area).height])


def _mend_form(original: Pdf) -> None:
    """Give fields that are in no form one, as most readers do."""
    if Name.AcroForm not in original.Root:
        annotations = [each for page in original.pages for each in _annotations(page)]
        if fields := [each for each in annotations if each.get(Name.Subtype) == Name.Widget and each.is_indirect]:
            original.Root.AcroForm = Dictionary(Fields=Array(fields))


def _inherited(field: Object, key: Name) -> Object | None:
    """An entry of a form's field, or of the field that it is a part of."""
    node: Object | None = field
    for _ in range(100):  # fields may be a loop
        if not isinstance(node, Dictionary) or key in node:
            break
        node = node.get(Name.Parent)
    return node.get(key) if isinstance(node, Dictionary) else None


def _check_content(original: Pdf) -> None:
    """Refuse a document of a few kilobytes whose pages unpack to gigabytes, before anything unpacks them."""
    streams = [each for page in original.pages for each in _content(page)]
    if sum(len(each.read_raw_bytes()) for each in streams) * LARGEST_RATIO <= MOST_CONTENT:
        return
    sizes: dict[tuple[int, int], int] = {}
    total = 0
    for each in streams:
        if each.objgen not in sizes:
            sizes[each.objgen] = _unpacked_size(each)
        total += sizes[each.objgen]
        if total > MOST_CONTENT:
            raise InvalidDocument(
                f"The pages of the PDF unpack to more than {MOST_CONTENT} bytes; make it simpler or split it."
            )


def _content(page: Page) -> list[Object]:
    content = page.obj.get(Name.Contents, Array())
    return list(content) if isinstance(content, Array) else [content]


def _unpacked_size(stream: Object) -> int:
    """The size of a deflated stream, or the packed size with another filter; not counted far beyond the limit."""
    filters, packed = stream.get(Name.Filter), stream.read_raw_bytes()
    names = list(filters) if isinstance(filters, Array) else [filters]
    if names[:1] not in ([Name.FlateDecode], [Name.Fl]):
        return len(packed)
    inflating, size = zlib.decompressobj(), 0
    try:
        while packed and not inflating.eof and size <= MOST_CONTENT:
            size += len(inflating.decompress(packed, 1 << 20))
            packed = inflating.unconsumed_tail
    except zlib.error:
        pass  # Whether damaged content can be read for all that, qpdf decides.
    return size


def _annotations(page: Page) -> list[Object]:
    annotations = page.obj.get(Name.Annots)
    return [each for each in annotations if isinstance(each, Dictionary)] if isinstance(annotations, Array) else []


def _lacks_appearance(page: Page, original: Pdf) -> bool:
    stale = _is_stale(original)
    return any(stale or not _appearances(each) for each in _annotations(page))


def _is_stale(original: Pdf) -> bool:
    """Whether readers draw the fields anew."""
    form = original.Root.get(Name.AcroForm)
    return isinstance(form, Dictionary) and bool(form.get(Name.NeedAppearances, False))


def _check_values(original: Pdf) -> None:
    """Refuse texts of fields and annotations that are to be drawn, but that the usual fonts have no letters for."""
    stale = _is_stale(original)
    for number, page in enumerate(original.pages, 1):
        for annotation in _annotations(page):
            kind = annotation.get(Name.Subtype)
            field = kind == Name.Widget
            text = _inherited(annotation, Name.V) if field else annotation.get(Name.Contents)
            if not (field or kind == Name.FreeText) or not isinstance(text, String) or not _is_shown(annotation):
                continue
            can_be_drawn = substitutes.can_embed(str(text)) if field else substitutes.WESTERN.issuperset(str(text))
            if ((stale and field) or not _appearances(annotation)) and not can_be_drawn:
                name = _inherited(annotation, Name.T) if field else None
                what = f"The value of the field «{name or ''}»" if field else "The text of an annotation"
                raise InvalidDocument(
                    f"{what} on page {number} of the PDF has letters that not every reader has a font for; "
                    "print it to a new PDF and send that."
                )


def _mark_undrawn(original: Pdf) -> None:
    """Mark the marks on text that PDFium is going to draw, since it draws them smaller than their annotations are."""
    for page in original.pages:
        for annotation in _annotations(page):
            if annotation.get(Name.Subtype) in MARKED_TEXT and not _appearances(annotation):
                annotation.SeglUndrawn = True


def _place_drawn(original: Pdf) -> None:
    """Put marks on text where PDFium drew them."""
    for page in original.pages:
        for annotation in _annotations(page):
            if Name.SeglUndrawn in annotation:
                for appearance in _appearances(annotation):
                    annotation.Rect = appearance.BBox


def _appearances(annotation: Object) -> list[Object]:
    """The pictures that an annotation has of itself for its states, or the one for all."""
    appearance = annotation.get(Name.AP)
    normal = appearance.get(Name.N) if isinstance(appearance, Dictionary) else None
    states = list(normal.values()) if isinstance(normal, Dictionary) else [normal]
    return [each for each in states if isinstance(each, Stream)]


def _drawn(content: bytes) -> bytes:
    """The document with an appearance for each field and, where PDFium knows how, each annotation that had none.

    PDFium makes them when it draws a page, here beside a bitmap of one pixel. qpdf, which could make those of fields,
    would cut long and non-Latin values.
    """
    with pypdfium2.PdfDocument(content) as document:
        document.init_forms()
        nothing = pypdfium2.PdfBitmap.new_native(1, 1, pdfium.FPDFBitmap_BGRA)
        for page in document:
            pdfium.FPDF_RenderPageBitmap(nothing, page, -3, -3, 1, 1, 0, pdfium.FPDF_ANNOT)
        drawn = BytesIO()
        document.save(drawn)
        return drawn.getvalue()


def _draw_annotations(original: Pdf) -> None:
    """Draw into each page the annotations and fields that a reader shows on a screen, whether or not it prints them."""
    form = original.Root.get(Name.AcroForm)
    if isinstance(form, Dictionary) and Name.NeedAppearances in form:
        del form[Name.NeedAppearances]
    for number, page in enumerate(original.pages, 1):
        shown = [each for each in _annotations(page) if _is_shown(each)]
        if Name.Annots in page.obj:
            page.obj.Annots = Array([each for each in shown if each.get(Name.Subtype) != Name.Popup])
        for annotation in shown:
            _check_drawn_alike(number, annotation)
            _layer_appearance(annotation)
    links = [[each for each in _annotations(page) if each.get(Name.Subtype) == Name.Link] for page in original.pages]
    original.flatten_annotations("screen")
    for page, its_links in zip(original.pages, links, strict=True):
        page.obj.Annots = Array(its_links)
    if Name.AcroForm in original.Root:
        del original.Root[Name.AcroForm]


def _is_shown(annotation: Object) -> bool:
    flags = annotation.get(Name.F, 0)
    hidden = isinstance(flags, int) and flags & NEVER_SHOWN
    area = annotation.get(Name.Rect)
    if hidden or not isinstance(area, Array):
        return False
    rectangle = Rectangle(area)
    return rectangle.width > 0 < rectangle.height


def _check_drawn_alike(page: int, annotation: Object) -> None:
    """Refuse annotations that some readers draw and others do not, or each in its own way."""
    kind, states, drawn = annotation.get(Name.Subtype), _states(annotation), bool(_appearances(annotation))
    problem = ""
    if kind not in (None, *UNSEEN) and not drawn:
        problem = "has no appearance"
    elif drawn and kind in (None, Name.Popup):
        problem = "has an appearance, but is of a kind without one"
    elif kind != Name.Widget and states is not None and str(annotation.get(Name.AS, "")) not in states:
        problem = "has appearances, but none for its state"
    elif kind == Name.Link and _border(annotation) > WIDEST_BORDER * (_narrower_side(annotation) >= NARROWEST_BORDERED):
        problem = "has a border that may hide something"
    if problem:
        raise InvalidDocument(
            f"An annotation on page {page} of the PDF ({str(kind).removeprefix('/')}) {problem}, "
            "so that readers draw it differently; print it to a new PDF and send that."
        )


def _states(annotation: Object) -> set[str] | None:
    """The names of the states that an annotation has appearances for, if it has states."""
    appearance = annotation.get(Name.AP)
    normal = appearance.get(Name.N) if isinstance(appearance, Dictionary) else None
    return set(normal.keys()) if isinstance(normal, Dictionary) and not isinstance(normal, Stream) else None


def _narrower_side(annotation: Object) -> float:
    area = Rectangle(Array(annotation.Rect))
    return float(min(area.width, area.height))


def _border(annotation: Object) -> float:
    """The width of a link's border in points (ISO 32000-1, 12.5.4)."""
    style, border = annotation.get(Name.BS), annotation.get(Name.Border)
    if isinstance(style, Dictionary):
        return float(style.get(Name.W, 1))
    return float(border[2]) if isinstance(border, Array) and len(border) > 2 else 1.0


def _layer_appearance(annotation: Object) -> None:
    """Let an annotation's picture be on the layer that the annotation is on."""
    if Name.OC in annotation:
        for appearance in _appearances(annotation):
            if Name.OC not in appearance:
                appearance.OC = annotation.OC


def _shown_box(page: Page) -> Rectangle:
    media = Rectangle(page.mediabox)
    shown = media & Rectangle(page.cropbox)
    # Boxes that do not meet have an intersection that is turned inside out.
    return shown if shown.llx < shown.urx and shown.lly < shown.ury else media


def _crop(page: Page) -> None:
    """Make what a viewer shows the whole page, which a trim box would narrow otherwise."""
    for box in (Name.TrimBox, Name.BleedBox, Name.ArtBox):
        if box in page:
            del page[box]
    page.mediabox = page.cropbox = _shown_box(page).as_array()
    page.obj.Rotate = 0 if page.rotation % 90 else page.rotation


def layers(groups: Sequence[Object], hidden: Sequence[Object]) -> Dictionary:
    """The catalog's entry for these layers, shown but for those that are hidden."""
    return Dictionary(OCGs=Array(groups), D=Dictionary(Name="Layers", OFF=Array(hidden), Order=Array()))


def _fix_layers(original: Pdf) -> None:
    """Leave of all that may show or hide a layer only whether it is hidden on a screen (ISO 32000-1, 8.11.4).

    Readers differ in the rest, which depends on purpose, language and zoom.
    """
    properties = original.Root.get(Name.OCProperties)
    listed = _listed(properties.get(Name.OCGs)) if isinstance(properties, Dictionary) else set()
    groups = [each for each in original.objects if isinstance(each, Dictionary) and _is_group(each, listed)]
    config = properties.get(Name.D) if isinstance(properties, Dictionary) else None
    hidden = [each for each in groups if _is_hidden(each, config if isinstance(config, Dictionary) else Dictionary())]
    for group in groups:
        group.Type = Name.OCG
        for key in (Name.Usage, Name.Intent):
            if key in group:
                del group[key]
    original.Root.OCProperties = layers(groups, hidden)


def _is_group(each: Object, listed: set[tuple[int, int]]) -> bool:
    """Whether an object is a layer, which the list of layers may be the only one to say."""
    return each.get(Name.Type) == Name.OCG or (Name.Type not in each and each.objgen in listed)


def _is_hidden(group: Object, config: Object) -> bool:
    """Whether a layer is hidden on a screen.

    Raises:
        InvalidDocument: Readers differ, as the layer has a state of its own for viewing, which not all of them heed.
    """
    intent = group.get(Name.Intent, Name.View)
    if not any(each in (Name.View, Name.All) for each in (intent if isinstance(intent, Array) else [intent])):
        return False
    usage = group.get(Name.Usage)
    view = usage.get(Name.View) if isinstance(usage, Dictionary) else None
    hidden = group.objgen in _listed(config.get(Name.OFF)) or (
        config.get(Name.BaseState) == Name.OFF and group.objgen not in _listed(config.get(Name.ON))
    )
    if isinstance(view, Dictionary) and Name.ViewState in view and (view.ViewState == Name.OFF) != hidden:
        raise InvalidDocument(
            f"The layer «{group.get(Name.Name, '')}» of the PDF is shown by some readers and hidden by others; "
            "print the PDF to a new one and send that."
        )
    return hidden


def _listed(groups: Object | None) -> set[tuple[int, int]]:
    return {each.objgen for each in groups if isinstance(each, Dictionary)} if isinstance(groups, Array) else set()
