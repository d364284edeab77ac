"""Reading and writing the API's XML: children are taken in the schema's order, what is left is refused."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from lxml import etree

from segl.core.errors import InvalidMessage
from segl.core.protocol import _rules
from segl.core.xml import parse

NAMESPACE = "http://signering.posten.no/schema/v1"
_PREFIX = f"{{{NAMESPACE}}}"
_ALWAYS_ALLOWED = {
    f"{{http://www.w3.org/2001/XMLSchema-instance}}{name}" for name in ("schemaLocation", "noNamespaceSchemaLocation")
}


class Message(ABC):
    """A document of the API: `to_xml` and `from_xml`, which raises `InvalidMessage`."""

    __slots__ = ()
    tag: ClassVar[str]
    """The root element's name in the API's namespace."""
    strict: ClassVar[bool] = True
    """Whether what is unknown is refused (in what is sent to the service) or passed over (in its answers)."""

    def to_xml(self) -> bytes:
        root = etree.Element(_PREFIX + self.tag, nsmap={None: NAMESPACE})
        self._write(root)
        return etree.tostring(root, encoding="UTF-8", xml_declaration=True, standalone=True)

    @classmethod
    def from_xml(cls, data: bytes | memoryview) -> Self:
        root = parse(data)
        if root.tag != _PREFIX + cls.tag:
            raise InvalidMessage(f"The root element is {root.tag!s}; it must be {_PREFIX}{cls.tag}.")
        with Reader(root, cls.strict) as reader:
            return cls._read(reader)

    @classmethod
    def with_faults(cls, data: bytes | memoryview) -> tuple[Self | None, tuple[str, ...]]:
        """The message and every rule that it breaks, as far as it can be read: for reports, never to be acted on."""
        with _rules.listing() as faults:
            try:
                return cls.from_xml(data), tuple(faults)
            except InvalidMessage as error:
                return None, (*faults, str(error))

    @abstractmethod
    def _write(self, root: etree._Element) -> None: ...

    @classmethod
    @abstractmethod
    def _read(cls, reader: "Reader") -> Self: ...


class Reader:
    """An element being read. Leaving the `with` block checks that nothing unexpected is left in it."""

    def __init__(self, element: etree._Element, strict: bool) -> None:
        self.name = etree.QName(element).localname
        self._strict = strict
        self._children = list(element)
        self._text = "".join([element.text or "", *(child.tail or "" for child in element)])
        self._attributes = {str(key): str(value) for key, value in element.attrib.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.end()

    def optional(self, *names: str) -> "Reader | None":
        """The next child, when it has one of these names."""
        self._pass_over(names)
        if self._children and self._children[0].tag in {_PREFIX + name for name in names}:
            return Reader(self._children.pop(0), self._strict)
        return None

    def child(self, *names: str) -> "Reader":
        """The next child, which must have one of these names."""
        if found := self.optional(*names):
            return found
        instead = f"; there is {_shown(self._children[0])} instead" if self._children else ""
        raise InvalidMessage(f"In {self.name}, {' or '.join(names)} is missing{instead}.")

    def each(self, name: str) -> "list[Reader]":
        """The next children, as many as have this name."""
        found = []
        while child := self.optional(name):
            found.append(child)
        return found

    def text_of(self, name: str) -> str:
        return self.child(name).text()

    def optional_text_of(self, name: str) -> str | None:
        child = self.optional(name)
        return child.text() if child else None

    def optional_word_of(self, name: str, words: type[_rules.Word]) -> _rules.Word | None:
        text = self.optional_text_of(name)
        return None if text is None else _rules.word(name, text, words)

    def text(self) -> str:
        """The whole text of an element that holds nothing but text (and attributes taken before)."""
        text, self._text = self._text, ""
        self.end()
        return text

    def attribute(self, name: str) -> str:
        value = self.optional_attribute(name)
        if value is None:
            raise InvalidMessage(f"{self.name} has no attribute {name}.")
        return value

    def optional_attribute(self, name: str) -> str | None:
        return self._attributes.pop(name, None)

    def end(self) -> None:
        """Nothing may be left: children, text, attributes."""
        if not self._strict:
            return
        if self._children:
            _rules.refuse(f"In {self.name}, {_shown(self._children[0])} is not expected there; check the order.")
        if self._text.strip(" \t\r\n"):
            _rules.refuse(f"{self.name} has text of its own, {self._text.strip()[:40]!r}; it may not.")
        if unknown := self._attributes.keys() - _ALWAYS_ALLOWED:
            _rules.refuse(f"{self.name} has an attribute it may not have: {sorted(unknown)[0]}.")

    def _pass_over(self, names: tuple[str, ...]) -> None:
        """When reading leniently, skips children that are not known here if a wanted one comes after them."""
        wanted = {_PREFIX + name for name in names}
        if self._strict or not any(child.tag in wanted for child in self._children):
            return
        while self._children[0].tag not in wanted:
            self._children.pop(0)


def _shown(element: etree._Element) -> str:
    """The element's name, with its namespace when that is not the API's."""
    return str(element.tag).removeprefix(_PREFIX)


def add(parent: etree._Element, name: str, text: str | int | None = None, **attributes: str) -> etree._Element:
    """A new last child; `text` as it is."""
    child = etree.SubElement(parent, _PREFIX + name, attributes)
    child.text = None if text is None else str(text)
    return child


def add_optional(parent: etree._Element, name: str, text: str | int | None) -> None:
    if text is not None:
        add(parent, name, text)
