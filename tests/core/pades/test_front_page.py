"""The front page and the footers: what they say, and that nothing a person is called can upset them."""

from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from zoneinfo import ZoneInfo

import pikepdf
import pypdfium2
import pytest

from segl.core.pades import FrontPage, fonts
from segl.core.pades.front_page import typeset
from segl.core.pades.text_pages import has_box

FrontPages = Callable[..., FrontPage]


def texts(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]


def test_the_front_page_says_what_was_signed_by_whom_when_and_how(front_page: FrontPages) -> None:
    first = texts(typeset(front_page(2, 1)))[0]
    for part in (
        "Leieavtale Storgata 14",
        "Kari Nordmann 01018012345",
        "24. november 2026 kl. 13.00.00 (UTC+1)",
        "TestID, sikkerhetsnivå 4, autentisert signatur",
        "TestID, security level 4, authenticated signature",
        "Dokument 1 side 2–3",
        "Dokument 2 side 4",
        "Forseglet av Nordvik segl",
        "Sealed by Nordvik segl on 24 November 2026 at 13:00:00 (UTC+1)",
        "segl verify",
    ):
        assert part in first


def test_times_follow_summer_time_in_norway(front_page: FrontPages) -> None:
    first = texts(typeset(front_page(1, sealed_at=datetime(2027, 7, 1, 0, 30, tzinfo=ZoneInfo("Europe/Oslo")))))[0]
    assert "1. juli 2027 kl. 00.30.00 (UTC+2)" in first


def test_there_is_a_page_with_a_footer_for_each_page_of_the_originals(front_page: FrontPages) -> None:
    assert texts(typeset(front_page(2, 1)))[1:] == [
        f"Signert av Kari Nordmann og Ola Hansen · forseglet av Nordvik segl 24.11.2026 Jobb 101234 side {number} av 4"
        for number in (2, 3, 4)
    ]


@pytest.mark.parametrize("test_mark", [True, False])
def test_the_test_mark_stands_on_every_page_when_asked_for(front_page: FrontPages, test_mark: bool) -> None:
    pages = texts(typeset(front_page(2, test_mark=test_mark)))
    assert [("TEST – uten rettsvirkning" in page) for page in pages] == [test_mark] * 3


def test_ten_signers_with_long_names_are_shortened_in_the_footer_and_whole_on_the_front_page(
    front_page: FrontPages,
) -> None:
    names = tuple(f"Máhtte Ánte Čáhput-Đorđević Ŋuorravuolli Nummer {number}" for number in range(10))
    pages = texts(typeset(front_page(*[1] * 20, names=names, title="Å" * 80)))
    front = " ".join(pages[:-20])
    assert all(name in front for name in names)
    assert "Signert av Máhtte Ánte Čáhput-Đorđević… og 9 til · forseglet av Nordvik segl" in pages[-1]
    assert pages[-1].endswith("side 22 av 22")


@pytest.mark.parametrize(
    "name",
    [
        "Nguyễn Thị Ánh Tuyết",
        "Łukasz Źdźbło",
        "Δημήτρης Παπαδόπουλος",
        "Владимир Кузнецов",
        "Áŋne Čállit Đuođđar",
        "*Bold* #panic(1) $x$ <b> \\ {a} @ref",
    ],
)
def test_names_from_many_languages_are_set_as_they_are(front_page: FrontPages, name: str) -> None:
    pages = texts(typeset(front_page(1, names=(name,))))
    assert name in pages[0]
    assert name in pages[1]


@pytest.mark.parametrize(("name", "shown"), [("محمد", "محمد"), ("דוד בן", "דוד בן")])
def test_arabic_and_hebrew_names_need_no_package(
    front_page: FrontPages, shipped_faces: None, name: str, shown: str
) -> None:
    pages = texts(typeset(front_page(1, names=(name, "Ola"))))
    assert all(sorted(word) in [sorted(each) for each in page.split()] for page in pages for word in shown.split())
    assert "og Ola · forseglet av Nordvik segl 24.11.2026" in pages[1]


def test_a_name_from_the_right_leaves_the_number_after_it_where_it_is(front_page: FrontPages) -> None:
    pdf = typeset(front_page(1, sealed_by="\u05d3\u05d5\u05d3"))
    with pypdfium2.PdfDocument(pdf) as document:
        text = document[1].get_textpage()
        line = text.get_text_range()
        name, date = (text.get_charbox(line.index(each))[0] for each in ("\u05d3", "24.11"))
    assert name < date


@pytest.mark.parametrize("name", ["王小明", "山田太郎", "김철수", "सुनीता", "გიორგი", "ไทย"])
def test_names_in_other_scripts_are_set_with_debians_fonts(
    front_page: FrontPages, debian_fonts: None, name: str
) -> None:
    pdf = typeset(front_page(1, names=(name,)))
    assert fonts.missing(name) == ""
    assert all(page.count("?") == 0 for page in texts(pdf))
    assert not has_box(pdf)


def test_what_no_face_has_is_printed_as_a_question_mark(front_page: FrontPages, shipped_faces: None) -> None:
    pages = texts(typeset(front_page(1, names=("王 Wang \ufb00",), title="Avtale 😀")))
    assert "Avtale ?" in pages[0]
    assert all("? Wang ff" in page for page in pages)


@pytest.mark.parametrize("name", ["محمد علي", "王小明", "😀", "a\x00b\x1f\ufffe", "", " ", "W" * 300, "a\u0305"])
def test_a_name_that_the_font_does_not_have_does_no_harm(front_page: FrontPages, name: str) -> None:
    pdf = typeset(front_page(1, names=(name,)))
    assert len(texts(pdf)) == 2
    assert not has_box(pdf)


def test_all_fonts_are_embedded(front_page: FrontPages) -> None:
    with pikepdf.open(BytesIO(typeset(front_page(1)))) as pdf:
        descriptors = [
            each
            for each in pdf.objects
            if isinstance(each, pikepdf.Dictionary) and each.get("/Type") == pikepdf.Name.FontDescriptor
        ]
        assert len(descriptors) == 2
        assert all(pikepdf.Name.FontFile2 in each for each in descriptors)
