"""What rendering says about PDFs: facts about good ones, one clear sentence about others."""

import io
import random
from dataclasses import replace
from pathlib import Path

import pytest
from pikepdf import Dictionary, Name, Pdf, Stream, String
from PIL import Image

import pdfs
from segl.core.errors import InvalidDocument, TooManyPages
from segl.service import rendering
from segl.service.rendering import Inspected, PageContent, PdfFacts
from segl.service.rendering.limits import Limits

TWO_PAGES = pdfs.pdf("The first page", "The second")


def inspect(pdf: bytes) -> PdfFacts:
    return inspected(pdf).facts


def inspected(pdf: bytes) -> Inspected:
    [found] = rendering.inspect({"a.pdf": pdf})
    return found


def contents(pdf: bytes) -> list[PageContent]:
    return rendering.read_contents(inspected(pdf).pages)


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"])
def test_the_facts_of_a_pdf_are_its_version_and_pages(version: str) -> None:
    assert inspect(pdfs.pdf("A", "B", "C", version=version)) == PdfFacts(version, 3, None)


def test_a_claim_to_pdf_a_is_reported(reference: Path) -> None:
    document = (reference / "documents" / "PDF-A-testdokument.pdf").read_bytes()
    assert inspect(document) == PdfFacts("1.7", 1, "2B")


@pytest.mark.parametrize("name", ["PDF-1-2-testdokument.pdf", "PDF-1-4-testdokument.pdf", "PDF-1-5-testdokument.pdf"])
def test_the_official_sample_documents_are_accepted_and_shown(reference: Path, name: str) -> None:
    document = (reference / "documents" / name).read_bytes()
    assert inspect(document).pages == 1
    (page,) = contents(document)
    assert "TESTDOKUMENT" in page.text


@pytest.mark.usefixtures("debian_fonts")
def test_fonts_that_are_not_embedded_are_drawn_where_no_file_can_be_opened() -> None:
    korean = pdfs.not_embedded("계약".encode("utf-16-be"), font="A", encoding="UniKS-UCS2-H", ordering="Korea1")
    for document in (korean, pdfs.cyrillic("ArialMT"), pdfs.field("Łukasz Иван Έλενα")):
        laid_out = inspected(document).laid_out
        picture = Image.open(io.BytesIO(rendering.page_image(laid_out, page=1, width=595))).convert("L")
        assert sum(picture.crop((30, 60, 300, 150)).histogram()[:128]) > 100


def test_text_in_a_font_that_only_its_maker_has_is_refused() -> None:
    with pytest.raises(InvalidDocument, match=r"a\.pdf: Page 1 .* does not name in the font A, .* embed the fonts"):
        inspect(pdfs.not_embedded(b"\0\x24", font="A", encoding="Identity-H"))


def no_pages() -> bytes:
    return pdfs.made(lambda _: None)


def dynamic_form() -> bytes:
    return pdfs.changed(TWO_PAGES, lambda document: document.Root.__setattr__("NeedsRendering", True))


def endless_page_tree() -> bytes:
    return pdfs.changed(TWO_PAGES, lambda document: document.Root.Pages.Kids.append(document.Root.Pages))


def with_content_elsewhere() -> bytes:
    return pdfs.changed(TWO_PAGES, lambda document: document.pages[0].Contents.__setattr__("F", String("other.txt")))


def with_unit(unit: float) -> bytes:
    return pdfs.changed(TWO_PAGES, lambda document: document.pages[1].obj.__setattr__("UserUnit", unit))


def of_size(width: float, height: float) -> bytes:
    return pdfs.changed(TWO_PAGES, lambda document: document.pages[0].__setattr__("mediabox", [0, 0, width, height]))


def version_in_catalog() -> bytes:
    return pdfs.changed(TWO_PAGES, lambda document: document.Root.__setattr__("Version", Name("/2.0")))


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (b"", "is not a PDF"),
        (b"A letter, not a PDF.", "is not a PDF"),
        (b"PK\x03\x04 a ZIP", "is not a PDF"),
        (b"%PDF-1.7\n", "is damaged"),
        (TWO_PAGES[:-200], "is damaged"),
        (TWO_PAGES[: len(TWO_PAGES) // 2], "is damaged"),
        (TWO_PAGES.replace(b"/Type /Pages", b"/Type /Sages").replace(b"/Kids", b"/Bids"), "is damaged"),
        (pdfs.encrypted(user="secret", owner="secret"), "protected by a password"),
        (pdfs.encrypted(user="", owner="secret"), "restricted by its owner"),
        (pdfs.pdf("New", version="2.0"), "version 2.0; only versions 1.1 to 1.7"),
        (pdfs.pdf("Old", version="1.0"), "version 1.0; only versions 1.1 to 1.7"),
        (version_in_catalog(), "version 2.0"),
        (no_pages(), "is damaged"),
        (of_size(14401, 100), "Page 1 of the PDF is 14401 by 100 points"),
        (of_size(100, 2), "Page 1 of the PDF is 100 by 2 points"),
        (with_unit(1000), "Page 2 of the PDF is 595000 by 842000 points"),
        (with_unit(-1), "Page 2 of the PDF is -595 by -842 points"),
        (with_content_elsewhere(), "content from outside itself"),
        (dynamic_form(), "dynamic XFA form"),
        (endless_page_tree(), "is damaged"),
    ],
)
def test_what_cannot_be_signed_is_refused_with_a_sentence(document: bytes, sentence: str) -> None:
    with pytest.raises(InvalidDocument, match=sentence):
        inspect(document)


def test_too_many_pages_are_a_different_error_from_a_wrong_document() -> None:
    with pytest.raises(TooManyPages, match=r"^a\.pdf: The PDF has 2001 pages; at most 2000 can be signed"):
        inspect(pdfs.pdf(*["x"] * 2001))
    with pytest.raises(TooManyPages, match=r"^a\.txt: The text has 200000 lines"):
        rendering.typeset_texts({"a.txt": b"a\n" * 200_000})


def picture(document: bytes, *, page: int = 1, width: int) -> Image.Image:
    return Image.open(io.BytesIO(rendering.page_image(inspected(document).laid_out, page=page, width=width)))


def photo() -> bytes:
    """A page that an image of random colours covers."""

    def fill(document: Pdf) -> None:
        page = document.add_blank_page(page_size=pdfs.A4)
        colours = Stream(document, random.Random(1).randbytes(200 * 200 * 3))
        colours.update({"/Subtype": Name.Image, "/Width": 200, "/Height": 200, "/BitsPerComponent": 8})
        colours.ColorSpace = Name.DeviceRGB
        page.Resources = Dictionary(XObject=Dictionary(X=colours))
        page.Contents = Stream(document, b"595 0 0 842 0 0 cm /X Do")

    return pdfs.made(fill)


def test_a_page_of_text_becomes_a_lossless_picture_of_the_requested_width() -> None:
    image = picture(TWO_PAGES, page=2, width=500)
    assert (image.format, image.size) == ("WEBP", (500, 708))
    assert min(image.convert("L").tobytes()) < 50


def test_a_photo_becomes_a_jpeg() -> None:
    image = picture(photo(), width=500)
    assert (image.format, image.size) == ("JPEG", (500, 708))


@pytest.mark.parametrize(
    ("size", "width", "drawn"),
    [
        ((226, 3000), 480, (480, 6372)),
        ((226, 3000), 1440, (1097, 14562)),  # at most 16,000,000 pixels
        ((10, 10), 1440, (1440, 1440)),
        ((3, 14400), 480, (3, 14398)),  # no side of more than 16,383 pixels
        ((14400, 100), 1440, (1440, 10)),
        ((2384, 3370), 4320, (3364, 4755)),
    ],
)
def test_pages_of_all_sizes_have_pictures(size: tuple[int, int], width: int, drawn: tuple[int, int]) -> None:
    def fill(document: Pdf) -> None:
        page = document.add_blank_page(page_size=size)
        page.Contents = Stream(document, f"1 0 0 rg 0 0 {size[0] / 2} {size[1]} re f".encode())

    found = inspected(pdfs.made(fill))
    [page] = rendering.read_contents(found.pages)
    image = Image.open(io.BytesIO(rendering.page_image(found.laid_out, page=1, width=width))).convert("RGB")
    assert image.size == drawn == rendering.picture_size(page, width=width)
    left, right = (image.getpixel((x, drawn[1] // 2)) for x in (drawn[0] // 4, drawn[0] - 1))
    assert left[0] > 240 > 50 > left[1]
    assert min(right) > 240


def test_a_page_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="There is no page 3; the PDF has 2"):
        rendering.page_image(TWO_PAGES, page=3, width=500)


def test_the_size_and_text_of_each_page_are_reported() -> None:
    pages = contents(TWO_PAGES)
    again = rendering.read_contents(rendering.read_pages(inspected(TWO_PAGES).laid_out))
    assert [replace(page, scale=1) for page in pages] == again
    assert [page.scale for page in pages] == [pytest.approx((841.89 - 46) / 842)] * 2
    assert [page.text for page in pages] == ["The first page", "The second"]
    assert {round(page.width / page.height, 3) for page in pages} == {round(595 / 842, 3)}
    assert [page.height for page in pages] == [pytest.approx(841.89 - 46)] * 2  # what the footer leaves


def test_a_rotated_page_has_the_size_it_is_shown_in() -> None:
    [page] = contents(pdfs.pdf("Text", rotate=90))
    assert page.text == "Text"
    assert page.width / page.height == pytest.approx(842 / 595)


def test_field_values_are_shown_on_the_picture() -> None:
    def hide_fields(document: Pdf) -> None:
        document.pages[0].Annots = Dictionary(A=document.pages[0].Annots).A[1:]

    form = pdfs.active_form()
    drawn = [inspected(each).laid_out for each in (form, pdfs.changed(form, hide_fields))]
    assert rendering.page_image(drawn[0], page=1, width=600) != rendering.page_image(drawn[1], page=1, width=600)


def test_the_documents_of_a_job_are_inspected_together_and_the_wrong_one_named() -> None:
    found = rendering.inspect({"a.pdf": TWO_PAGES, "b.pdf": pdfs.pdf("One")})
    assert [each.facts.pages for each in found] == [2, 1]
    with pytest.raises(InvalidDocument, match=r"^b\.pdf: The document is not a PDF"):
        rendering.inspect({"a.pdf": TWO_PAGES, "b.pdf": b"text"})


def test_a_page_that_takes_too_long_to_draw_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "INSPECTION", replace(rendering.INSPECTION, cpu_seconds=2))
    with pytest.raises(InvalidDocument, match="takes more than 2 seconds of processor time"):
        inspect(pdfs.slow_to_draw())


def test_a_document_of_many_pages_is_drawn_page_by_page() -> None:
    assert inspect(pdfs.made(lambda many: [many.add_blank_page() for _ in range(500)])).pages == 500


def test_plain_texts_share_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    limited: list[tuple[int, int]] = []
    now = [0.0]

    def run(_: str, limits: Limits, **__: object) -> bytes:
        limited.append((limits.cpu_seconds, limits.wall_seconds))
        now[0] += 15
        return b"%PDF"

    monkeypatch.setattr(rendering, "run", run)
    monkeypatch.setattr(rendering, "monotonic", lambda: now[0])
    assert list(rendering.typeset_texts({"a.txt": b"a", "b.txt": b"b"})) == ["a.txt", "b.txt"]
    assert limited == [(14, 28), (7, 13)]
    with pytest.raises(InvalidDocument, match=r"^c\.txt: The plain texts take too long to typeset together"):
        rendering.typeset_texts({f"{name}.txt": b"" for name in "abcd"})
    assert limited[2:] == [(14, 28), (7, 13)]
