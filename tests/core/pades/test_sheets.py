"""Whether a sealed PDF shows the pages that were laid out is found out from all that a page draws."""

from collections.abc import Callable

import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

import pdfs
from segl.core.errors import InvalidDocument
from segl.core.pades import FrontPage, assemble, originals
from segl.core.pades.assembly import lay_out
from segl.core.pades.sheets import check_same

FrontPages = Callable[..., FrontPage]


def add_more(document: Pdf) -> None:
    """Links, and an object of its own for a mere name."""
    colours = document.make_indirect(Name.DeviceRGB)
    document.pages[0].Group = Dictionary(S=Name.Transparency, CS=colours)
    link = {"Type": Name.Annot, "Subtype": Name.Link, "Rect": [20, 790, 60, 820]}
    address = Dictionary(S=Name.URI, URI=String("https://example.com/"))
    document.pages[0].Annots = Array([Dictionary(**link, A=address), Dictionary(**link, Dest=[1, Name.Fit])])


@pytest.fixture(scope="module")
def sheets() -> list[bytes]:
    made = []
    for content in (pdfs.changed(pdfs.pdf("One", "Two"), add_more), pdfs.active_form()):
        with originals.opened(content) as original:
            made.append(lay_out(original))
    return made


@pytest.fixture
def sealed(front_page: FrontPages, sheets: list[bytes]) -> bytes:
    return assemble(documents=sheets, front_page=front_page(2, 1), attachments=())


def test_the_assembled_pages_are_the_sheets(sealed: bytes, sheets: list[bytes]) -> None:
    check_same(sealed, sheets)


def test_an_empty_page_is_like_its_sheet(front_page: FrontPages) -> None:
    with originals.opened(pdfs.made(lambda empty: empty.add_blank_page(page_size=pdfs.A4))) as original:
        sheets = [lay_out(original)]
    check_same(assemble(documents=sheets, front_page=front_page(1), attachments=()), sheets)


def form(document: Pdf) -> Stream:
    """What the first sheet draws."""
    forms = document.pages[1].obj.Resources.XObject
    return next(each for each in forms.values() if Name.Matrix in each)


def add_content(document: Pdf) -> None:
    document.pages[1].contents_add(b"0 0 99 99 re f")


def add_content_before(document: Pdf) -> None:
    document.pages[1].contents_add(b"0 0 99 99 re f", prepend=True)


def another_font(document: Pdf) -> None:
    form(document).Resources.Font.F.BaseFont = Name.Courier


def other_words(document: Pdf) -> None:
    form(document).write(form(document).read_bytes().replace(b"One", b"Ten"))


def another_box(document: Pdf) -> None:
    form(document).BBox = Array([0, 0, 100, 842])


def one_page_less(document: Pdf) -> None:
    del document.pages[1]


def another_order(document: Pdf) -> None:
    document.pages.append(document.pages[1])
    del document.pages[1]


def another_address(document: Pdf) -> None:
    document.pages[1].Annots[0].A.URI = String("https://elsewhere.example.com/")


def another_target(document: Pdf) -> None:
    document.pages[1].Annots[1].Dest[0] = document.pages[1].obj


def another_place(document: Pdf) -> None:
    document.pages[1].Annots[0].Rect[0] = 13


def one_link_less(document: Pdf) -> None:
    del document.pages[1].Annots[0]


def a_link_more(document: Pdf) -> None:
    document.pages[2].Annots = Array([document.pages[1].Annots[0]])


def an_annotation(document: Pdf) -> None:
    note = Dictionary(Type=Name.Annot, Subtype=Name.Square, Rect=[9, 9, 500, 500], C=[1, 0, 0], IC=[1, 0, 0], F=4)
    document.pages[1].Annots.append(document.make_indirect(note))


@pytest.mark.parametrize(
    "change",
    [
        add_content,
        add_content_before,
        another_font,
        other_words,
        another_box,
        one_page_less,
        another_order,
        another_address,
        another_target,
        another_place,
        one_link_less,
        a_link_more,
        an_annotation,
    ],
)
def test_any_change_is_found(sealed: bytes, sheets: list[bytes], change: Callable[[Pdf], None]) -> None:
    with pytest.raises(InvalidDocument, match="does not show the pages that were laid out"):
        check_same(pdfs.changed(sealed, change), sheets)


def test_fewer_pages_than_were_laid_out_are_found(sheets: list[bytes]) -> None:
    with pytest.raises(InvalidDocument, match="does not show the pages that were laid out"):
        check_same(pdfs.pdf("One"), sheets)
