"""The documents that a manifest names, of whichever flow."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from segl.core.protocol import _rules
from segl.core.protocol._message import Reader, add

MOST_DOCUMENT_BYTES = 10_485_760
"""Of a job's documents together (ARCHITECTURE.md, rule 1)."""


@dataclass(frozen=True, slots=True)
class ManifestDocument:
    """A document in the package: its title, file name (`href`) and media type."""

    title: str
    href: str
    media_type: str

    def __post_init__(self) -> None:
        _rules.text("document title", self.title, least=1, most=80)
        _rules.text("document href", self.href, least=4, most=100)
        _rules.text("document mime", self.media_type, least=1, most=100)


def check_documents(documents: Sequence[ManifestDocument]) -> None:
    _rules.count("documents", len(documents), 1, 20)


def write_documents(root: etree._Element, documents: Sequence[ManifestDocument]) -> None:
    parent = add(root, "documents")
    for document in documents:
        element = add(parent, "document", href=document.href, mime=document.media_type)
        add(element, "title", document.title)


def read_documents(reader: Reader) -> tuple[ManifestDocument, ...]:
    with reader.child("documents") as element:
        return tuple(_read_document(each) for each in element.each("document"))


def _read_document(reader: Reader) -> ManifestDocument:
    with reader:
        return ManifestDocument(
            href=reader.attribute("href"), media_type=reader.attribute("mime"), title=reader.text_of("title")
        )
