"""What is drawn in place of fonts that a PDF does not embed, and the refusal of what could not be."""

from io import BytesIO

import pypdfium2
import pytest
from pikepdf import Dictionary, Name, Pdf, Stream
from PIL import Image

import pdfs
from segl.core.errors import InvalidDocument
from segl.core.pades import originals, substitutes
from segl.core.pades.assembly import lay_out


def cid(text: str, font: str, encoding: str, ordering: str) -> bytes:
    """Text in one of the fonts that readers of PDFs in these languages are expected to have."""
    return pdfs.not_embedded(text.encode("utf-16-be"), font=font, encoding=encoding, ordering=ordering)


JAPANESE = cid("日本語", "HeiseiMin-W3", "UniJIS-UCS2-H", "Japan1")
CHINESE = cid("合同", "STSong-Light", "UniGB-UCS2-H", "GB1")
TAIWANESE = cid("契約", "MSung-Light", "UniCNS-UCS2-H", "CNS1")
KOREAN = cid("계약", "HYSMyeongJo-Medium", "UniKS-UCS2-H", "Korea1")
TO_UNICODE = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Test def "
    b"1 begincodespacerange <0000> <FFFF> endcodespacerange "
    b"4 beginbfchar <0024> <0041> <0025> <0416> <0026> <0645> <0027> <005A> endbfchar endcmap end end"
)


def identity(codes: bytes, *, to_unicode: bytes = TO_UNICODE, mode: int = 0, font: str = "ArialMT") -> bytes:
    """Text in codes that only the font knows, or its ToUnicode."""
    return pdfs.not_embedded(codes, font=font, encoding="Identity-H", to_unicode=to_unicode, mode=mode)


def drawn(pdf: bytes) -> Image.Image:
    """The page's picture once its fonts are checked."""
    substitutes.load()
    asked = substitutes.asked()
    with pypdfium2.PdfDocument(pdf) as document:
        picture = document[0].render(scale=1).to_pil().convert("L")
        substitutes.check_fonts(document, since=asked)
    return picture


def ink(picture: Image.Image) -> int:
    """How many pixels are dark."""
    return sum(picture.histogram()[:128])


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Debian's fonts."""
    substitutes.load()
    monkeypatch.setattr(substitutes._faces, "numbers", {})


@pytest.mark.usefixtures("debian_fonts")
@pytest.mark.parametrize("pdf", [JAPANESE, CHINESE, TAIWANESE, KOREAN], ids=["ja", "zh", "tw", "ko"])
def test_chinese_japanese_and_korean_are_drawn(pdf: bytes) -> None:
    assert ink(drawn(pdf)) > 100


@pytest.mark.usefixtures("debian_fonts")
@pytest.mark.parametrize("font", ["ArialMT", "TimesNewRomanPS-BoldMT", "Courier", "Verdana"])
def test_cyrillic_is_drawn(font: str) -> None:
    assert ink(drawn(pdfs.cyrillic(font))) > 100
    assert ink(drawn(identity(b"\0\x24\0\x25", font=font))) > 100


@pytest.mark.usefixtures("no_fonts")
@pytest.mark.parametrize(
    ("pdf", "lost"),
    [
        (JAPANESE, r"U\+65E5 \(CJK UNIFIED IDEOGRAPH-65E5\) in the font HeiseiMin-W3"),
        (pdfs.cyrillic("ArialMT"), r"U\+0410 \(CYRILLIC CAPITAL LETTER A\) in the font ArialMT"),
        (pdfs.cyrillic("Verdana"), r"U\+0410 \(CYRILLIC CAPITAL LETTER A\) in the font Verdana"),
        (identity(b"\0\x24\0\x25"), r"U\+0416 \(CYRILLIC CAPITAL LETTER ZHE\) in the font ArialMT"),
    ],
)
def test_what_no_font_can_draw_is_refused(pdf: bytes, lost: str) -> None:
    with pytest.raises(InvalidDocument, match=f"Page 1 .* has {lost}, which is not embedded.* embed the fonts"):
        drawn(pdf)


def test_what_even_debians_fonts_lack_is_refused() -> None:
    with pytest.raises(InvalidDocument, match=r"U\+0645 \(ARABIC LETTER MEEM\) in the font ArialMT.* embed the fonts"):
        drawn(identity(b"\0\x24\0\x26"))


@pytest.mark.usefixtures("debian_fonts")
@pytest.mark.parametrize("value", ["Łukasz Żółć", "Иван Петров"])
def test_a_form_value_is_sealed_with_its_font(value: str) -> None:
    substitutes.load()
    with originals.opened(pdfs.field(value)) as original:
        shown = lay_out(original)
    with pypdfium2.PdfDocument(shown) as document:
        assert value in document[0].get_textpage().get_text_bounded()
    assert ink(drawn(shown)) > 100
    with Pdf.open(BytesIO(shown)) as sealed:
        [file] = [each.FontFile2 for each in sealed.objects if isinstance(each, Dictionary) and Name.FontFile2 in each]
        assert file.read_bytes()[:4] == b"\0\1\0\0"


@pytest.mark.parametrize("value", ["Łukasz Żółć", "Иван Петров"])
def test_a_form_value_that_no_font_can_draw_is_refused(value: str, no_fonts: None) -> None:
    assert_field_is_refused(value)


@pytest.mark.parametrize("value", ["李小龍", "محمد", "Erdoğan", "•"])
def test_a_form_value_that_pdfium_does_not_draw_is_refused(value: str) -> None:
    substitutes.load()
    assert_field_is_refused(value)


def assert_field_is_refused(value: str) -> None:
    with pytest.raises(InvalidDocument, match="field «name» on page 1"), originals.opened(pdfs.field(value)):
        pass


@pytest.mark.usefixtures("debian_fonts")
def test_pdfium_draws_each_letter_that_fields_may_have() -> None:
    substitutes.load()
    letters = "".join(sorted(substitutes.IN_FIELDS - set("\t\n\r \xa0\xad") - set(map(chr, range(127, 160)))))
    rows = [letters[start : start + 20] for start in range(0, len(letters), 20)]
    for row in rows:
        with originals.opened(pdfs.field(row)) as original, pypdfium2.PdfDocument(lay_out(original)) as document:
            assert set(row) <= set(document[0].get_textpage().get_text_bounded())


def test_numbers_of_letters_in_a_font_that_is_not_there_are_forgotten() -> None:
    letters = identity(b"\0\x24\0\x27")
    others = pdfs.changed(letters, lambda document: _number(document, b"\0\x30" * 64))
    with originals.opened(letters) as one, originals.opened(others) as other:
        assert drawn(lay_out(one)) == drawn(lay_out(other))


def _number(document: Pdf, numbers: bytes) -> None:
    font = document.pages[0].Resources.Font
    font.F = document.make_indirect(font.F)
    font.F.DescendantFonts[0].CIDToGIDMap = Stream(document, numbers)


def test_text_of_which_only_its_font_knows_what_it_says_is_refused() -> None:
    with pytest.raises(InvalidDocument, match=r"a character that the PDF does not name in the font ArialMT"):
        drawn(identity(b"\0\x24\0\x25", to_unicode=b""))


def test_pictures_that_only_their_font_has_are_refused() -> None:
    with pytest.raises(InvalidDocument, match="uses the font Wingdings and does not embed it: embed the fonts"):
        drawn(pdfs.cyrillic("Wingdings"))


@pytest.mark.usefixtures("no_fonts")
def test_text_that_is_not_shown_may_lack_its_font() -> None:
    assert ink(drawn(identity(b"\0\x25\0\x26", mode=3))) == 0


@pytest.mark.usefixtures("no_fonts")
@pytest.mark.parametrize("font", ["Helvetica", "Courier", "Times-Roman", "Verdana", "Symbol", "ZapfDingbats"])
def test_the_letters_of_every_reader_need_no_font(font: str) -> None:
    codes = bytes(each for each in range(33, 256) if each not in {127, 129, 141, 143, 144, 157})
    assert ink(drawn(pdfs.all_codes(font, codes))) > 100
