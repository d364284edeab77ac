"""The signed PDF before its seal: what the originals show survives, what they do does not."""

from collections.abc import Callable
from io import BytesIO

import pikepdf
import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream

import pdfs
from segl.core.errors import InvalidDocument
from segl.core.pades import Attachment, FrontPage, assemble, originals
from segl.core.pades.assembly import lay_out
from segl.core.pades.originals import shown_size

FrontPages = Callable[..., FrontPage]
XADES = Attachment("signatur-1.xml", "application/xml", "Signatur av Kari Nordmann", b"<signature/>")


def laid_out(content: bytes) -> bytes:
    with originals.opened(content) as original:
        return lay_out(original)


def assembled(front_page: FrontPage, *documents: bytes, attachments: tuple[Attachment, ...] = ()) -> Pdf:
    sheets = [laid_out(each) for each in documents]
    return pikepdf.open(BytesIO(assemble(documents=sheets, front_page=front_page, attachments=attachments)))


def text_of(pdf: Pdf, number: int) -> str:
    saved = BytesIO()
    pdf.save(saved)
    with pypdfium2.PdfDocument(saved.getvalue()) as document:
        return str(document[number].get_textpage().get_text_bounded())


def ink(pdf: Pdf, number: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what is drawn above the footer, as parts of the page's width and height."""
    saved = BytesIO()
    pdf.save(saved)
    with pypdfium2.PdfDocument(saved.getvalue()) as document:
        picture = document[number].render(scale=1).to_pil().convert("L")
    above_footer = picture.crop((0, 0, picture.width, picture.height - 50))
    box = above_footer.point(lambda value: 255 * (value < 100)).getbbox()
    assert box
    return box[0] / picture.width, box[1] / picture.height, box[2] / picture.width, box[3] / picture.height


def test_every_page_is_a4_portrait_and_says_what_the_original_said(front_page: FrontPages) -> None:
    with assembled(front_page(2, 1), pdfs.pdf("First", "Second"), pdfs.pdf("Third", size=(1191, 842))) as result:
        assert [[round(float(side)) for side in page.mediabox] for page in result.pages] == [[0, 0, 595, 842]] * 4
        for number, text in enumerate(("First", "Second", "Third"), 1):
            assert text in text_of(result, number)
            assert f"side {number + 1} av 4" in text_of(result, number)


def test_the_result_is_sound_pdf_1_7(front_page: FrontPages) -> None:
    with assembled(front_page(1), pdfs.pdf("A 1.2 original", version="1.2")) as result:
        assert result.pdf_version == "1.7"
        assert result.check_pdf_syntax() == []


@pytest.mark.parametrize(
    ("rotate", "size", "corner"),
    [
        (0, (595, 842), "upper left"),
        (90, (595, 842), "upper right"),
        (180, (595, 842), "lower right"),
        (270, (842, 595), "lower left"),
    ],
)
def test_a_rotated_page_lies_as_readers_show_it(
    front_page: FrontPages, rotate: int, size: tuple[float, float], corner: str
) -> None:
    with assembled(front_page(1), pdfs.pdf("Text", rotate=rotate, size=size)) as result:
        left, top, right, bottom = ink(result, 1)
    assert f"{'upper' if top + bottom < 0.95 else 'lower'} {'left' if left + right < 1 else 'right'}" == corner


def test_what_the_crop_box_hides_stays_hidden_and_a_trim_box_hides_nothing(front_page: FrontPages) -> None:
    def crop(document: Pdf) -> None:
        document.pages[0].cropbox = Array([0, 0, 595, 780])
        document.pages[1].trimbox = Array([0, 0, 595, 780])

    with assembled(front_page(2), pdfs.changed(pdfs.pdf("Hidden", "Seen"), crop)) as result:
        saved = BytesIO()
        result.save(saved)
        with pypdfium2.PdfDocument(saved.getvalue()) as document:
            dark = [
                min(page.render(scale=1).to_pil().convert("L").crop((0, 0, 595, 200)).tobytes()) < 100
                for page in list(document)[1:]
            ]
    assert dark == [False, True]


def test_fields_and_notes_stay_visible_but_nothing_active_survives(front_page: FrontPages) -> None:
    with assembled(front_page(1), pdfs.active_form(), attachments=(XADES,)) as result:
        text = text_of(result, 1)
        assert "Blåbærskogen er rød" in text
        assert "Slutt" in text
        assert ink(result, 1)[2] > 0.6  # the red square, right of the field
        everything = b"".join(each.unparse(resolved=False) for each in result.objects)
        assert list(result.attachments) == ["signatur-1.xml"]
        assert not any(Name.Annots in page for page in result.pages)
        assert Name.AcroForm not in result.Root
    for word in (b"/JavaScript", b"/JS", b"/Launch", b"/URI", b"/OpenAction", b"/AA", b"hostile"):
        assert word not in everything


def test_a_layer_that_was_hidden_stays_hidden(front_page: FrontPages) -> None:
    def add_layers(document: Pdf) -> None:
        shown, hidden = (document.make_indirect(Dictionary(Type=Name.OCG, Name=name)) for name in ("Shown", "Hidden"))
        page = document.pages[0]
        page.Resources.Properties = Dictionary(S=shown, H=hidden)
        page.Contents = Stream(document, b"/OC /H BDC 300 600 200 100 re f EMC /OC /S BDC 100 600 100 100 re f EMC")
        state = Dictionary(BaseState=Name.OFF, ON=Array([shown]))
        document.Root.OCProperties = Dictionary(OCGs=Array([shown, hidden]), D=state)

    with assembled(front_page(1), pdfs.changed(pdfs.pdf(""), add_layers)) as result:
        assert ink(result, 1)[2] < 0.4


def test_xades_are_attached_and_associated_with_the_document(front_page: FrontPages) -> None:
    with assembled(front_page(1), pdfs.pdf("Text"), attachments=(XADES,)) as result:
        (associated,) = result.Root.AF
        assert associated.objgen == result.attachments["signatur-1.xml"].obj.objgen
        assert (str(associated.UF), associated.AFRelationship) == ("signatur-1.xml", Name.Supplement)
        assert str(associated.Desc) == "Signatur av Kari Nordmann"
        assert associated.EF.F.Subtype == Name("/application/xml")
        assert associated.EF.F.read_bytes() == b"<signature/>"


def test_two_attachments_of_one_name_are_refused(front_page: FrontPages) -> None:
    with pytest.raises(ValueError, match=r"two attachments have the name signatur-1\.xml"):
        assembled(front_page(1), pdfs.pdf("Text"), attachments=(XADES, XADES))


def test_an_original_with_other_pages_than_were_accepted_is_refused(front_page: FrontPages) -> None:
    with pytest.raises(InvalidDocument, match="has 2 pages, but was accepted with 1"):
        assembled(front_page(1), pdfs.pdf("One", "Two"))


def test_what_is_no_pdf_is_refused(front_page: FrontPages) -> None:
    with pytest.raises(InvalidDocument, match="«Dokument 1»: The PDF is damaged"):
        assemble(documents=[b"%PDF-1.7 but no more"], front_page=front_page(1), attachments=())


def test_a_crop_box_outside_the_page_is_passed_over() -> None:
    def crop_elsewhere(document: Pdf) -> None:
        document.pages[0].cropbox = [1000, 1000, 1100, 1100]

    with Pdf.open(BytesIO(pdfs.changed(pdfs.pdf("Here"), crop_elsewhere))) as document:
        assert shown_size(document.pages[0]) == pdfs.A4
