"""What is signed: documents, their types and the names that signatures call them by."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from segl.core.errors import InvalidDocument
from segl.core.type_checks import check_kind
from segl.sdk.files import read_file

MAX_FILE_NAME = 100  # characters; the schema's limit for a document's href


class FileType(StrEnum):
    """What kind of file a document is; the value is its media type. A text is UTF-8."""

    PDF = "application/pdf"
    TXT = "text/plain"

    @property
    def suffix(self) -> str:
        """The file name extension."""
        return f".{self.name.lower()}"


@dataclass(frozen=True, slots=True)
class Document:
    """A file to be signed and its `title` (1–80 characters).

    `message` (at most 220 characters) is shown to the signers; None or "" if the job has a description instead.
    `file` is a path, read when the job is sent, or the content itself as bytes.
    """

    title: str
    message: str | None
    file_type: FileType
    file: str | os.PathLike[str] | bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_kind("Document.title", self.title, str, write="a text (str)")
        check_kind("Document.message", self.message, (str, type(None)), write="a text (str), or None")
        check_kind("Document.file_type", self.file_type, FileType, write="FileType.PDF or FileType.TXT")
        check_kind("Document.file", self.file, (str, os.PathLike, bytes), write="a path, or the content as bytes")
        if isinstance(self.file, os.PathLike):  # as it is stored, so that both documents are equal
            object.__setattr__(self, "file", os.fsdecode(self.file))

    def read(self) -> bytes:
        """Return the file's content; raise InvalidDocument if it is unreadable, empty, or not what `file_type` says."""
        content = self.file if isinstance(self.file, bytes) else read_file(self.file, InvalidDocument)
        if not content:
            raise InvalidDocument(f"{self.file_name}: The document is empty; give one that has content.")
        for fault in content_faults(self.file_type, content):
            raise InvalidDocument(f"{self.file_name}: {fault}")
        return content

    @property
    def file_name(self) -> str:
        """The file's name in signatures: its own or one made from the title, at most 100 characters."""
        return self.numbered_file_name(1)

    def numbered_file_name(self, number: int) -> str:
        """Return the name of the nth file of the same name; the first has no number."""
        name = _plain(self.title) if isinstance(self.file, bytes) else Path(self.file).name
        named = unicodedata.normalize("NFC", name)
        # Backslash and colon separate paths on some systems, so packages with them are refused.
        printable = "".join(c if c.isprintable() and c not in "\\:" else "_" for c in named)
        suffix = self.file_type.suffix
        stem = re.sub(rf"\{suffix}$", "", printable, flags=re.IGNORECASE)
        ending = ("" if number == 1 else f"_{number}") + (printable[len(stem) :] or suffix)
        return f"{stem[: MAX_FILE_NAME - len(ending)]}{ending}"


def file_names(documents: Iterable[Document]) -> tuple[str, ...]:
    """Return the files' names in signatures; they differ by more than case."""
    names: dict[str, str] = {}
    for document in documents:
        number, name = 1, document.file_name
        while name.casefold() in names:
            number += 1
            name = document.numbered_file_name(number)
        names[name.casefold()] = name
    return tuple(names.values())


def content_faults(file_type: FileType, content: bytes | memoryview) -> Iterator[str]:
    """Yield a sentence if the content is not of its type, as the service would report."""
    if file_type is FileType.PDF and b"%PDF-" not in bytes(content[:1024]):
        yield f"The document is not a PDF; send one, or text as {FileType.TXT}."
    if file_type is FileType.TXT:
        try:
            str(content, "utf-8")
        except UnicodeDecodeError as error:
            yield f"The text is not UTF-8 at byte {error.start}: save it as UTF-8 and send that."


def _plain(title: str) -> str:
    return re.sub(r"[^\w-]+", "_", title).strip("_") or "document"
