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
        """How the names of such files end."""
        return f".{self.name.lower()}"


@dataclass(frozen=True, slots=True)
class Document:
    """A file to be signed and its `title` (1–80 characters).

    `message` (at most 220 characters) tells the signers what they get; None, or "", where the job's description does.
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
        """The file's content; InvalidDocument when it cannot be read, or is empty or not what `file_type` says."""
        content = self.file if isinstance(self.file, bytes) else read_file(self.file, InvalidDocument)
        if not content:
            raise InvalidDocument(f"{self.file_name}: The document is empty; give one with a content.")
        for fault in content_faults(self.file_type, content):
            raise InvalidDocument(f"{self.file_name}: {fault}")
        return content

    @property
    def file_name(self) -> str:
        """What signatures call the file: its own name or one from the title, at most 100 characters."""
        return self.numbered_file_name(1)

    def numbered_file_name(self, number: int) -> str:
        """The name of the so-manyth file that would have this name; the first has no number."""
        name = _plain(self.title) if isinstance(self.file, bytes) else Path(self.file).name
        named = unicodedata.normalize("NFC", name)
        # Backslash and colon part a path on some systems, so that packages with them are refused.
        printable = "".join(c if c.isprintable() and c not in "\\:" else "_" for c in named)
        suffix = self.file_type.suffix
        stem = re.sub(rf"\{suffix}$", "", printable, flags=re.IGNORECASE)
        ending = ("" if number == 1 else f"_{number}") + (printable[len(stem) :] or suffix)
        return f"{stem[: MAX_FILE_NAME - len(ending)]}{ending}"


def file_names(documents: Iterable[Document]) -> tuple[str, ...]:
    """What signatures call the files; all differ, however upper and lower case are told apart."""
    names: dict[str, str] = {}
    for document in documents:
        number, name = 1, document.file_name
        while name.casefold() in names:
            number += 1
            name = document.numbered_file_name(number)
        names[name.casefold()] = name
    return tuple(names.values())


def content_faults(file_type: FileType, content: bytes | memoryview) -> Iterator[str]:
    """Says that a content is not of its type, as the service would."""
    if file_type is FileType.PDF and b"%PDF-" not in bytes(content[:1024]):
        yield f"The document is not a PDF; send one, or text as {FileType.TXT}."
    if file_type is FileType.TXT:
        try:
            str(content, "utf-8")
        except UnicodeDecodeError as error:
            yield f"The text is not UTF-8 at byte {error.start}: save it as UTF-8 and send that."


def _plain(title: str) -> str:
    return re.sub(r"[^\w-]+", "_", title).strip("_") or "document"
