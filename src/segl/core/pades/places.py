"""Where pages of one PDF lie in another, and how much may be carried from the one to the other besides them.

It parses PDFs from strangers, so the service runs it in a rendering child only.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from pikepdf import Array, Dictionary, Matrix, Name, Object, Page, Pdf, Rectangle, String

from segl.core.errors import InvalidDocument
from segl.core.pades import originals

T = TypeVar("T")
ObjectId = tuple[int, int]


class Place(NamedTuple):
    """Where a page lies: `matrix` leads from its space to that of the `sheet`, `box` is what it takes of the sheet.

    `form` draws the page's content; it is None if the sheet's content is the page's own.
    """

    sheet: Page
    box: Rectangle
    matrix: Matrix = Matrix()
    form: Object | None = None

    def point(self, x: float, y: float) -> tuple[float, float]:
        across, up = self.matrix.transform((x, y))
        return across, up

    def rectangle(self, area: Array) -> Rectangle | None:
        """The area on the sheet as far as the page shows it."""
        shown = self.matrix.transform(Rectangle(area)) & self.box
        return shown if shown.llx < shown.urx and shown.lly < shown.ury else None


class Budget:
    """What one document may have of links, outline, labels and tags. A structure that has more is left out."""

    MOST = 500_000
    """Some 3 s of work; a tagged page of text takes a few hundred."""
    LONG_TEXT = 64

    def __init__(self) -> None:
        self.left = self.MOST

    def spend(self, units: int = 1) -> None:
        self.left -= units
        if self.left < 0:
            raise ValueError("too much structure")

    def text(self, value: object) -> String | None:
        """A copy of a text, None of anything else."""
        if not isinstance(value, String):
            return None
        text = str(value)
        self.spend(1 + len(text) // self.LONG_TEXT)
        return String(text)


class Places:
    """The pages of a document, in their order, and where each lies in the result."""

    def __init__(self, source: Pdf, result: Pdf, places: Sequence[Place]) -> None:
        self.source, self.result, self.all = source, result, places
        self.budget = Budget()
        self._by_page = {page.obj.objgen: place for page, place in zip(source.pages, places, strict=True)}

    def of(self, page: object) -> Place | None:
        """The place of a page, by its object or its index."""
        if isinstance(page, int):
            return self.all[page] if 0 <= page < len(self.all) else None
        return self._by_page.get(page.objgen) if isinstance(page, Dictionary) else None


def or_nothing(read: Callable[..., T], *arguments: object) -> T | None:
    """What `read` gives, None if what it reads is damaged or too much. Pages are shown without it, too."""
    try:
        with originals.reading():
            return read(*arguments)
    except InvalidDocument:
        return None


def tree_entries(tree: object, kind: Name, budget: Budget) -> Iterator[tuple[Any, Any]]:
    """Keys and values of a number tree (`kind` Nums) or name tree (Names), however its nodes hang together."""
    waiting, seen = [tree], set[ObjectId]()
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Dictionary) or (node.is_indirect and node.objgen in seen):
            continue
        seen.add(node.objgen)
        flat = items(node.get(kind))
        budget.spend(1 + len(flat))
        yield from zip(flat[::2], flat[1::2], strict=False)
        waiting.extend(reversed(items(node.get(Name.Kids))))


def entry(holder: Object, key: str) -> Any:
    """An entry of a dictionary, or None. The method `get` takes twelve times as long for one that is not there."""
    return holder[key] if key in holder else None  # noqa: SIM401


def items(value: object) -> list[Any]:
    """The entries of an array; of anything else, none."""
    return list(value) if isinstance(value, Array) else []
