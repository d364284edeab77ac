"""The tags of a document whose pages were copied to sheets of another PDF: what screen readers go by.

The elements are made again from those that were read, with standard types, texts and plain attributes, so nothing else
comes along. The tree from the elements to the content is made from the elements as well: what the original says of it
(its parent tree) is not read.

It parses PDFs from strangers, so the service runs it in a rendering child only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pikepdf import Array, Dictionary, Name, NameTree, NumberTree, Object, Pdf, Stream, String

from segl.core.pades.places import ObjectId, Place, Places, entry, items, or_nothing

_STANDARD = (
    "/Document /Part /Art /Sect /Div /BlockQuote /Caption /TOC /TOCI /Index /NonStruct /Private /P /H /H1 /H2 /H3 /H4 "
    "/H5 /H6 /L /LI /Lbl /LBody /Table /TR /TH /TD /THead /TBody /TFoot /Span /Quote /Note /Reference /BibEntry /Code "
    "/Link /Annot /Ruby /RB /RT /RP /Warichu /WT /WP /Figure /Formula /Form"
)
STANDARD = frozenset(_STANDARD.split())
"""The types of elements in PDF 1.7 (ISO 32000-1, 14.8.4)."""
NEWER = {"/Title": "/P", "/Aside": "/Sect", "/DocumentFragment": "/Part", "/FENote": "/Note", "/Hn": "/H6"} | {
    f"/{name}": "/Span" for name in ("Em", "Strong", "Sub")
}
"""Types of PDF 2.0 and what comes closest in 1.7."""
ATTRIBUTES = {
    "/Table": ("/RowSpan", "/ColSpan", "/Headers", "/Scope", "/Summary"),
    "/List": ("/ListNumbering",),
    "/Layout": ("/Placement", "/WritingMode", "/BBox"),
    "/PrintField": ("/Role", "/checked", "/Checked", "/Desc"),
}
"""The attributes that are kept, by their owner."""
TEXTS = ("/T", "/Lang", "/Alt", "/E", "/ActualText")
DEEPEST = 100
"""Readers go through the tree recursively, and stop near this depth themselves."""
MOST_CONTENT_ITEMS = 100_000
"""In the content of one page or form."""


@dataclass(slots=True)
class _Element:
    """An element of the result, its kids, and the page that the original's marked content is on."""

    made: Object
    kids: list[Object] = field(default_factory=list)
    place: Place | None = None
    depth: int = 1


@dataclass(slots=True)
class _Contents:
    """The marked content of one stream: the element of each number in it, and what refers to that list by its key."""

    owners: list[Object]
    elements: dict[int, Object] = field(default_factory=dict)


def is_tagged(document: Pdf) -> bool:
    mark = document.Root.get(Name.MarkInfo)
    marked = isinstance(mark, Dictionary) and bool(mark.get(Name.Marked, False))
    return marked and isinstance(document.Root.get(Name.StructTreeRoot), Dictionary)


def forget(document: Pdf) -> None:
    """Remove what tags a document, except from pages."""
    for key in (Name.StructTreeRoot, Name.MarkInfo):
        if key in document.Root:
            del document.Root[key]


def forget_keys(document: Pdf) -> None:
    """Remove what says where the document's own parent tree has its content."""
    for each in document.objects:
        if isinstance(each, Stream | Dictionary):
            for key in (Name.StructParents, Name.StructParent):
                if key in each:
                    del each[key]


def copied(
    places: Places, links: Mapping[ObjectId, Object], top: Name, title: str = "", ids: str = ""
) -> Object | None:
    """The document's elements in one of the type `top`, ready for `add`; None if there are none, or too many.

    Their IDs begin with `ids`, so that those of several documents differ.
    """
    if not is_tagged(places.source):
        return None
    copying = or_nothing(lambda: _Copying(places, links, _Element(_top(places.result, top, title)), ids))
    return copying.written() if copying else None


def covered(places: Places, title: str) -> Object:
    """A document without tags as elements for `add`: each sheet is a paragraph, its content number 0."""
    result = places.result
    part = _top(result, Name.Part, title)
    part.K = Array()
    for place in places.all:
        sheet = place.sheet.obj
        part.K.append(result.make_indirect(Dictionary(Type=Name.StructElem, S=Name.P, P=part, Pg=sheet, K=0)))
        _add_key(result, [sheet], Name.StructParents, result.make_indirect(Array([part.K[-1]])))
    return part


def add(element: Object, result: Pdf) -> None:
    """Put an element at the end of the result's tree: into its document element, or as that."""
    root = _root(result)
    document = _single_document(root)
    if document is None:
        root.K, element.P = Array([element]), root
    else:
        document.K, element.P = Array([*_several(entry(document, "/K")), element]), document
    result.Root.MarkInfo = Dictionary(Marked=True)


def _top(result: Pdf, kind: Name, title: str) -> Object:
    made = result.make_indirect(Dictionary(Type=Name.StructElem, S=kind))
    if title:
        made.T = String(title)
    return made


def _root(result: Pdf) -> Object:
    if Name.StructTreeRoot not in result.Root:
        root = Dictionary(Type=Name.StructTreeRoot, ParentTree=NumberTree.new(result).obj, ParentTreeNextKey=0)
        result.Root.StructTreeRoot = result.make_indirect(root)
    return result.Root.StructTreeRoot


def _single_document(root: Object) -> Object | None:
    """The document element that has all others, as there should be one."""
    tops = _several(entry(root, "/K"))
    single = len(tops) == 1 and isinstance(tops[0], Dictionary) and tops[0].get(Name.S) == Name.Document
    return tops[0] if single else None


def _add_key(result: Pdf, owners: Sequence[Object], name: Name, value: Object) -> None:
    """Enter in the parent tree what the content of `owners` belongs to."""
    root = _root(result)
    key = int(root.ParentTreeNextKey)
    NumberTree(root.ParentTree)[key] = value
    root.ParentTreeNextKey = key + 1
    for owner in owners:
        owner[name] = key


def _several(value: object) -> list[Any]:
    """What an entry has that may be an array or one value."""
    return items(value) if isinstance(value, Array) else [] if value is None else [value]


class _Copying:
    """The elements of one document, made for the result but not yet in its tree."""

    def __init__(self, places: Places, links: Mapping[ObjectId, Object], top: _Element, ids: str) -> None:
        self.places, self.budget, self.links, self.top, self.ids = places, places.budget, links, top, ids
        root = places.source.Root.StructTreeRoot
        self.roles, self.classes = entry(root, "/RoleMap"), entry(root, "/ClassMap")
        self.contents: dict[ObjectId, _Contents] = {}
        self.linked: dict[ObjectId, tuple[Object, Object]] = {}
        self.named: dict[str, Object] = {}
        document = _single_document(root)
        language = entry(document, "/Lang") if document is not None else None
        text = self.budget.text(language or places.source.Root.get(Name.Lang))
        if text is not None:
            top.made.Lang = text
        self._copy(root if document is None else document)

    def _copy(self, root: Object) -> None:
        elements, seen = [self.top], set[ObjectId]()
        waiting = self._kids(root, self.top)
        while waiting:
            kid, parent = waiting.pop()
            if not isinstance(kid, Dictionary):
                self._add_content(kid, None, parent.place, parent)
            elif entry(kid, "/Type") == Name.MCR:
                place = self.places.of(entry(kid, "/Pg")) or parent.place
                self._add_content(entry(kid, "/MCID"), entry(kid, "/Stm"), place, parent)
            elif entry(kid, "/Type") == Name.OBJR:
                self._add_link(entry(kid, "/Obj"), parent)
            elif not (kid.is_indirect and kid.objgen in seen):
                seen.add(kid.objgen)
                element = self._element(kid, parent)
                if element:
                    elements.append(element)
                    waiting += self._kids(kid, element)
        for element in elements:
            element.made.K = Array(element.kids)
        for contents in self.contents.values():
            self.budget.spend(max(contents.elements))

    def _kids(self, original: Object, element: _Element) -> list[tuple[object, _Element]]:
        kids = _several(entry(original, "/K"))
        self.budget.spend(len(kids))
        return [(kid, element) for kid in reversed(kids)]

    def _element(self, original: Object, parent: _Element) -> _Element | None:
        kind = self._kind(entry(original, "/S"))
        if kind is None:
            return None
        if parent.depth >= DEEPEST:
            raise ValueError("the tags are nested too deeply")
        self.budget.spend(4)
        made = Dictionary(Type=Name.StructElem, S=kind, P=parent.made)
        for key in TEXTS:
            text = self.budget.text(entry(original, key))
            if text is not None:
                made[key] = text
        place = self.places.of(entry(original, "/Pg"))
        if place is not None:
            made.Pg = place.sheet.obj
        attributes = [each for kept in self._attributes(original) if (each := or_nothing(self._attribute, kept, place))]
        if attributes:
            made.A = Array(attributes)
        parent.kids.append(self.places.result.make_indirect(made))
        if isinstance(own := entry(original, "/ID"), String):
            parent.kids[-1].ID = self._id(own)
            self.named.setdefault(str(parent.kids[-1].ID), parent.kids[-1])
        return _Element(parent.kids[-1], place=place, depth=parent.depth + 1)

    def _kind(self, role: object) -> Name | None:
        """The standard type that a role is mapped to; None for an artifact."""
        for _ in range(8):
            if not isinstance(role, Name) or role == Name.Artifact:
                return None
            if str(role) in STANDARD:
                return Name(str(role))  # a new one, since a name may be an object of its own in its document
            mapped = entry(self.roles, str(role)) if isinstance(self.roles, Dictionary) else None
            role = Name(NEWER.get(str(role), "/NonStruct")) if mapped is None else mapped
        return Name.NonStruct

    def _attributes(self, original: Object) -> Iterator[object]:
        """The attribute objects of an element, those of its classes too."""
        yield from _several(entry(original, "/A"))
        for name in _several(entry(original, "/C")):
            if isinstance(name, Name) and isinstance(self.classes, Dictionary):
                yield from _several(entry(self.classes, str(name)))

    def _attribute(self, original: object, place: Place | None) -> Dictionary | None:
        self.budget.spend()
        if not isinstance(original, Dictionary):
            return None
        owner = entry(original, "/O")
        if not isinstance(owner, Name):
            return None
        kept = Dictionary(O=Name(str(owner)))
        for key in ATTRIBUTES.get(str(owner), ()):
            value = self._value(key, entry(original, key), place)
            if value is not None:
                kept[key] = value
        return kept if len(kept) > 1 else None

    def _value(self, key: str, value: object, place: Place | None) -> object:
        if key == "/BBox":
            shown = place.rectangle(value) if place and isinstance(value, Array) else None
            return Array([shown.llx, shown.lly, shown.urx, shown.ury]) if shown else None
        if key == "/Headers":
            ids = [self._id(each) for each in items(value) if isinstance(each, String)]
            return Array(ids) if ids else None
        if isinstance(value, String):
            return self.budget.text(value)
        if isinstance(value, Name):
            return Name(str(value))
        return None if isinstance(value, Object) else value

    def _id(self, original: String) -> String:
        return String(self.ids + str(self.budget.text(original)))

    def _add_content(self, number: object, form: object, place: Place | None, parent: _Element) -> None:
        """Add marked content: of the page, or of a form that is drawn on it."""
        if place is None or not isinstance(number, int) or not 0 <= number < MOST_CONTENT_ITEMS:
            return
        self.budget.spend(3)
        sheet, stream = place.sheet.obj, place.form
        if isinstance(form, Stream) and entry(form, "/Subtype") == Name.Form:
            stream = self.places.result.copy_foreign(form)
        owners: list[Object] = [sheet if stream is None else stream]
        kid = Dictionary(Type=Name.MCR, Pg=sheet, MCID=number)
        if stream is not None:
            kid.Stm = stream
            if place.form is not None and stream.objgen == place.form.objgen:
                owners.append(sheet)  # PDFium looks for the key of a page alone.
        contents = self.contents.setdefault(owners[0].objgen, _Contents(owners))
        if number not in contents.elements:
            contents.elements[number] = parent.made
            parent.kids.append(kid)

    def _add_link(self, original: Object | None, parent: _Element) -> None:
        link = self.links.get(original.objgen) if isinstance(original, Dictionary) and original.is_indirect else None
        if link is not None and link.objgen not in self.linked:
            self.linked[link.objgen] = (link, parent.made)
            parent.kids.append(Dictionary(Type=Name.OBJR, Obj=link))

    def written(self) -> Object:
        """The top element, when the ways from the content to the elements and from their IDs are in the result."""
        result = self.places.result
        for contents in self.contents.values():
            elements = Array([contents.elements.get(at) for at in range(max(contents.elements) + 1)])
            _add_key(result, contents.owners, Name.StructParents, result.make_indirect(elements))
        for link, element in self.linked.values():
            _add_key(result, [link], Name.StructParent, element)
        if self.named:
            root = _root(result)
            if Name.IDTree not in root:
                root.IDTree = NameTree.new(result).obj
            names = NameTree(root.IDTree)
            for name, element in self.named.items():
                names[name] = element
        return self.top.made
