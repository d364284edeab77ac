"""What screen readers read of tagged originals, they read of the signed PDF as well."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
import typst
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String

import pdfs
from segl.core.pades import originals, tags
from segl.core.pades.assembly import lay_out
from segl.core.pades.front_page import faces
from segl.core.pades.places import Budget

Assembled = Callable[..., bytes]
SQUARE = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'><rect width='40' height='40'/></svg>"
SOURCE = f"""
#set document(title: "Søknad")
#set text(font: "Inter", lang: "en")
#set page(width: 900pt, height: 1200pt)
= First chapter
Words and #link("https://example.com/")[a link] and #link(<second>)[another].
#table(columns: 2, table.header([Name], [Sum]), [Kari], [100])
#image(bytes("{SQUARE}"), alt: "A black square")
#pagebreak()
= Second chapter <second>
- item
"""


@pytest.fixture(scope="module")
def tagged() -> bytes:
    """Two pages with a heading each, links, a table with a header, an image with a text, and a list."""
    compiler = typst.Compiler(font_paths=faces(""))
    made = compiler.compile(SOURCE.encode(), format="pdf", pdf_standards="ua-1", timestamp=0)
    return cast(bytes, made)


def read(sealed: bytes) -> Pdf:
    return pikepdf.open(BytesIO(sealed))


def elements(sealed: Pdf) -> Iterator[Object]:
    """Every element of the tree, in order."""
    waiting = list(sealed.Root.StructTreeRoot.K)
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, Dictionary) and Name.S in each:
            yield each
            waiting[:0] = list(each.K) if isinstance(each.K, Array) else [each.K]


@pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="pdfinfo (poppler-utils) is not installed")
def test_poppler_reads_the_tree_of_two_tagged_documents(assembled: Assembled, tagged: bytes, tmp_path: Path) -> None:
    file = tmp_path / "sealed.pdf"
    file.write_bytes(assembled(tagged, tagged))
    assert "Tagged:          yes" in poppler(file)
    tree = poppler(file, "-struct-text")
    front, first, second = tree.split("\n  Part ")
    assert '"Leieavtale Storgata 14"' in front
    for document, part in ((1, first), (2, second)):
        lines = [line.strip() for line in part.splitlines()]
        assert lines[0] == f'"Dokument {document}"'
        for each in ('"First chapter"', '"a link"', '"Kari"', '"Second chapter"', '"item"', "Link (inline)"):
            assert each in lines
        found = ["H1", "Table", "Figure", "H1", "L"]
        kinds = [line.split()[0].rstrip(":") for line in lines if line]
        assert [each for each in kinds if each in {"H1", "Table", "Figure", "L"}] == found


def poppler(file: Path, *options: str) -> str:
    return subprocess.run(["pdfinfo", *options, str(file)], capture_output=True, text=True, check=True).stdout


def test_pdfium_finds_the_elements_and_the_texts_of_each_page(assembled: Assembled, tagged: bytes) -> None:
    with pypdfium2.PdfDocument(assembled(tagged, tagged)) as document:
        assert pdfium.FPDFCatalog_IsTagged(document)
        for number in (1, 3):
            assert spoken(document[number]) == [
                ("H1", "First chapter"),
                ("P", "Words and  and ."),
                ("Link", "a link"),
                ("Link", "another"),
                ("TH", "Name"),
                ("TH", "Sum"),
                ("TD", "Kari"),
                ("TD", "100"),
                ("Figure", "A black square"),
            ]
            assert spoken(document[number + 1]) == [("H1", "Second chapter"), ("Lbl", "•"), ("LBody", "item")]


def spoken(page: pypdfium2.PdfPage) -> list[tuple[str, str]]:
    """The elements of a page that have a text, with that of their marked content or their alternative text."""
    text = page.get_textpage()
    said: dict[int, str] = {}
    for at in range(text.count_chars()):
        number = pdfium.FPDFPageObj_GetMarkedContentID(pdfium.FPDFText_GetTextObject(text, at))
        said[number] = said.get(number, "") + text.get_text_range(at, 1)
    tree = pdfium.FPDF_StructTree_GetForPage(page)
    found: list[tuple[str, str]] = []
    try:
        waiting = [pdfium.FPDF_StructTree_GetChildAtIndex(tree, 0)]
        while waiting:
            element = waiting.pop()
            count = pdfium.FPDF_StructElement_GetMarkedContentIdCount(element)
            ids = [pdfium.FPDF_StructElement_GetMarkedContentIdAtIndex(element, at) for at in range(count)]
            words = wide(pdfium.FPDF_StructElement_GetAltText, element)
            words = words or "".join(said.get(number, "") for number in ids if number >= 0).strip()
            if words:
                found.append((wide(pdfium.FPDF_StructElement_GetType, element), words))
            kids = range(pdfium.FPDF_StructElement_CountChildren(element))
            below = [pdfium.FPDF_StructElement_GetChildAtIndex(element, at) for at in kids]
            waiting += [each for each in reversed(below) if each]
    finally:
        pdfium.FPDF_StructTree_Close(tree)
    return found


def wide(function: Any, element: Any) -> str:
    buffer = ctypes.create_string_buffer(1000)
    size = function(element, buffer, 1000)
    return buffer.raw[: max(size - 2, 0)].decode("utf-16-le")


def test_language_attributes_and_ids_survive_for_each_document(assembled: Assembled, tagged: bytes) -> None:
    with read(assembled(tagged, tagged)) as sealed:
        found = list(elements(sealed))
        assert [(str(each.T), str(each.Lang)) for each in found if Name.Part == each.S] == [
            ("Dokument 1", "en"),
            ("Dokument 2", "en"),
        ]
        headers = [each for each in found if each.S == Name.TH]
        assert len({str(each.ID) for each in headers}) == 4
        cells = [each for each in found if each.S == Name.TD]
        assert [str(cell.A[0].Headers[0]) for cell in cells] == [str(each.ID) for each in headers]
        named = pikepdf.NameTree(sealed.Root.StructTreeRoot.IDTree)
        assert all(named[str(each.ID)].objgen == each.objgen for each in headers)


def test_the_parent_tree_leads_back_to_the_elements(assembled: Assembled, tagged: bytes) -> None:
    with read(assembled(tagged, pdfs.pdf("Plain"), tagged)) as sealed:
        parents = pikepdf.NumberTree(sealed.Root.StructTreeRoot.ParentTree)
        assert sealed.Root.StructTreeRoot.ParentTreeNextKey == max(parents) + 1
        for each in elements(sealed):
            for kid in each.K if isinstance(each.K, Array) else [each.K]:
                if isinstance(kid, int):
                    assert parents[each.Pg.StructParents][kid].objgen == each.objgen
                elif kid.get(Name.Type) == Name.MCR:
                    assert parents[kid.get(Name.Stm, kid.get(Name.Pg)).StructParents][kid.MCID].objgen == each.objgen
                elif kid.get(Name.Type) == Name.OBJR:
                    assert parents[kid.Obj.StructParent].objgen == each.objgen
                else:
                    assert kid.P.objgen == each.objgen
        keys = [each.StructParent for page in sealed.pages for each in page.obj.get(Name.Annots, Array())]
        assert len(keys) == len(set(keys)) == 4


@pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="pdfinfo (poppler-utils) is not installed")
def test_a_document_without_tags_among_tagged_ones_is_read_page_by_page(
    assembled: Assembled, tagged: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "sealed.pdf"
    file.write_bytes(assembled(pdfs.pdf("Plain", "Other"), tagged))
    _, plain, _ = poppler(file, "-struct-text").split("\n  Part ")
    assert [line.split()[0] for line in plain.splitlines()[1:]] == ["P", '"Plain"', "P", '"Other"']


def test_without_tagged_documents_the_front_page_claims_no_tags(assembled: Assembled) -> None:
    with read(assembled(pdfs.pdf("Plain"))) as sealed:
        assert Name.StructTreeRoot not in sealed.Root
        assert Name.MarkInfo not in sealed.Root


def small_tree(document: Pdf) -> Object:
    """Tag the document, whose page has the contents 0 and 1, with one paragraph; gives that."""
    page = document.pages[0].obj
    page.Contents = Stream(document, b"/P <</MCID 0>> BDC BT /F 14 Tf 20 800 Td (Said) Tj ET EMC")
    root = document.make_indirect(Dictionary(Type=Name.StructTreeRoot))
    paragraph = document.make_indirect(Dictionary(Type=Name.StructElem, S=Name.P, P=root, Pg=page, K=0))
    root.K = Array([paragraph])
    document.Root.StructTreeRoot, document.Root.MarkInfo = root, Dictionary(Marked=True)
    return paragraph


def with_tree(change: Callable[[Pdf, Object], None]) -> bytes:
    return pdfs.changed(pdfs.pdf("Said", size=(1191, 1684)), lambda document: change(document, small_tree(document)))


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("/H2", "H2"),
        ("/Heading", "H1"),
        ("/Circle", "NonStruct"),
        ("/Nowhere", "NonStruct"),
        ("/Strong", "Span"),
        ("/FENote", "Note"),
    ],
)
def test_roles_become_the_standard_types_that_they_are_mapped_to(assembled: Assembled, role: str, kind: str) -> None:
    def change(document: Pdf, paragraph: Object) -> None:
        paragraph.S = Name(role)
        document.Root.StructTreeRoot.RoleMap = Dictionary(
            {"/Heading": Name.Title1, "/Title1": Name.H1, "/Circle": Name.Round, "/Round": Name.Circle}
        )

    with pypdfium2.PdfDocument(assembled(with_tree(change))) as document:
        assert spoken(document[1]) == [(kind, "Said")]


def test_attributes_lie_where_the_page_does_and_nothing_else_comes_along(assembled: Assembled) -> None:
    def change(document: Pdf, paragraph: Object) -> None:
        script = Dictionary(S=Name.JavaScript, JS=String("hostile"))
        paragraph.A = Array([Dictionary(O=Name.Layout, BBox=[0, 0, 1191, 1684], Placement=Name.Block, Extra=script)])
        paragraph.A[0].Placement = document.make_indirect(Name.Block)
        paragraph.C = Name.Wide
        paragraph.Extra = paragraph.AF = script
        document.Root.StructTreeRoot.ClassMap = Dictionary(Wide=Dictionary(O=Name.Table, ColSpan=2, RowSpan=script))

    sealed = assembled(with_tree(change))
    with read(sealed) as document:
        (paragraph,) = (each for each in elements(document) if Name.A in each and Name.Part == each.get(Name.P).S)
        layout, table = paragraph.A
        assert list(map(float, layout.BBox)) == pytest.approx(list(map(float, document.pages[1].artbox)), abs=0.01)
        assert (layout.Placement, dict(table.items())) == (Name.Block, {"/O": Name.Table, "/ColSpan": 2})
        assert not any(b"hostile" in each.unparse() for each in document.objects)


def cycle(document: Pdf, paragraph: Object) -> None:
    paragraph.K = Array([0, paragraph, document.Root.StructTreeRoot])


def twice(document: Pdf, paragraph: Object) -> None:
    document.Root.StructTreeRoot.K = Array([paragraph] * 1000)


def wrong_types(document: Pdf, paragraph: Object) -> None:
    root = document.Root.StructTreeRoot
    root.ParentTree, root.RoleMap, root.ClassMap, root.IDTree = String("x"), 7, Array(), Name.None_
    paragraph.A, paragraph.C, paragraph.Alt, paragraph.T = 7, 7, 7, Array()
    odd: list[object] = [0, -1, 10**9, 0.5, True, None, String("x"), Array([0]), Dictionary(), Dictionary(S=7)]
    references = [Dictionary(Type=Name.MCR, MCID=Name.X), Dictionary(Type=Name.OBJR), Dictionary(Type=Name.OBJR, Obj=7)]
    paragraph.K = Array([*odd, *references, Dictionary(Type=Name.MCR, MCID=0, Stm=7, Pg=7)])


@pytest.mark.parametrize("change", [cycle, twice, wrong_types])
def test_of_a_broken_tree_what_can_be_read_is_kept(assembled: Assembled, change: Callable[[Pdf, Object], None]) -> None:
    with pypdfium2.PdfDocument(assembled(with_tree(change))) as document:
        assert spoken(document[1]) == [("P", "Said")]


def deep(document: Pdf, paragraph: Object) -> None:
    for _ in range(500):
        above = document.make_indirect(Dictionary(S=Name.Div, K=Array([paragraph])))
        paragraph = above
    document.Root.StructTreeRoot.K = Array([paragraph])


def many(document: Pdf, paragraph: Object) -> None:
    kids = document.make_indirect(Array([Dictionary(S=Name.Span)] * 600))
    paragraph.K = Array([document.make_indirect(Dictionary(S=Name.P, K=kids)) for _ in range(600)])


def long_texts(document: Pdf, paragraph: Object) -> None:
    text = document.make_indirect(String("x" * 1_000_000))
    paragraph.K = Array([document.make_indirect(Dictionary(S=Name.Span, Alt=text)) for _ in range(1000)])


def high_numbers(document: Pdf, paragraph: Object) -> None:
    streams = [document.make_stream(b"", Type=Name.XObject, Subtype=Name.Form) for _ in range(600)]
    paragraph.K = Array([Dictionary(Type=Name.MCR, Stm=each, MCID=tags.MOST_CONTENT_ITEMS - 1) for each in streams])


@pytest.mark.parametrize("change", [deep, many, long_texts, high_numbers])
def test_a_tree_that_is_too_large_is_left_out(
    assembled: Assembled, change: Callable[[Pdf, Object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "MOST", 10_000)
    sealed = assembled(with_tree(change))
    with read(sealed) as document:
        assert Name.StructTreeRoot not in document.Root
    with pypdfium2.PdfDocument(sealed) as document:
        assert "Said" in document[1].get_textpage().get_text_bounded()


@pytest.mark.parametrize("most", range(50, 500, 50))
def test_what_was_laid_out_is_sealed_however_near_to_the_limit(
    assembled: Assembled, tagged: bytes, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "MOST", most)
    with originals.opened(tagged) as original, read(lay_out(original)) as laid_out, read(assembled(tagged)) as sealed:
        assert tags.is_tagged(sealed) == tags.is_tagged(laid_out)


def test_footers_and_frames_are_not_read(assembled: Assembled, tagged: bytes) -> None:
    with read(assembled(tagged, pdfs.pdf("Small", size=(200, 200)))) as sealed:
        frame = pikepdf.unparse_content_stream(pikepdf.parse_content_stream(sealed.pages[3]))
        assert b"/Artifact BMC" in frame
        for page in list(sealed.pages)[1:]:
            *_, drawn = (each for each in pikepdf.parse_content_stream(page) if str(each.operator) == "Do")
            assert page.form_xobjects[str(drawn.operands[0])].read_bytes().startswith(b"/Artifact")
