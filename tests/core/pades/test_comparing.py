"""What a PDF reader shows of an original is in the document as laid out, or the document is refused."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String
from PIL import Image, ImageChops

import pdfs
from segl.core.errors import InvalidDocument
from segl.core.pades import comparing, originals
from segl.core.pades.assembly import PAGE_SIZE, lay_out

Change = Callable[[Pdf], None]

REFUSED = {
    "font_object_without_end": "is damaged in its object 5",
    "line_without_appearance": r"annotation on page 1 of the PDF \(Line\) has no appearance",
    "polyline_without_appearance": r"annotation on page 1 of the PDF \(PolyLine\) has no appearance",
    "portfolio": "is a portfolio",
    "text_field_norwegian_polish_cyrillic": "value of the field «f(380|460)» on page 1",
}
NOT_OPENED = {"owner_password_only", "user_password", "slow_to_draw"}
"""Which the service refuses before or while they are laid out."""


def laid_out(content: bytes) -> bytes:
    with originals.opened(content) as original:
        return lay_out(original)


def accept(content: bytes) -> None:
    comparing.compare(content, laid_out(content))


def test_small_inputs_are_accepted_or_refused_with_the_reason(reference: Path) -> None:
    inputs = {each.stem: each for each in (reference.parent / "cases" / "pdf").glob("*.pdf")}
    if not inputs:
        pytest.skip("there is no folder with small PDFs beside SIGNATURE_API_REFERENCE")
    for name in sorted(inputs.keys() - NOT_OPENED):
        if name in REFUSED:
            with pytest.raises(InvalidDocument, match=REFUSED[name]):
                accept(inputs[name].read_bytes())
        else:
            accept(inputs[name].read_bytes())


def dense(*lost: tuple[int, int], grey: float = 0) -> bytes:
    """A page with 3,000 letters of 8 points, some lost: their line and where they are in it."""
    some = random.Random(14)
    characters = "abcdefghijklmnopqrstuvwxyz0123456789.,-"

    def fill(document: Pdf) -> None:
        lines = ["".join(some.choices(characters, k=50)) for _ in range(60)]
        page = document.add_blank_page(page_size=pdfs.A4)
        page.Resources = Dictionary(Font=Dictionary(F=courier(document)))
        for line, place in lost:
            lines[line] = lines[line][:place] + " " + lines[line][place + 1 :]
        content = " ".join(f"({line}) Tj 0 -12 Td" for line in lines)
        page.Contents = Stream(document, f"{grey} g BT /F 8 Tf 40 800 Td {content} ET".encode())

    return pdfs.made(fill)


def courier(document: Pdf) -> Dictionary:
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Courier, Encoding=Name.WinAnsiEncoding)
    return document.make_indirect(font)  # type: ignore[return-value]  # it is one


def test_a_page_of_many_letters_is_accepted() -> None:
    accept(dense())


# Every letter is lost somewhere; that of a picture, which has no text, must be seen to be lost as well.
@pytest.mark.parametrize("has_text", [True, False])
def test_one_letter_lost_on_a_page_of_3000_is_refused(monkeypatch: pytest.MonkeyPatch, has_text: bool) -> None:
    if not has_text:
        monkeypatch.setattr(comparing, "_has_its_text", lambda page, sheet: True)
    whole = dense()
    for line, place in zip(range(0, 60, 12 if has_text else 2), range(7, 47), strict=False):
        with pytest.raises(InvalidDocument, match=r"^Page 1 of the PDF would not look .* print it to a new PDF"):
            comparing.compare(whole, laid_out(dense((line, place))))


def test_one_pale_letter_lost_is_refused() -> None:
    with pytest.raises(InvalidDocument, match=r"^Page 1 "):
        comparing.compare(dense(grey=0.5), laid_out(dense((30, 25), grey=0.5)))


def drawing(content: bytes) -> Change:
    return lambda document: document.pages[-1].contents_add(content)


@pytest.mark.parametrize(
    "added",
    [
        b"0.9 g 100 300 200 12 re f",
        b"1 1 0 rg 100 300 200 12 re f",
        b"0.5 w 100 300 m 300 300 l S",
        b"100 300 1 1 re f",
        b"BT /F 8 Tf 100 300 Td (.) Tj ET",
    ],
)
def test_what_only_one_of_the_two_shows_is_refused(added: bytes) -> None:
    one = pdfs.pdf("A page", "Another")
    other = pdfs.changed(one, drawing(added))
    for original, shown in ((one, other), (other, one)):
        with pytest.raises(InvalidDocument, match=r"^Page 2 of the PDF would not look"):
            comparing.compare(original, laid_out(shown))


def test_a_line_that_has_moved_is_refused() -> None:
    before, after = (pdfs.changed(pdfs.pdf(""), drawing(b"0.5 w 100 %d m 300 %d l S" % (y, y))) for y in (300, 303))
    with pytest.raises(InvalidDocument, match=r"^Page 1 "):
        comparing.compare(before, laid_out(after))


def test_a_page_that_is_missing_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="damaged"):
        comparing.compare(pdfs.pdf("One", "Two"), laid_out(pdfs.pdf("One")))


@pytest.mark.parametrize("size", [(10, 10), (226, 3000), (2384, 3370), (14400, 14400), (14400, 3)])
def test_pages_of_any_size_are_compared(size: tuple[float, float]) -> None:
    accept(pdfs.pdf("A page", size=size))


def many_streams() -> bytes:
    """A page of two streams, an image, a form, a field and a mark on the text; a stream of each kind."""

    def fill(document: Pdf) -> None:
        page = document.add_blank_page(page_size=(300, 300))
        resources = Dictionary(Font=Dictionary(F=pdfs.helvetica(document)))
        image = Stream(
            document, bytes(range(0, 240, 5)) * 3, Type=Name.XObject, Subtype=Name.Image, Width=12, Height=12
        )
        image.update({"/ColorSpace": Name.DeviceGray, "/BitsPerComponent": 8})
        form = Stream(document, b"BT /F 12 Tf 0 5 Td (Terms of sale) Tj ET", Type=Name.XObject, Subtype=Name.Form)
        form.BBox, form.Resources = Array([0, 0, 200, 20]), resources
        value = Stream(document, b"BT /F 12 Tf 0 5 Td (Kari Nordmann) Tj ET", Type=Name.XObject, Subtype=Name.Form)
        value.BBox, value.Resources = Array([0, 0, 200, 20]), resources
        field = Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, F=4, Rect=[20, 100, 220, 120])
        field.T, field.V, field.AP = String("name"), String("Kari Nordmann"), Dictionary(N=value)
        page.Annots = Array([document.make_indirect(field)])
        document.Root.AcroForm = Dictionary(Fields=page.Annots)
        page.Resources = Dictionary(**resources, XObject=Dictionary(I=image, T=form))
        clauses = [b"q 90 0 0 90 200 180 cm /I Do Q /T Do", b"BT /F 12 Tf 20 250 Td (The price is 100 000) Tj ET"]
        page.Contents = Array([Stream(document, each) for each in clauses])

    return pdfs.made(fill, compress_streams=False)


def damaged() -> list[bytes]:
    """The PDF with each of its streams damaged in many ways, one at a time."""
    whole = many_streams()
    found = []
    for match in re.finditer(rb"(\d+) 0 obj\n<<.*?>>\nstream\n(.*?)endstream", whole, re.DOTALL):
        stream = match.group()
        length = re.search(rb"/Length (\d+)", stream)
        assert length is not None
        size = int(length[1])
        lengths = [b"/Length %d" % wrong for wrong in (0, size - 3, size + 3, size + 200)]
        wrong = [stream.replace(length[0], each) for each in (*lengths, b"/Length 99 0 R")]
        wrong += [stream.replace(b"endstream", b""), stream.replace(b" obj", b" jbo", 1)]
        wrong += [stream.replace(match[2], match[2][: size // 2])]
        found += [whole.replace(stream, each) for each in wrong]
        found.append(whole.replace(b" %s 0 R" % match[1], b" 77 0 R"))
    return found


def test_a_document_with_one_damaged_stream_is_refused_or_shown_as_readers_show_it() -> None:
    accept(many_streams())
    accepted = 0
    for content in damaged():
        try:
            shown = laid_out(content)
            comparing.compare(content, shown)
        except InvalidDocument:
            continue
        accepted += 1
        before, after = on_a_page_and_its_sheet(content, shown)
        small = (before.width // 6, before.height // 6)
        reduced = (each.resize(small, Image.Resampling.BOX) for each in (before, after))
        assert max(most for _, most in ImageChops.difference(*reduced).getextrema()) < 40
    assert len(damaged()) // 4 < accepted < len(damaged())


def on_a_page_and_its_sheet(content: bytes, shown: bytes) -> tuple[Image.Image, Image.Image]:
    with pypdfium2.PdfDocument(content) as original, pypdfium2.PdfDocument(shown) as document:
        original.init_forms()
        page = original[0].render(scale=1).to_pil().convert("RGB")
        sheet = document[0].render(scale=2).to_pil().convert("RGB")
        left, low, right, high = document[0].get_artbox()
        box = tuple(round(2 * each) for each in (left, PAGE_SIZE[1] - high, right, PAGE_SIZE[1] - low))
        return page, sheet.crop(box).resize(page.size)  # type: ignore[arg-type]  # four numbers


def annotated(**annotation: object) -> bytes:
    """A page with an annotation, which has no appearance unless one is given, and with a form if it is a field."""

    def add(document: Pdf) -> None:
        made = {"Type": Name.Annot, "F": 4, "Rect": [100, 500, 300, 600], **annotation}
        document.pages[0].Annots = Array([document.make_indirect(Dictionary(**made))])
        if annotation.get("Subtype") == Name.Widget:
            fonts = Dictionary(Font=Dictionary(Helv=pdfs.helvetica(document)))
            document.Root.AcroForm = Dictionary(Fields=document.pages[0].Annots, DR=fonts)

    return pdfs.changed(pdfs.pdf("A page"), add)


FREE = {"Subtype": Name.FreeText, "DA": String("/Helv 12 Tf 0 g")}
VALUE = {"Subtype": Name.Widget, "FT": Name.Tx, "T": String("name"), "DA": String("/Helv 12 Tf 0 g")}


@pytest.mark.parametrize(
    "annotation",
    [
        {"Subtype": Name.Square, "C": [1, 0, 0], "AP": Dictionary()},
        {"Subtype": Name.Highlight, "C": [1, 1, 0], "QuadPoints": [110, 580, 200, 580, 110, 560, 200, 560]},
        {"Subtype": Name.StrikeOut, "C": [1, 0, 0], "QuadPoints": [110, 580, 200, 580, 110, 560, 200, 560]},
        {"Subtype": Name.Ink, "C": [0, 0, 1], "InkList": [[110, 510, 200, 590, 290, 510]]},
        {**FREE, "Contents": String("Blåbær")},
        {**VALUE, "V": String("Blåbær")},
        {"Subtype": Name.Line, "L": [100, 500, 300, 600], "F": 2},
    ],
)
def test_annotations_without_appearance_look_as_a_reader_draws_them(annotation: dict[str, object]) -> None:
    accept(annotated(**annotation))


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [
        ({"Subtype": Name.Line, "L": [100, 500, 300, 600]}, r"page 1 of the PDF \(Line\) has no appearance"),
        ({"Subtype": Name.Stamp, "Name": Name.Approved}, r"\(Stamp\) has no appearance"),
        ({**FREE, "Contents": String("Łukasz")}, "The text of an annotation on page 1 of the PDF has letters"),
        ({**VALUE, "V": String("李小龍")}, "The value of the field «name» on page 1 of the PDF has letters"),
    ],
)
def test_annotations_that_readers_draw_differently_are_refused(annotation: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidDocument, match=sentence):
        accept(annotated(**annotation))


@pytest.mark.parametrize(
    ("annotation", "states", "problem"),
    [
        ({"Subtype": Name.Stamp}, ["X"], r"\(Stamp\) has appearances, but none for its state"),
        ({"Subtype": Name.Stamp, "AS": Name.Y}, ["X"], r"\(Stamp\) has appearances, but none for its state"),
        ({"Subtype": Name.Popup}, [], r"\(Popup\) has an appearance, but is of a kind without one"),
        ({}, [], r"\(None\) has an appearance, but is of a kind without one"),
    ],
)
def test_an_appearance_that_only_some_readers_draw_is_refused(
    annotation: dict[str, object], states: list[str], problem: str
) -> None:
    def draw(document: Pdf) -> None:
        drawn = document.make_indirect(Stream(document, b"0 0 100 50 re f"))
        drawn.Type, drawn.Subtype, drawn.BBox = Name.XObject, Name.Form, Array([0, 0, 100, 50])
        normal = Dictionary({f"/{state}": drawn for state in states}) if states else drawn
        document.pages[0].Annots[0].AP = Dictionary(N=normal)

    with pytest.raises(InvalidDocument, match=problem):
        accept(pdfs.changed(annotated(**annotation), draw))


@pytest.mark.parametrize("border", [{"Border": [0, 0, 9]}, {"BS": Dictionary(W=9)}, {"Rect": [100, 500, 300, 501]}])
def test_a_link_whose_border_may_hide_something_is_refused(border: dict[str, object]) -> None:
    with pytest.raises(InvalidDocument, match=r"\(Link\) has a border that may hide something"):
        accept(annotated(Subtype=Name.Link, **border))


@pytest.mark.parametrize("border", [{}, {"Border": [0, 0, 0], "Rect": [100, 500, 300, 501]}])
def test_a_link_with_a_usual_border_is_accepted(border: dict[str, object]) -> None:
    accept(annotated(Subtype=Name.Link, **border))


def test_a_large_page_whose_text_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be looked at closely."""
    monkeypatch.setattr(comparing, "_has_its_text", lambda *_: False)
    accept(pdfs.pdf("A page"))
    with pytest.raises(InvalidDocument, match="Page 1 of the PDF would not look"):
        accept(pdfs.pdf("A large page", size=(10_000, 10_000)))


@pytest.mark.parametrize("state", [Name.Yes, Name.Off])
def test_a_box_to_tick_is_ticked_as_a_reader_shows_it(state: Name) -> None:
    accept(box_to_tick(AS=state))


def test_a_box_to_tick_that_does_not_say_its_state_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="would not look"):
        accept(box_to_tick())


def box_to_tick(**state: Name) -> bytes:
    def tick(document: Pdf) -> None:
        picture = Stream(document, b"2 w 0 0 m 200 100 l S", Resources=Dictionary())  # without a box
        document.pages[0].Annots[0].AP = Dictionary(N=Dictionary(Yes=document.make_indirect(picture)))

    return pdfs.changed(
        annotated(Subtype=Name.Widget, FT=Name.Btn, T=String("agreed"), V=Name.Yes, **state),
        tick,
    )
