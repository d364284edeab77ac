"""The signed PDF before its seal: front page, every page of the originals above a footer, the XAdES attached.

It parses PDFs from strangers, so the service runs it in a rendering child only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO

import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium
from pikepdf import Array, Dictionary, Name, Object, Page, Pdf, Rectangle
from pikepdf.sanitize import Sanitizer

from segl.core.errors import InvalidDocument
from segl.core.pades import front_page as typesetting
from segl.core.pades.values import Attachment, FrontPage

# Where the originals go on the A4 page: above the footer, in points from the lower left corner.
ROOM = Rectangle(12, 46, 583.276, 841.89)
# A page that leaves more than a tenth of the room's width or height free gets a hairline around it.
FILLED = 0.9
FRAME_COLOUR = "0.81 0.83 0.82"


def assemble(*, documents: Sequence[bytes], front_page: FrontPage, attachments: Sequence[Attachment]) -> bytes:
    """One PDF 1.7 of A4 portrait pages: the front page, then each page of `documents` above a footer.

    Pages larger than the room above the footer are scaled down. What an original shows is kept, annotations and
    form fields as pictures of themselves; what it does (scripts, actions, links, attached files) is not.

    Raises:
        InvalidDocument: an original cannot be read, or has not as many pages as the front page says.
    """
    footers = typesetting.typeset(front_page)
    return merge(footers, documents=documents, front_page=front_page, attachments=attachments)


def merge(
    footers: bytes, *, documents: Sequence[bytes], front_page: FrontPage, attachments: Sequence[Attachment]
) -> bytes:
    """`assemble` once the front page and footers are typeset: from here on no file need be opened."""
    with Pdf.open(BytesIO(footers)) as result:
        sheets = iter(result.pages[-sum(document.pages for document in front_page.documents) :])
        layers = _Layers(result)
        for content, described in zip(documents, front_page.documents, strict=True):
            try:
                _add(content, described.pages, sheets, layers)
            except pikepdf.PdfError as error:
                raise InvalidDocument(f"«{described.title}» cannot be read as a PDF: {error}.") from None
        layers.write()
        _attach(result, attachments, front_page)
        return _saved(result)


def _add(content: bytes, pages: int, sheets: Iterator[Page], layers: "_Layers") -> None:
    """Lay the pages of an original under the next footers."""
    with Pdf.open(BytesIO(_flattened(content))) as original:
        if len(original.pages) != pages:
            raise InvalidDocument(f"A document has {len(original.pages)} pages, but was accepted with {pages}.")
        Sanitizer().remove_attachments().remove_javascript().remove_private_app_data().apply(original)
        for page in original.pages:
            _lay_under(next(sheets), page)
        layers.add(original)


def _flattened(content: bytes) -> bytes:
    """The document with annotations and form fields drawn into its pages, exactly as the signer was shown them.

    PDFium does it because PDFium draws the pages that signers read; qpdf would cut long and non-Latin field values.
    """
    with Pdf.open(BytesIO(content)) as original:
        if not any(Name.Annots in page for page in original.pages):
            return content
    document = pypdfium2.PdfDocument(content)
    document.init_forms()
    for page in document:
        if pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_FAIL:
            raise InvalidDocument("The annotations of a document cannot be drawn; print it to a new PDF and send that.")
    flattened = BytesIO()
    document.save(flattened)
    return flattened.getvalue()


def shown_size(page: Page) -> tuple[float, float]:
    """Width and height in points of a page as a viewer shows it: cropped, rotated, in its own unit."""
    box, unit = _shown_box(page), float(page.obj.get(Name.UserUnit, 1))
    width, height = box.width * unit, box.height * unit
    return (height, width) if page.rotation % 180 else (width, height)


def _shown_box(page: Page) -> Rectangle:
    media = Rectangle(page.mediabox)
    shown = media & Rectangle(page.cropbox)
    # Boxes that do not meet have an intersection that is turned inside out.
    return shown if shown.llx < shown.urx and shown.lly < shown.ury else media


def _lay_under(sheet: Page, page: Page) -> None:
    """Lay a page under a footer, centred, and mark where it ends if it does not fill the sheet."""
    width, height = shown_size(page)
    scale = min(1, ROOM.width / width, ROOM.height / height)
    width, height = width * scale, height * scale
    left, low = (ROOM.llx + ROOM.urx - width) / 2, (ROOM.lly + ROOM.ury - height) / 2
    if min(width / ROOM.width, height / ROOM.height) < FILLED:
        frame = f"q 0.5 w {FRAME_COLOUR} RG {left:.2f} {low:.2f} {width:.2f} {height:.2f} re S Q\n"
        sheet.contents_add(frame.encode(), prepend=True)
    _crop(page)
    sheet.add_underlay(page, Rectangle(left, low, left + width, low + height))


def _crop(page: Page) -> None:
    """Make what a viewer shows the whole page, which a trim box would narrow otherwise."""
    for box in (Name.TrimBox, Name.BleedBox, Name.ArtBox):
        if box in page:
            del page[box]
    page.mediabox = page.cropbox = _shown_box(page).as_array()


@dataclass(slots=True)
class _Layers:
    """Optional content of the originals: a layer that is hidden there must not come to light in the result."""

    result: Pdf
    groups: list[Object] = field(default_factory=list)
    hidden: list[Object] = field(default_factory=list)

    def add(self, original: Pdf) -> None:
        properties = original.Root.get(Name.OCProperties, Dictionary())
        config = properties.get(Name.D, Dictionary())
        shown = _ids(config.get(Name.ON, Array()))
        hidden = _ids(config.get(Name.OFF, Array()))
        all_hidden = config.get(Name.BaseState) == Name.OFF
        for group in properties.get(Name.OCGs, Array()):
            copy = self.result.copy_foreign(group)
            self.groups.append(copy)
            if group.objgen in hidden or (all_hidden and group.objgen not in shown):
                self.hidden.append(copy)

    def write(self) -> None:
        if self.groups:
            state = Dictionary(Name="Layers", OFF=Array(self.hidden), Order=Array())
            self.result.Root.OCProperties = Dictionary(OCGs=Array(self.groups), D=state)


def _ids(groups: Object) -> set[tuple[int, int]]:
    return {group.objgen for group in groups}


def _attach(result: Pdf, attachments: Sequence[Attachment], front_page: FrontPage) -> None:
    """Attach the files, associated with the document as a whole (ISO 32000-2, 14.13; ISO 19005-3, 6.8)."""
    date = pikepdf.models.metadata.encode_pdf_date(front_page.sealed_at)
    for each in attachments:
        if each.name in result.attachments:
            raise ValueError(f"two attachments have the name {each.name}")
        result.attachments[each.name] = pikepdf.AttachedFileSpec(
            result,
            each.content,
            description=each.description,
            filename=each.name,
            mime_type=each.media_type,
            creation_date=date,
            mod_date=date,
            relationship=Name.Supplement,
        )
    result.Root.AF = Array([result.attachments[each.name].obj for each in attachments])


def _saved(result: Pdf) -> bytes:
    result.Root.Lang = pikepdf.String("nb")
    saved = BytesIO()
    # The random part of a file identifier would be read from a device, which a rendering child cannot open.
    result.save(saved, force_version="1.7", object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    return saved.getvalue()
