"""Whether the pages of a sealed PDF are those that were laid out and shown to its signers.

It parses PDFs made of strangers' ones, so the service runs it in a rendering child only.
"""

import hashlib
from collections.abc import Iterator, Sequence
from io import BytesIO

from pikepdf import Array, Dictionary, Name, Object, Page, Pdf, Stream, parse_content_stream

from segl.core.errors import InvalidDocument
from segl.core.pades import originals


def check_same(sealed: bytes | memoryview, documents: Sequence[bytes | memoryview]) -> None:
    """Make sure that the last pages of a sealed PDF are the sheets of the laid-out documents, each below its footer.

    Raises:
        InvalidDocument: One is not, or a PDF cannot be read.
    """
    with originals.reading(), Pdf.open(BytesIO(sealed)) as result:
        at = len(result.pages)
        for content in reversed(documents):
            with Pdf.open(BytesIO(content)) as laid_out:
                at -= len(laid_out.pages)
                if at < 0 or not _are_same(list(result.pages)[at : at + len(laid_out.pages)], list(laid_out.pages)):
                    raise InvalidDocument("The sealed PDF does not show the pages that were laid out for its signers.")


def _are_same(pages: Sequence[Page], sheets: Sequence[Page]) -> bool:
    """Whether pages show the same as sheets, and their links lead to the same places."""
    same = all(map(_is_same, pages, sheets))
    return same and list(_links(pages)) == list(_links(sheets))


def _is_same(page: Page, sheet: Page) -> bool:
    """Whether a page draws what the sheet does, with the same resources, and then one form more, the footer."""
    drawn, own = _instructions(page), _instructions(sheet)
    before, sheets_own, footer = drawn[:1], drawn[1 : 1 + len(own)], drawn[1 + len(own) :]
    operators = [operator for operator, *_ in footer]
    if (before, sheets_own) != ([("q",)], own) or operators != ["Q", "q", "cm", "Do", "Q"]:
        return False
    resources = _without(page.obj.Resources, str(footer[3][1]))
    return _digest(resources) == _digest(sheet.obj.Resources) and _rest(page) == _rest(sheet)


def _rest(page: Page) -> dict[str, str]:
    """What else a page shows, and where."""
    entries = ("/MediaBox", "/CropBox", "/ArtBox", "/Rotate", "/UserUnit")
    return {name: _text(page.obj[name]) for name in entries if name in page.obj}


def _links(pages: Sequence[Page]) -> Iterator[list[tuple[str, str]]]:
    """What there is of annotations, page by page; a page that a link leads to is given by its number."""
    numbers = {page.obj.objgen: number for number, page in enumerate(pages)}
    for page in pages:
        yield []
        for each in page.obj.get(Name.Annots, Array()):
            entries = {name: _text(value) for name, value in each.items() if name != "/StructParent"}
            if Name.Dest in each:
                entries["/Dest"] = str([numbers.get(each.Dest[0].objgen), *map(_text, list(each.Dest)[1:])])
            yield sorted(entries.items())


def _instructions(page: Page) -> list[tuple[str, ...]]:
    """Each operator of the page's content, and its operands."""
    return [(str(each.operator), *map(_text, each.operands)) for each in parse_content_stream(page)]


def _text(operand: object) -> str:
    return operand.unparse().decode("latin-1") if isinstance(operand, Object) else str(operand)


def _without(resources: Object, form: str) -> Object:
    """The resources without one form."""
    rest = Dictionary({name: each for name, each in resources.items() if name != "/XObject"})
    rest.XObject = Dictionary({name: each for name, each in resources.XObject.items() if name != form})
    return rest


def _digest(root: Object) -> bytes:
    """A digest of an object and all that it refers to, whatever the numbers of the objects."""
    begun: dict[tuple[int, int], int] = {}
    digest = hashlib.sha256()
    waiting: list[object] = [root]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, Object):
            digest.update(f"{each};".encode())
            continue
        if each.is_indirect:
            if each.objgen in begun:
                digest.update(b"as %d;" % begun[each.objgen])
                continue
            begun[each.objgen] = len(begun)
        if isinstance(each, Stream):
            digest.update(b"stream")
            digest.update(hashlib.sha256(each.read_raw_bytes()).digest())
        if isinstance(each, Stream | Dictionary):
            entries = sorted((name, value) for name, value in each.items() if name not in _unshown(each))
            digest.update(f"{[name for name, _ in entries]}".encode())
            waiting.extend(value for _, value in entries)
        elif isinstance(each, Array):
            digest.update(b"array%d;" % len(each))
            waiting.extend(each)
        else:
            digest.update(each.unparse(resolved=True) + b";")
    return digest.digest()


def _unshown(each: Object) -> set[str]:
    """The entries that change nothing on a page; qpdf leaves out the filters of a stream without bytes."""
    is_empty = isinstance(each, Stream) and not each.read_raw_bytes()
    return {"/Length", "/StructParents"} | ({"/Filter", "/DecodeParms"} if is_empty else set())
