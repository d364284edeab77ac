"""What signers are shown is what is sealed, however odd the original, and no original stays half-opened."""

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String
from PIL import Image, ImageChops

import pdfs
from segl.core.errors import InvalidDocument
from segl.core.pades import originals
from segl.core.pades.assembly import PAGE_SIZE, assemble, lay_out
from segl.core.pades.values import FrontPage

FrontPages = Callable[..., FrontPage]
Change = Callable[[Pdf], None]
SCALE = 2.0
HIDDEN, NO_ROTATE, NO_VIEW, PRINT = 2, 16, 32, 4


def annotated(**annotation: object) -> Change:
    """Adds a filled square with these entries; it has no appearance of its own unless one is given."""

    def add(document: Pdf) -> None:
        made = {"Type": Name.Annot, "Subtype": Name.Square, "Rect": [100, 500, 300, 600], "IC": [1, 0, 0], **annotation}
        document.pages[0].Annots = Array([document.make_indirect(Dictionary(**made))])

    return add


def with_appearance(**annotation: object) -> Change:
    """As `annotated`, with an appearance that is half covered by black."""

    def add(document: Pdf) -> None:
        annotated(**annotation)(document)
        picture = Stream(document, b"0 0 100 100 re f", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 200, 100])
        document.pages[0].Annots[0].AP = Dictionary(N=picture)

    return add


def with_field(value: str, **form: object) -> Change:
    """A text field whose stored appearance says something else than its value."""

    def add(document: Pdf) -> None:
        stale = Stream(document, b"q BT /F 12 Tf 2 5 Td (Stale) Tj ET Q")
        stale.update({"/Type": Name.XObject, "/Subtype": Name.Form, "/BBox": Array([0, 0, 200, 20])})
        stale.Resources = Dictionary(Font=Dictionary(F=pdfs.helvetica(document)))
        field = Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, F=PRINT, T=String("field"))
        field.update({"/V": String(value), "/DA": String("/F 12 Tf 0 g"), "/Rect": Array([100, 500, 300, 520])})
        field.AP = Dictionary(N=stale)
        document.pages[0].Annots = Array([document.make_indirect(field)])
        fonts = Dictionary(Font=Dictionary(F=pdfs.helvetica(document)))
        document.Root.AcroForm = Dictionary(Fields=document.pages[0].Annots, DR=fonts, **form)

    return add


def layered(*listed: str, usage: Dictionary | None = None, base: Name | None = None, **group: object) -> Change:
    """A layer with a black square, which the configuration lists under these keys (`ON`, `OFF`)."""

    def add(document: Pdf) -> None:
        layer = document.make_indirect(Dictionary(Type=Name.OCG, Name=String("Layer"), **group))
        if usage is not None:
            layer.Usage = usage
        page = document.pages[0]
        page.Resources.Properties = Dictionary(L=layer)
        page.contents_add(b"/OC /L BDC 100 500 100 100 re f EMC")
        config = Dictionary({f"/{key}": Array([layer]) for key in listed})
        if base is not None:
            config.BaseState = base
        document.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=config)

    return add


def boxed(**boxes: object) -> Change:
    def add(document: Pdf) -> None:
        for name, box in boxes.items():
            document.pages[0].obj[f"/{name}"] = Array(box) if isinstance(box, list) else box  # type: ignore[assignment]

    return add


def contents(*items: bytes | None) -> Change:
    """The page's content as an array with what does not belong there."""

    def add(document: Pdf) -> None:
        parts = [None if each is None else Stream(document, each) for each in items]
        document.pages[0].Contents = Array(parts)

    return add


def set_content(document: Pdf, content: bytes) -> None:
    document.pages[0].Contents = Stream(document, content)


def borrowing(document: Pdf) -> None:
    """Draws with a font that the page does not have, by the name that the sheet's own font has."""
    document.pages[0].Resources = Dictionary()
    set_content(document, b"BT /f0 60 Tf 50 500 Td <0003000400050006> Tj (Borrowed) Tj ET")


def rotated(change: Change, degrees: int) -> Change:
    def add(document: Pdf) -> None:
        change(document)
        document.pages[0].obj.Rotate = degrees

    return add


ODD: dict[str, Change] = {
    "plain": lambda document: None,
    "an annotation without appearance": annotated(F=PRINT),
    "one that is not printed": annotated(F=0),
    "one that is not viewed": annotated(F=PRINT | NO_VIEW),
    "one that is hidden": annotated(F=HIDDEN),
    "one with appearance": with_appearance(F=PRINT),
    "one with appearance, not printed": with_appearance(F=0),
    "one with appearance, not viewed": with_appearance(F=PRINT | NO_VIEW),
    "one with appearance, hidden": with_appearance(F=PRINT | HIDDEN),
    "one that does not turn with its page": rotated(with_appearance(F=PRINT | NO_ROTATE), 90),
    "one of no size": with_appearance(F=PRINT, Rect=[0, 0, 0, 0]),
    "a highlight": annotated(
        Subtype=Name.Highlight, C=[1, 1, 0], F=PRINT, QuadPoints=[100, 600, 300, 600, 100, 500, 300, 500]
    ),
    "ink": annotated(Subtype=Name.Ink, C=[0, 0, 1], F=PRINT, InkList=[[100, 500, 200, 600, 300, 500]]),
    "free text": annotated(Subtype=Name.FreeText, F=PRINT, Contents=String("Free"), DA=String("/Helv 12 Tf 0 g")),
    "a field with a stale appearance": with_field("Blåbær"),
    "a field whose appearance is to be made": with_field("Blåbær", NeedAppearances=True),
    "a hidden layer": layered("OFF"),
    "a layer of those that are all hidden": layered(base=Name.OFF),
    "a layer shown among hidden ones": layered("ON", base=Name.OFF),
    "a layer not for screens": layered("OFF", usage=Dictionary(View=Dictionary(ViewState=Name.OFF))),
    "a layer of another intent": layered("OFF", Intent=Name.Design),
    "a crop box": boxed(CropBox=[50, 450, 400, 830]),
    "a crop box outside": boxed(CropBox=[1000, 1000, 1100, 1100]),
    "a crop box beyond the page": boxed(CropBox=[-100, -100, 400, 2000]),
    "a trim box": boxed(TrimBox=[100, 100, 200, 200]),
    "a box upside down": boxed(MediaBox=[595, 842, 0, 0]),
    "rotated": rotated(with_appearance(F=PRINT), 270),
    "rotated by no right angle": rotated(with_appearance(F=PRINT), 45),
    "a unit of its own": boxed(UserUnit=0.5),
    "a font that only the sheet has": borrowing,
    "text outside of a text object": lambda document: set_content(document, b"/F 14 Tf 20 802 Td (Text) Tj"),
    "content with holes": contents(b"100 500 100", None, b"100 re f"),
}


def shown_pages(content: bytes) -> bytes:
    with originals.opened(content) as original:
        return lay_out(original)


def odd(name: str) -> bytes:
    return pdfs.changed(pdfs.pdf("A page like any other"), ODD[name])


@pytest.mark.parametrize("name", ODD)
def test_the_signers_see_what_is_sealed(front_page: FrontPages, name: str) -> None:
    shown = shown_pages(odd(name))
    sealed = assemble(documents=[shown], front_page=front_page(1), attachments=[])

    assert_same(seen(shown), seen_in(sealed, shown))


# Programs differ in what they do without the font: PDFium takes one of its own, poppler none.
@pytest.mark.parametrize("name", sorted(ODD.keys() - {"a font that only the sheet has"}))
def test_another_program_shows_the_same(front_page: FrontPages, tmp_path: Path, name: str) -> None:
    if shutil.which("pdftoppm") is None:
        pytest.skip("pdftoppm (poppler-utils) is not installed")
    shown = shown_pages(odd(name))
    sealed = assemble(documents=[shown], front_page=front_page(1), attachments=[])
    (tmp_path / "sealed.pdf").write_bytes(sealed)

    command = ["pdftoppm", "-r", f"{72 * SCALE}", "-f", "2", "-l", "2", "-singlefile", "-png", "sealed.pdf", "page"]
    subprocess.run(command, cwd=tmp_path, check=True)
    page = Image.open(tmp_path / "page.png").convert("RGB")

    assert_same(seen(shown), page.crop(place(shown)))


def place(shown: bytes) -> tuple[int, int, int, int]:
    """Where the page lies on its sheet, in pixels: left, top, right, bottom."""
    with Pdf.open(BytesIO(shown)) as document:
        left, low, right, high = (float(each) for each in document.pages[0].artbox)
    top, bottom = PAGE_SIZE[1] - high, PAGE_SIZE[1] - low
    return round(left * SCALE), round(top * SCALE), round(right * SCALE), round(bottom * SCALE)


def seen(shown: bytes) -> Image.Image:
    with pypdfium2.PdfDocument(shown) as document:
        return document[0].render(scale=SCALE).to_pil().convert("RGB").crop(place(shown))


def seen_in(sealed: bytes, shown: bytes) -> Image.Image:
    with pypdfium2.PdfDocument(sealed) as document:
        return document[1].render(scale=SCALE).to_pil().convert("RGB").crop(place(shown))


def assert_same(one: Image.Image, other: Image.Image) -> None:
    """Alike but for the edges of letters, and for the hairline around a page that does not fill its sheet."""
    assert abs(one.width - other.width) <= 2, (one.size, other.size)
    assert abs(one.height - other.height) <= 2, (one.size, other.size)
    small = (one.width // 8, one.height // 8)
    difference = ImageChops.difference(
        one.resize(small, Image.Resampling.BOX), other.resize(small, Image.Resampling.BOX)
    ).crop((1, 1, small[0] - 1, small[1] - 1))
    most = max(band[1] for band in difference.getextrema())
    assert most < 70, f"differs by {most} of 255 at {difference.getbbox()}"


@pytest.mark.parametrize(
    ("name", "is_seen"),
    [
        ("an annotation without appearance", True),
        ("one that is not printed", True),
        ("one that is not viewed", False),
        ("one with appearance, not printed", True),
        ("one with appearance, not viewed", False),
        ("one with appearance, hidden", False),
        ("a hidden layer", False),
        ("a layer of those that are all hidden", False),
        ("a layer shown among hidden ones", True),
        ("a layer not for screens", False),
        ("a layer of another intent", True),
    ],
)
def test_what_a_reader_shows_on_a_screen_is_seen(name: str, is_seen: bool) -> None:
    picture = seen(shown_pages(odd(name)))
    red, green, _ = picture.getpixel((picture.width * 150 // 595, picture.height * (842 - 550) // 842))
    assert (green < 100) is is_seen, (red, green)


def test_a_value_that_is_to_be_shown_is_text_of_the_page() -> None:
    with pypdfium2.PdfDocument(shown_pages(odd("a field whose appearance is to be made"))) as document:
        text = document[0].get_textpage().get_text_bounded()
    assert "Blåbær" in text
    assert "Stale" not in text


def test_a_page_that_unpacks_to_gigabytes_is_refused() -> None:
    def bomb(document: Pdf) -> None:
        spaces = pikepdf.Stream(document, b" " * (originals.MOST_CONTENT + 1))
        document.pages[0].Contents = spaces

    small = pdfs.changed(pdfs.pdf(""), bomb, compress_streams=True, recompress_flate=True)
    assert len(small) < 1_000_000
    with pytest.raises(InvalidDocument, match="unpack to more than"):
        shown_pages(small)


@pytest.mark.parametrize(("listed", "state"), [((), Name.OFF), (("OFF",), Name.ON)])
def test_a_layer_that_only_some_readers_show_is_refused(listed: tuple[str, ...], state: Name) -> None:
    change = layered(*listed, usage=Dictionary(View=Dictionary(ViewState=state)))
    with pytest.raises(InvalidDocument, match="The layer «Layer» of the PDF is shown by some readers"):
        shown_pages(pdfs.changed(pdfs.pdf("A page"), change))


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer <</Root 1 0 R>>"])
def test_what_cannot_be_read_is_damaged(content: bytes) -> None:
    with pytest.raises(InvalidDocument, match="damaged"):
        shown_pages(content)
