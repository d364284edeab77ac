"""The signed PDF before its seal: front page, every page of the originals above a footer, the XAdES attached.

Each original is laid out once, when its job is created (`lay_out`). Signers are shown that laid-out PDF, and the signed
PDF is assembled from it: even content that readers disagree about is sealed as signers saw it.

It parses PDFs from strangers, so the service runs it in a rendering child only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

import pikepdf
from pikepdf import Array, Dictionary, Matrix, Name, Object, OutlineItem, Page, Pdf, Rectangle, Stream

from segl.core.errors import InvalidDocument
from segl.core.pades import front_page as typesetting
from segl.core.pades import navigation, originals, tags
from segl.core.pades.navigation import Targets
from segl.core.pades.places import Place, Places
from segl.core.pades.values import Attachment, FrontPage, FrontPageDocument

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
        merging = _Merging(result)
        for content, described in zip(documents, front_page.documents, strict=True):
            try:
                merging.add(content, described)
            except InvalidDocument as error:
                raise InvalidDocument(f"«{described.title}»: {error}") from error
        sheets = list(result.pages)[-len(blank) :]
        for sheet, footer in zip(sheets, blank, strict=True):
            sheet.add_overlay(footer, Rectangle(0, 0, *PAGE_SIZE))
            result.pages.remove(footer)
        merging.write()
        _attach(result, attachments, front_page)
        return _saved(result)


def lay_out(original: Pdf) -> bytes:
    """A PDF of A4 portrait sheets with the pages of an opened original as they lie in the signed PDF.

    Pages larger than the room above the footer are scaled down. A sheet's art box is where its page lies; signers are
    shown pictures cut to it, since a crop box would let PDFium draw some content differently.
    """
    with Pdf.new() as result, originals.reading():
        tags.forget_keys(original)
        drawn = [_lay_on_sheet(result, page) for page in original.pages]
        places = Places(original, result, [place for place, _ in drawn])
        layers = _Layers(result)
        layers.add(original)
        layers.write()
        targets = Targets(places)
        links = navigation.carry_links(places, targets)
        navigation.write_outline(result, navigation.outline(places, targets))
        navigation.write_page_labels(result, navigation.page_labels(places))
        elements = tags.copied(places, links, Name.Document)
        if elements is not None:
            tags.add(elements, result)
        for place, drawing in drawn:
            # Without tags of its own, a sheet can be one paragraph among tagged ones.
            content = _marked(drawing) if elements is None else drawing
            place.sheet.obj.Contents = Stream(result, content + _frame(place.box))
        return _saved(result)


def _lay_on_sheet(result: Pdf, page: Page) -> tuple[Place, bytes]:
    """A new sheet where a page lies above the footer, centred; its place, and the operators that draw it there."""
    sheet = result.add_blank_page(page_size=PAGE_SIZE)
    width, height = originals.shown_size(page)
    scale = min(1, ROOM.width / width, ROOM.height / height)
    width, height = width * scale, height * scale
    left, low = (ROOM.llx + ROOM.urx - width) / 2, (ROOM.lly + ROOM.ury - height) / 2
    box = Rectangle(left, low, left + width, low + height)
    sheet.artbox = box.as_array()
    form = result.copy_foreign(page.as_form_xobject())
    drawing = sheet.calc_form_xobject_placement(form, sheet.add_resource(form, Name.XObject), box, allow_expand=True)
    *_, numbers = (line for line in drawing.splitlines() if line.endswith(b" cm"))
    on_sheet = Matrix(form.get(Name.Matrix, Array([1, 0, 0, 1, 0, 0]))) @ Matrix(*map(float, numbers.split()[:6]))
    return Place(sheet, box, on_sheet, form), drawing


def _frame(box: Rectangle) -> bytes:
    """A mark of where a page ends that does not fill its sheet; around it, so that it covers nothing."""
    if min(box.width / ROOM.width, box.height / ROOM.height) >= FILLED:
        return b""
    around = f"{box.llx - 0.25:.2f} {box.lly - 0.25:.2f} {box.width + 0.5:.2f} {box.height + 0.5:.2f}"
    return f"/Artifact BMC q 0.5 w {FRAME_COLOUR} RG {around} re S Q EMC\n".encode()


def _own_place(sheet: Page) -> Place:
    """Where a sheet that was copied lies: all is where it was."""
    return Place(sheet, Rectangle(sheet.artbox), form=next(iter(sheet.form_xobjects.values()), None))


def _marked(drawing: bytes) -> bytes:
    return b"/P <</MCID 0>> BDC\n" + drawing + b"EMC\n"


class _Merging:
    """Laid-out documents that are added to the front page: sheets, layers, links, bookmarks, page labels and tags."""

    def __init__(self, result: Pdf) -> None:
        self.result = result
        self.layers = _Layers(result)
        self.parts: list[tuple[Places, str, Object | None]] = []
        self.bookmarks: list[OutlineItem] = []
        self.labels: list[dict[int, Dictionary]] = []

    def add(self, content: bytes | memoryview, described: FrontPageDocument) -> None:
        """Append the sheets of a laid-out document."""
        with originals.reading(), Pdf.open(BytesIO(content)) as laid_out:
            if len(laid_out.pages) != described.pages:
                raise InvalidDocument(
                    f"A document has {len(laid_out.pages)} pages, but was accepted with {described.pages}."
                )
            self.result.pages.extend(laid_out.pages)
            self.layers.add(laid_out)
            sheets = list(self.result.pages)[-described.pages :]
            places = Places(laid_out, self.result, [_own_place(sheet) for sheet in sheets])
            targets = Targets(places)
            links = navigation.carry_links(places, targets)
            bookmark = OutlineItem(described.title, destination=Array([sheets[0].obj, Name.Fit]))
            bookmark.children = navigation.outline(places, targets)
            bookmark.is_closed = True
            self.bookmarks.append(bookmark)
            self.labels.append(navigation.page_labels(places))
            part = tags.copied(places, links, Name.Part, described.title, f"{len(self.parts)}.")
            self.parts.append((places, described.title, part))

    def write(self) -> None:
        """Complete what is about the whole document, when its pages are all there."""
        self.layers.write()
        self.result.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
        navigation.write_outline(self.result, self.bookmarks)
        self._write_labels()
        if all(part is None for *_, part in self.parts):
            # A tag tree that covers the front page alone would hide the originals from screen readers.
            tags.forget(self.result)
            return
        for places, title, part in self.parts:
            tags.add(tags.covered(places, title) if part is None else part, self.result)

    def _write_labels(self) -> None:
        """If a document has page labels, the other pages are labelled with their numbers in the footer."""
        if not any(self.labels):
            return
        at = len(self.result.pages) - sum(len(places.all) for places, *_ in self.parts)
        ranges = {0: Dictionary(S=Name.D)}
        for labels, (places, *_) in zip(self.labels, self.parts, strict=True):
            own = labels or {0: Dictionary(S=Name.D, St=at + 1)}
            ranges |= {at + index: label for index, label in own.items()}
            at += len(places.all)
        navigation.write_page_labels(self.result, ranges)


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
