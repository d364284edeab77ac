"""A plain text as pages: every line as it was written, or a refusal."""

from io import BytesIO

import pikepdf
import pypdfium2
import pytest

from segl.core.errors import InvalidDocument, TooManyPages
from segl.core.pades.text_pages import typeset_text
from segl.core.plain_text import LINES_A_PAGE, MOST_CHARACTERS, MOST_PAGES


def pages(text: str) -> list[str]:
    with pypdfium2.PdfDocument(typeset_text(text.encode())) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


def test_every_line_is_there_with_its_spaces() -> None:
    [page] = pages("\ufeffKjære alle,\r\n\r\n  to  og\ttre: «æøå», Ω, Ж — 100 €\n#set text(0pt) $x$ *a* @b\n")
    lines = [line.replace("\N{NO-BREAK SPACE}", " ") for line in page.splitlines() if line.strip()]
    assert lines == ["Kjære alle,", "  to  og        tre: «æøå», Ω, Ж — 100 €", "#set text(0pt) $x$ *a* @b"]


def test_a_long_text_takes_many_pages_and_none_of_its_lines_is_lost() -> None:
    text = pages("".join(f"Linje {number}\n" for number in range(300)))
    assert len(text) > 3
    assert [line for page in text for line in page.splitlines()] == [f"Linje {number}" for number in range(300)]


def test_lines_that_fill_too_many_pages_are_refused_before_they_are_typeset() -> None:
    assert len(pages("a\n" * LINES_A_PAGE)) == 1
    assert len(pages("a\n" * (LINES_A_PAGE + 1))) == 2
    with pytest.raises(TooManyPages, match="has 108001 lines, 54 on a page; at most 2000 pages can be signed"):
        typeset_text(b"a\n" * (MOST_PAGES * LINES_A_PAGE + 1))


def test_a_long_word_stays_on_the_page() -> None:
    with pypdfium2.PdfDocument(typeset_text(b"x" * 500)) as document:
        [page] = document
        boxes = [page.get_textpage().get_charbox(number) for number in range(500)]
        assert max(right for _, _, right, _ in boxes) < page.get_width() - 50


def test_lines_that_begin_with_hebrew_or_arabic_are_set_from_the_right(shipped_faces: None) -> None:
    with pypdfium2.PdfDocument(typeset_text("שלום 12\nمرحبا\nNorsk شكرا\n".encode())) as document:
        text = document[0].get_textpage()
        places = [text.get_charbox(number)[0] for number in range(text.count_chars())]
        shown = text.get_text_range()
    assert all(places[shown.index(each)] > 300 for each in ("ש", "م"))
    assert places[shown.index("N")] < 60


def test_an_empty_text_is_an_empty_page() -> None:
    assert [page.strip("\u200b") for page in pages("")] == [""]


def test_the_same_text_gives_the_same_pages() -> None:
    assert typeset_text(b"text") == typeset_text(b"text")


def test_it_is_a_pdf_of_a4_pages_with_its_font() -> None:
    with pikepdf.open(BytesIO(typeset_text("æ".encode()))) as document:
        assert document.pdf_version == "1.7"
        [page] = document.pages
        assert [round(float(each)) for each in page.mediabox] == [0, 0, 595, 842]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("æ".encode("latin-1"), "not UTF-8 at byte 0"),
        (b"a\0b", r"U\+0000, which cannot be shown"),
        ("100 kr\u202e001".encode(), r"U\+202E, which cannot be shown"),
        ("ok 😀".encode(), r"U\+1F600 \(GRINNING FACE\), which no font of the signed document has"),
        ("a\u1680b".encode(), r"U\+1680 \(OGHAM SPACE MARK\), which no font"),
        ("a\u0305".encode(), r"U\+0305 \(COMBINING OVERLINE\), which no font"),
        (b"x" * (MOST_CHARACTERS + 1), f"has {MOST_CHARACTERS + 1} characters; at most {MOST_CHARACTERS}"),
    ],
)
def test_what_could_not_be_shown_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(InvalidDocument, match=sentence):
        typeset_text(content)
