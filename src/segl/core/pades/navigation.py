"""Links, outline and page labels of a document whose pages were copied to sheets of another PDF.

Of what a link or a bookmark does, only two things are kept: it leads to a page of its own document, or to a web or mail
address. They are made again from what was read, so nothing else comes along.

It parses PDFs from strangers, so the service runs it in a rendering child only.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from pikepdf import Array, Dictionary, Name, Object, OutlineItem, Page, Pdf, Rectangle, String

from segl.core.pades.places import Budget, ObjectId, Place, Places, items, or_nothing, tree_entries

ADDRESS = re.compile(r"(https?://|mailto:)\S+", re.IGNORECASE)
LONGEST_ADDRESS = 8192
DEEPEST_OUTLINE = 12
LABEL_STYLES = (Name.D, Name.R, Name.r, Name.A, Name.a)


class Target(NamedTuple):
    """Where a link or a bookmark leads: an explicit destination, or an action with an address."""

    destination: Array | None = None
    action: Dictionary | None = None


class Targets:
    """Reads where links and bookmarks of a document lead."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._named: dict[bytes, object] | None = None

    def of(self, holder: Object) -> Target | None:
        """The target of a link or a bookmark, if it is one of those that are kept."""
        action = holder.get(Name.A)
        if not isinstance(action, Dictionary):
            return self._inside(holder.get(Name.Dest))
        if action.get(Name.S) == Name.GoTo:
            return self._inside(action.get(Name.D))
        if action.get(Name.S) == Name.URI:
            return self._outside(action.get(Name.URI))
        return None

    def _outside(self, address: object) -> Target | None:
        text = self._places.budget.text(address)
        if text is None or len(str(text)) > LONGEST_ADDRESS or not ADDRESS.fullmatch(str(text).strip()):
            return None
        encoded = quote(str(text).strip(), safe="!#$%&'()*+,/:;=?@[]~")
        return Target(action=Dictionary(S=Name.URI, URI=String(encoded)))

    def _inside(self, destination: object) -> Target | None:
        explicit = self._explicit(destination)
        place = self._places.of(explicit[0]) if explicit else None
        return Target(destination=_destination(place, explicit)) if place else None

    def _explicit(self, destination: object) -> list[Any]:
        """The array of a destination, which may have a name."""
        if isinstance(destination, Name | String):
            if self._named is None:
                self._named = or_nothing(self._names) or {}
            destination = self._named.get(_key(destination))
        if isinstance(destination, Dictionary):
            destination = destination.get(Name.D)
        return items(destination)

    def _names(self) -> dict[bytes, object]:
        root = self._places.source.Root
        old = root.get(Name.Dests)
        named: dict[bytes, object] = (
            {name.encode(): each for name, each in old.items()} if isinstance(old, Dictionary) else {}
        )
        names = root.get(Name.Names)
        tree = names.get(Name.Dests) if isinstance(names, Dictionary) else None
        for key, value in tree_entries(tree, Name.Names, self._places.budget):
            if isinstance(key, String):
                named.setdefault(bytes(key), value)
        return named


def _key(name: Name | String) -> bytes:
    return bytes(name) if isinstance(name, String) else str(name).encode()


def _destination(place: Place, explicit: Sequence[Any]) -> Array:
    """A destination on the place's sheet (ISO 32000-1, table 151); a zoom is left to the reader."""
    page, kind = place.sheet.obj, explicit[1] if len(explicit) > 1 else None
    numbers = [None if each is None else float(each) for each in explicit[2:6]]
    if kind == Name.FitR and len(numbers) == 4 and None not in numbers:
        shown = place.rectangle(Array(numbers))
        return Array([page, Name.FitR, *_corners(shown)]) if shown else Array([page, Name.Fit])
    if kind == Name.XYZ and len(numbers) >= 2:
        left, top = numbers[:2]
    elif kind in (Name.FitH, Name.FitBH) and numbers:
        left, top = None, numbers[0]
    else:
        return Array([page, Name.Fit])
    if left is None and top is None:
        return Array([page, Name.XYZ, None, None, None])
    box = place.matrix.inverse().transform(place.box)
    x, y = place.point(box.llx if left is None else left, box.ury if top is None else top)
    return Array([page, Name.XYZ, round(x, 3), round(y, 3), None])


def _corners(area: Rectangle) -> list[float]:
    return [round(each, 3) for each in (area.llx, area.lly, area.urx, area.ury)]


def carry_links(places: Places, targets: Targets) -> dict[ObjectId, Object]:
    """Lay the document's links on its sheets; gives them by the id of the link that each was made of."""
    made: dict[ObjectId, Object] = {}
    on_sheets = or_nothing(
        lambda: [
            _links(page, place, targets, places, made)
            for page, place in zip(places.source.pages, places.all, strict=True)
        ]
    )
    for place, links in zip(places.all, on_sheets or [[]] * len(places.all), strict=True):
        if links:
            place.sheet.obj.Annots, place.sheet.obj.Tabs = Array(links), Name.S
        elif Name.Annots in place.sheet.obj:
            del place.sheet.obj[Name.Annots]
    return made if on_sheets else {}


def _links(page: Page, place: Place, targets: Targets, places: Places, made: dict[ObjectId, Object]) -> list[Object]:
    """The links of a page, as they are on its sheet."""
    links: list[Object] = []
    for each in items(page.obj.get(Name.Annots)):
        places.budget.spend()
        link = or_nothing(_link, each, place, targets, places.budget) if _is_link(each) else None
        if link is not None:
            links.append(places.result.make_indirect(link))
            made[each.objgen] = links[-1]
    return links


def _is_link(annotation: object) -> bool:
    return isinstance(annotation, Dictionary) and annotation.get(Name.Subtype) == Name.Link


def _link(original: Object, place: Place, targets: Targets, budget: Budget) -> Dictionary | None:
    area, target = place.rectangle(Array(items(original.get(Name.Rect)))), targets.of(original)
    if area is None or target is None:
        return None
    budget.spend(10)
    link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array(_corners(area)), Border=Array([0, 0, 0]), F=4)
    if target.action is not None:
        link.A = target.action
    else:
        link.Dest = target.destination
    said = budget.text(original.get(Name.Contents))
    if said is not None:
        link.Contents = said
    parts = _parts(original, place, budget)
    if parts:
        link.QuadPoints = Array(parts)
    return link


def _parts(original: Object, place: Place, budget: Budget) -> list[float]:
    """The corners of the parts of a link that goes over several lines, as far as the page shows them."""
    numbers = [float(each) for each in items(original.get(Name.QuadPoints))]
    budget.spend(len(numbers))
    if len(numbers) % 8:
        return []
    corners = []
    for at in range(0, len(numbers), 8):
        across, up = numbers[at : at + 8 : 2], numbers[at + 1 : at + 8 : 2]
        shown = place.rectangle(Array([min(across), min(up), max(across), max(up)]))
        if shown:
            left, low, right, high = _corners(shown)
            corners += [left, high, right, high, left, low, right, low]
    return corners


def outline(places: Places, targets: Targets) -> list[OutlineItem]:
    """The bookmarks of a document."""
    return or_nothing(_outline, places, targets) or []


def _outline(places: Places, targets: Targets) -> list[OutlineItem]:
    root = places.source.Root.get(Name.Outlines)
    if not isinstance(root, Dictionary):
        return []
    top: list[OutlineItem] = []
    waiting, seen = [(root.get(Name.First), top, 1)], set[ObjectId]()
    while waiting:
        entry, siblings, depth = waiting.pop()
        if not isinstance(entry, Dictionary) or entry.objgen in seen:
            continue
        seen.add(entry.objgen)
        places.budget.spend(10)
        target = or_nothing(targets.of, entry) or Target()
        item = OutlineItem(
            str(places.budget.text(entry.get(Name.Title)) or ""), destination=target.destination, action=target.action
        )
        item.is_closed = isinstance(count := entry.get(Name.Count), int) and count < 0
        siblings.append(item)
        waiting.append((entry.get(Name.Next), siblings, depth))
        # What is deeper than readers show comes one level up.
        deeper = depth < DEEPEST_OUTLINE
        waiting.append((entry.get(Name.First), item.children if deeper else siblings, depth + deeper))
    return top


def write_outline(result: Pdf, bookmarks: Sequence[OutlineItem]) -> None:
    if bookmarks:
        with result.open_outline() as written:
            written.root[:] = bookmarks


def page_labels(places: Places) -> dict[int, Dictionary]:
    """The ranges of page labels of a document by the index of their first page (ISO 32000-1, 12.4.2)."""
    return or_nothing(_page_labels, places) or {}


def _page_labels(places: Places) -> dict[int, Dictionary]:
    labels = {}
    for index, label in tree_entries(places.source.Root.get(Name.PageLabels), Name.Nums, places.budget):
        if not (isinstance(index, int) and 0 <= index < len(places.all) and isinstance(label, Dictionary)):
            continue
        kept = labels[index] = Dictionary()
        if (style := label.get(Name.S)) in LABEL_STYLES:
            kept.S = style
        if (prefix := places.budget.text(label.get(Name.P))) is not None:
            kept.P = prefix
        if isinstance(start := label.get(Name.St), int) and 1 < start < 2**31:
            kept.St = start
    return {0: Dictionary(S=Name.D)} | labels if labels else {}


def write_page_labels(result: Pdf, labels: Mapping[int, Dictionary]) -> None:
    if labels:
        numbers = [each for index in sorted(labels) for each in (index, labels[index])]
        result.Root.PageLabels = Dictionary(Nums=Array(numbers))
