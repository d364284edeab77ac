"""What a program sends: senders, documents and jobs."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from segl.core.errors import InvalidDocument, InvalidInput
from segl.core.protocol import LONGEST_AVAILABLE, AuthenticationLevel, IdentifierInSignedDocuments, Signer
from segl.core.type_checks import check_kind, check_text
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
class PollingQueue:
    """A queue of status changes; the empty name is the default queue."""

    name: str = ""

    def __post_init__(self) -> None:
        check_text("The polling queue's name", self.name, write="a text (str)")


@dataclass(frozen=True, slots=True)
class Sender:
    """The organization on whose behalf jobs are sent (9 digits), and the queue its status changes go to."""

    organization_number: str
    polling_queue: PollingQueue = field(default_factory=PollingQueue)

    def __post_init__(self) -> None:
        check_organization_number(self.organization_number)
        check_kind("Sender.polling_queue", self.polling_queue, PollingQueue, write='PollingQueue("…")')


def check_organization_number(number: str) -> None:
    check_kind("An organization number", number, str, write='its 9 digits as a text, "…"')
    if not (len(number) == 9 and number.isascii() and number.isdecimal()):
        raise InvalidInput(f"An organization number is 9 digits; {number!r} is not.")


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


@dataclass(frozen=True, slots=True)
class Job:
    """Documents for signers to sign: one `Document`, or a list of them.

    reference:
        The sender's own, at most 50 characters; it comes back with each status change.
    title:
        1–80 characters; needed for several documents. That of a single document is its own.
    description:
        What the signers are told, at most 220 characters. That of a single document is its message.
    non_sensitive_title:
        What stands in mails and SMS, 1–80 characters; without it a general text does.
    authentication_level:
        The least security level of the eID that signers log in with.
    activation_time:
        From when it can be signed (aware; kept in UTC); at once without.
    available:
        How long each group of signers has, at most 90 days; the service's 30 days without.
    identifier_in_signed_documents:
        How the signed documents name the signers.
    sender:
        Instead of the configuration's.
    """

    document: Document | Sequence[Document]
    signers: Sequence[Signer]
    reference: str | None = None
    _: KW_ONLY
    title: str | None = None
    description: str | None = None
    non_sensitive_title: str | None = None
    authentication_level: AuthenticationLevel | None = None
    activation_time: datetime | None = None
    available: timedelta | None = None
    identifier_in_signed_documents: IdentifierInSignedDocuments | None = None
    sender: Sender | None = None

    def __post_init__(self) -> None:
        check_kind("Job.document", self.document, (Document, list, tuple), write="Document(…) or a list of them")
        for document in self.documents:
            check_kind("One of Job.document", document, Document, write="Document(…)")
        check_kind("Job.signers", self.signers, (list, tuple), write="a list, [Signer(…), …]")
        for signer in self.signers:
            check_kind("One of Job.signers", signer, Signer, write="Signer(…)", secret=True)
        for name, kind, write in _OPTIONAL:
            if (value := getattr(self, name)) is not None:
                check_kind(f"Job.{name}", value, kind, write=write)
        self._check_texts()
        self._check_times()
        for number, signer in enumerate(self.signers, 1):
            _check_told(number, signer)
        # So that jobs of one content are equal and have one hash, also the stored one that was read again.
        object.__setattr__(self, "signers", tuple(self.signers))
        if not isinstance(self.document, Document):
            object.__setattr__(self, "document", tuple(self.document))
        if self.activation_time is not None:
            object.__setattr__(self, "activation_time", _in_utc(self.activation_time))

    def _check_texts(self) -> None:
        if not self.documents:
            raise InvalidInput("A job needs at least one document: Job(Document(…), …).")
        if self.title is None and len(self.documents) != 1:
            raise InvalidInput(f"A job with {len(self.documents)} documents needs a title: Job(…, title=…).")
        messages = [each.message for each in self.documents if each.message]
        if messages and (self.description is not None or len(self.documents) > 1):
            raise InvalidInput(
                "A job has one description, which all its signers read: give Job(…, description=…), and None as the "
                "message of each document."
            )

    def _check_times(self) -> None:
        if self.activation_time is not None and self.activation_time.utcoffset() is None:
            raise InvalidInput(f"Job.activation_time is {self.activation_time}, without a time zone; give it one.")
        if self.available is None:
            return
        if self.available % timedelta(seconds=1):
            raise InvalidInput(f"Job.available is {self.available}; give whole seconds.")
        if not timedelta() <= self.available <= LONGEST_AVAILABLE:
            raise InvalidInput(f"Job.available is {self.available}; give from 0 to {LONGEST_AVAILABLE.days} days.")

    @property
    def documents(self) -> tuple[Document, ...]:
        """The documents, in their order, also when there is one."""
        return (self.document,) if isinstance(self.document, Document) else tuple(self.document)

    @property
    def file_names(self) -> tuple[str, ...]:
        """What signatures call the files; all differ, however upper and lower case are told apart."""
        names: dict[str, str] = {}
        for document in self.documents:
            number, name = 1, document.file_name
            while name.casefold() in names:
                number += 1
                name = document.numbered_file_name(number)
            names[name.casefold()] = name
        return tuple(names.values())


def _check_told(number: int, signer: Signer) -> None:
    """Whether the signer can be told of the job, as far as that shows here."""
    from segl.core.terms import contact_of, told_refusals  # a program that sends no jobs does without

    for refusal in told_refusals(number, signer):
        raise InvalidInput(refusal.sentence)
    contact = contact_of(signer)
    if contact and contact.email and not contact.email.address.strip():
        raise InvalidInput(f"The e-mail address of signer {number} is empty: give one, or leave email out.")


def _in_utc(activation_time: datetime) -> datetime:
    """The same moment. XML, unlike datetime, has no offsets with seconds or over 14 hours."""
    try:
        return activation_time.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"Job.activation_time is {activation_time}; give a time that exists in UTC too.") from None


_OPTIONAL: tuple[tuple[str, type, str], ...] = (
    ("reference", str, "a text (str)"),
    ("title", str, "a text (str)"),
    ("description", str, "a text (str)"),
    ("non_sensitive_title", str, "a text (str)"),
    ("authentication_level", AuthenticationLevel, "AuthenticationLevel.FOUR"),
    ("activation_time", datetime, "a datetime with a time zone"),
    ("available", timedelta, "a timedelta"),
    ("identifier_in_signed_documents", IdentifierInSignedDocuments, "IdentifierInSignedDocuments.NAME"),
    ("sender", Sender, 'Sender("…")'),
)
