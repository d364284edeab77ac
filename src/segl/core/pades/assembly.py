"""The signed PDF before its seal: front page, every page of the originals above a footer, the XAdES attached.

Each original is laid out once, when its job is created (`lay_out`). Signers are shown that laid-out PDF, and the signed
PDF is assembled from it: even content that readers disagree about is sealed as signers saw it.

It parses PDFs from strangers, so the service runs it in a rendering child only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

import pikepdf
from pikepdf import Array, Name, Object, Page, Pdf, Rectangle

from segl.core.errors import InvalidDocument
from segl.core.pades import front_page as typesetting
from segl.core.pades import originals
from segl.core.pades.values import Attachment, FrontPage

# A4, and where the originals go on it: above the footer, in points from the lower left corner.
PAGE_SIZE = (595.276, 841.89)
ROOM = Rectangle(12, 46, 583.276, 841.89)
# A page that leaves more than a tenth of the room's width or height free gets a hairline around it.
FILLED = 0.9
FRAME_COLOUR = "0.81 0.83 0.82"


def assemble(
    *, documents: Sequence[bytes | memoryview], front_page: FrontPage, attachments: Sequence[Attachment]
) -> bytes:
    """One PDF 1.7 of A4 portrait pages: the front page, then each sheet of the laid-out `documents` with a footer.

    Raises:
        InvalidDocument: a document cannot be read, or has not as many pages as the front page says.
    """
    footers = typesetting.typeset(front_page)
    return merge(footers, documents=documents, front_page=front_page, attachments=attachments)


def merge(
    footers: bytes,
    *,
    documents: Sequence[bytes | memoryview],
    front_page: FrontPage,
    attachments: Sequence[Attachment],
) -> bytes:
    """`assemble` once the front page and footers are typeset: from here on no file need be opened."""
    with Pdf.open(BytesIO(footers)) as result:
        blank = list(result.pages[-sum(document.pages for document in front_page.documents) :])
        layers = _Layers(result)
        for content, described in zip(documents, front_page.documents, strict=True):
            try:
                _add(content, described.pages, layers)
            except InvalidDocument as error:
                raise InvalidDocument(f"«{described.title}»: {error}") from error
        sheets = list(result.pages)[-len(blank) :]
        for sheet, footer in zip(sheets, blank, strict=True):
            sheet.add_overlay(footer, Rectangle(0, 0, *PAGE_SIZE))
            result.pages.remove(footer)
        layers.write()
        _attach(result, attachments, front_page)
        return _saved(result)


def _add(content: bytes | memoryview, pages: int, layers: "_Layers") -> None:
    """Append the sheets of a laid-out document."""
    with originals.reading(), Pdf.open(BytesIO(content)) as laid_out:
        if len(laid_out.pages) != pages:
            raise InvalidDocument(f"A document has {len(laid_out.pages)} pages, but was accepted with {pages}.")
        layers.result.pages.extend(laid_out.pages)
        layers.add(laid_out)


def lay_out(original: Pdf) -> bytes:
    """A PDF of A4 portrait sheets with the pages of an opened original as they lie in the signed PDF.

    Pages larger than the room above the footer are scaled down. A sheet's art box is where its page lies; signers are
    shown pictures cut to it, since a crop box would let PDFium draw some content differently.
    """
    with Pdf.new() as result, originals.reading():
        for page in original.pages:
            sheet = result.add_blank_page(page_size=PAGE_SIZE)
            sheet.artbox = _lay_under(sheet, page).as_array()
        layers = _Layers(result)
        layers.add(original)
        layers.write()
        return _saved(result)


def _lay_under(sheet: Page, page: Page) -> Rectangle:
    """Lay a page under a footer, centred, and mark where it ends if it does not fill the sheet; gives its place."""
    width, height = originals.shown_size(page)
    scale = min(1, ROOM.width / width, ROOM.height / height)
    width, height = width * scale, height * scale
    left, low = (ROOM.llx + ROOM.urx - width) / 2, (ROOM.lly + ROOM.ury - height) / 2
    if min(width / ROOM.width, height / ROOM.height) < FILLED:
        around = f"{left - 0.25:.2f} {low - 0.25:.2f} {width + 0.5:.2f} {height + 0.5:.2f}"  # it covers nothing
        frame = f"q 0.5 w {FRAME_COLOUR} RG {around} re S Q\n"
        sheet.contents_add(frame.encode(), prepend=True)
    place = Rectangle(left, low, left + width, low + height)
    sheet.add_underlay(page, place)
    return place


@dataclass(slots=True)
class _Layers:
    """Optional content of the originals: a layer that is hidden there must not come to light in the result."""

    result: Pdf
    groups: list[Object] = field(default_factory=list)
    hidden: list[Object] = field(default_factory=list)

    def add(self, original: Pdf) -> None:
        if Name.OCProperties not in original.Root:
            return
        layers = original.Root.OCProperties
        hidden = {group.objgen for group in layers.D.OFF}
        for group in layers.OCGs:
            copy = self.result.copy_foreign(group)
            self.groups.append(copy)
            if group.objgen in hidden:
                self.hidden.append(copy)

    def write(self) -> None:
        if self.groups:
            self.result.Root.OCProperties = originals.layers(self.groups, self.hidden)


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
