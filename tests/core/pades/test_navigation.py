"""Links, bookmarks and page labels of originals lead to the same places in the signed PDF, and nowhere else."""

from collections.abc import Callable
from io import BytesIO

import pikepdf
import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, Object, OutlineItem, Page, Pdf, String

import pdfs
from segl.core.pades.places import Budget

Assembled = Callable[..., bytes]
WEB = Dictionary(S=Name.URI, URI=String("https://example.com/a?b=c#d"))


def add_link(document: Pdf, page: int = 0, area: tuple[float, ...] = (10, 790, 60, 820), **entries: object) -> None:
    link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array(area), **entries)
    if Name.Annots not in document.pages[page]:
        document.pages[page].obj.Annots = Array()
    document.pages[page].obj.Annots.append(document.make_indirect(link))


def linked(content: bytes, **entries: object) -> bytes:
    return pdfs.changed(content, lambda document: add_link(document, **entries))  # type: ignore[arg-type]


def read(sealed: bytes) -> Pdf:
    return pikepdf.open(BytesIO(sealed))


def links(sealed: Pdf, page: int = 1) -> list[Object]:
    """The links of a page, 1 being the first sheet."""
    return list(sealed.pages[page].obj.get(Name.Annots, Array()))


def page_number(sealed: Pdf, destination: Object) -> int:
    return sealed.pages.index(Page(destination[0]))


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(595, 842), (1191, 1684), (200, 100)])
@pytest.mark.parametrize("unit", [1, 2])
def test_a_link_lies_where_its_text_is(assembled: Assembled, rotate: int, size: tuple[float, float], unit: int) -> None:
    def link_text(document: Pdf) -> None:
        add_link(document, area=(18, size[1] - 45, 60, size[1] - 25), A=WEB)
        if unit > 1:
            document.pages[0].UserUnit = unit

    sealed = assembled(pdfs.changed(pdfs.pdf("Text", size=size, rotate=rotate), link_text))
    with read(sealed) as result:
        (link,) = links(result)
        left, low, right, high = map(float, link.Rect)
    with pypdfium2.PdfDocument(sealed) as document:
        said = document[1].get_textpage()
        inside = said.get_text_bounded(left, low, right, high)
    assert inside.strip() == "Text"
    assert (right - left) * (high - low) <= 42 * 20 * unit**2 + 1


def test_a_link_over_several_lines_keeps_its_parts(assembled: Assembled) -> None:
    parts = [100, 720, 200, 720, 100, 700, 200, 700, 50, 700, 80, 700, 50, 680, 80, 680]
    sealed = read(assembled(linked(pdfs.pdf("Text"), area=(50, 680, 200, 720), A=WEB, QuadPoints=Array(parts))))
    (link,) = links(sealed)
    left, low, right, high = map(float, link.Rect)
    kept = list(map(float, link.QuadPoints))
    assert len(kept) == 16
    assert (min(kept[::2]), min(kept[1::2]), max(kept[::2]), max(kept[1::2])) == (left, low, right, high)


def test_a_link_is_cut_to_what_its_page_shows(assembled: Assembled) -> None:
    sealed = read(assembled(linked(pdfs.pdf("Text"), area=(-500, -500, 2000, 2000), A=WEB)))
    (link,) = links(sealed)
    assert list(map(float, link.Rect)) == pytest.approx(list(map(float, sealed.pages[1].artbox)), abs=0.01)


@pytest.mark.parametrize(
    ("action", "address"),
    [
        (WEB, "https://example.com/a?b=c#d"),
        (Dictionary(S=Name.URI, URI=String("HTTP://example.com/å ø")), None),
        (Dictionary(S=Name.URI, URI=String("http://example.com/å")), "http://example.com/%C3%A5"),
        (Dictionary(S=Name.URI, URI=String("mailto:post@example.com")), "mailto:post@example.com"),
        (Dictionary(S=Name.URI, URI=String("data:text/html,x")), None),
        (Dictionary(S=Name.URI, URI=String("https://" + "x" * 9000)), None),
        (Dictionary(S=Name.URI, URI=7), None),
        (Dictionary(S=Name.URI), None),
    ],
)
def test_only_links_to_web_and_mail_addresses_survive(
    assembled: Assembled, action: Dictionary, address: str | None
) -> None:
    sealed = read(assembled(linked(pdfs.pdf("Text"), A=action, Contents=String("Til eksempelet"))))
    found = links(sealed)
    assert [str(link.A.URI) for link in found] == ([address] if address else [])
    assert all(str(link.Contents) == "Til eksempelet" for link in found)


def test_actions_that_follow_a_harmless_one_do_not_survive(assembled: Assembled) -> None:
    action = Dictionary(S=Name.URI, URI=WEB.URI, Next=Dictionary(S=Name.JavaScript, JS=String("hostile")))
    sealed = read(assembled(linked(pdfs.pdf("Text"), A=action, PA=action, AA=Dictionary(E=action))))
    (link,) = links(sealed)
    assert set(link.keys()) == {"/Type", "/Subtype", "/Rect", "/Border", "/F", "/A"}
    assert set(link.A.keys()) == {"/S", "/URI"}


def test_hidden_links_and_links_outside_of_the_page_are_gone(assembled: Assembled) -> None:
    def add(document: Pdf) -> None:
        add_link(document, A=WEB, F=2)
        add_link(document, area=(700, 10, 800, 20), A=WEB)

    assert links(read(assembled(pdfs.changed(pdfs.pdf("Text"), add)))) == []


def add_names(document: Pdf) -> None:
    there = Array([document.pages[1].obj, Name.XYZ, 20, 802, 0])
    document.Root.Dests = Dictionary(Old=Dictionary(D=there))
    leaf = document.make_indirect(Dictionary(Limits=[String("new"), String("new")], Names=[String("new"), there]))
    tree = document.make_indirect(Dictionary(Kids=[leaf]))
    tree.Kids.append(tree)
    document.Root.Names = Dictionary(Dests=tree)
    for target in (there, Name.Old, String("new"), String("nowhere"), Array([77, Name.Fit]), Array([])):
        add_link(document, Dest=target)
        add_link(document, A=Dictionary(S=Name.GoTo, D=target))


def test_links_to_pages_and_to_names_lead_to_the_sheet_of_that_page(assembled: Assembled) -> None:
    document = pdfs.changed(pdfs.pdf("First", "Second", size=(1191, 1684)), add_names)
    sealed = read(assembled(document, document))
    for first in (1, 3):
        found = links(sealed, first)
        assert len(found) == 6
        for link in found:
            assert page_number(sealed, link.Dest) == first + 1
            left, low, right, high = map(float, sealed.pages[first + 1].artbox)
            assert float(link.Dest[2]) == pytest.approx(left + 20 / 1191 * (right - left), abs=0.01)
            assert float(link.Dest[3]) == pytest.approx(low + 802 / 1684 * (high - low), abs=0.01)


@pytest.mark.parametrize(
    ("view", "kept"),
    [
        ([Name.Fit], [Name.Fit]),
        ([Name.XYZ, None, None, 2], [Name.XYZ, None, None, None]),
        ([Name.FitH, 842], [Name.XYZ, 12, 841.89, None]),
        ([Name.FitR, 0, 0, 595, 842], [Name.FitR, 12, 33.492, 583.276, 841.89]),
        ([Name.FitB], [Name.Fit]),
        ([Name.Bogus, 7], [Name.Fit]),
        ([], [Name.Fit]),
    ],
)
def test_destinations_are_the_same_part_of_the_page(
    assembled: Assembled, view: list[object], kept: list[object]
) -> None:
    def add(document: Pdf) -> None:
        add_link(document, Dest=Array([document.pages[0].obj, *view]))

    sealed = read(assembled(pdfs.changed(pdfs.pdf("Text"), add)))
    (link,) = links(sealed)
    for found, expected in zip(list(link.Dest)[1:], kept, strict=True):
        assert found == expected or float(found) == pytest.approx(expected, abs=14)


def add_bookmarks(document: Pdf) -> None:
    with document.open_outline() as outline:
        chapter = OutlineItem("Kapittel å", 0, "Fit")
        chapter.children.append(OutlineItem("Avsnitt", 1, "Fit"))
        hostile = OutlineItem("Skript", action=Dictionary(S=Name.JavaScript, JS=String("hostile")))
        outline.root.extend([chapter, hostile, OutlineItem("Nett", action=Dictionary(WEB))])


def test_each_document_has_a_bookmark_with_its_own_bookmarks_below(assembled: Assembled) -> None:
    with_bookmarks = pdfs.changed(pdfs.pdf("First", "Second"), add_bookmarks)
    with (
        read(assembled(pdfs.pdf("Plain"), with_bookmarks)) as result,
        result.open_outline() as outline,
    ):
        plain, other = outline.root
        assert (plain.title, page_number(result, plain.destination), plain.children) == ("Dokument 1", 1, [])
        assert (other.title, page_number(result, other.destination)) == ("Dokument 2", 2)
        chapter, script, web = other.children
        assert (chapter.title, page_number(result, chapter.destination)) == ("Kapittel å", 2)
        assert [(each.title, page_number(result, each.destination)) for each in chapter.children] == [("Avsnitt", 3)]
        assert (script.title, script.action, script.destination) == ("Skript", None, None)
        assert web.action.URI == WEB.URI


def add_labels(document: Pdf) -> None:
    document.Root.PageLabels = Dictionary(
        Nums=[0, Dictionary(S=Name.r), 2, Dictionary(S=Name.D, P=String("A-"), St=7), 99, Dictionary(S=Name.A)]
    )


def labels(sealed: bytes) -> list[str]:
    with pypdfium2.PdfDocument(sealed) as document:
        return [document.get_page_label(number) for number in range(len(document))]


def test_page_labels_survive_and_other_pages_have_their_number(assembled: Assembled) -> None:
    labelled = pdfs.changed(pdfs.pdf("i", "ii", "A-7", "A-8"), add_labels)
    assert labels(assembled(labelled, pdfs.pdf("6", "7"))) == ["1", "i", "ii", "A-7", "A-8", "6", "7"]
    assert labels(assembled(pdfs.pdf("2"))) == ["", ""]


def endless_bookmarks(document: Pdf) -> None:
    one, other = (document.make_indirect(Dictionary(Title=String(title))) for title in ("One", "Other"))
    one.Next, other.Next, other.First, one.First = other, one, one, one
    document.Root.Outlines = document.make_indirect(Dictionary(First=one, Last=other))
    labels = document.Root.PageLabels = document.make_indirect(Dictionary(Nums=[0, Dictionary(S=Name.D)]))
    labels.Kids = Array([labels, labels])


def deep_bookmarks(document: Pdf) -> None:
    below = None
    for _ in range(300):
        entry = document.make_indirect(Dictionary(Title=String("Deep")))
        if below is not None:
            entry.First = entry.Last = below
        below = entry
    document.Root.Outlines = document.make_indirect(Dictionary(First=below, Last=below))


def wrong_types(document: Pdf) -> None:
    document.Root.Outlines = Array([1])
    document.Root.PageLabels = String("none")
    document.Root.Names = Array()
    document.Root.Dests = 7
    add_link(document, Dest=String("x"))
    add_link(document, A=Array(), Dest=Array([Name.Fit, Name.Fit]))
    document.pages[0].Annots.append(7)


@pytest.mark.parametrize("change", [endless_bookmarks, deep_bookmarks, wrong_types])
def test_hostile_structures_come_to_an_end(assembled: Assembled, change: Callable[[Pdf], None]) -> None:
    with read(assembled(pdfs.changed(pdfs.pdf("Text"), change))) as result:
        assert len(result.pages) == 2
        with result.open_outline() as outline:
            assert len(outline.root) == 1


def test_links_and_bookmarks_beyond_the_most_are_left_out(
    assembled: Assembled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(document: Pdf) -> None:
        add_bookmarks(document)
        add_labels(document)
        for _ in range(50):
            add_link(document, A=WEB)

    monkeypatch.setattr(Budget, "MOST", 100)
    sealed = assembled(pdfs.changed(pdfs.pdf("First", "Second"), add))
    assert links(read(sealed)) == []
    with read(sealed) as result, result.open_outline() as outline:
        assert outline.root[0].children == []
