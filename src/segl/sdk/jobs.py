"""What a program says and hears about portal jobs: jobs and their documents out, status changes back."""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from segl.core.errors import InvalidDocument, InvalidInput
from segl.core.kinds import check_kind
from segl.core.protocol import (
    AuthenticationLevel,
    ContactInformation,
    PersonalIdentificationNumber,
    PortalSignature,
    PortalStatusChange,
    SignatureStatus,
    Signer,
)
from segl.sdk.errors import NotAvailableError

MAX_FILE_NAME = 100  # characters; the schema's limit for a document's href


class FileType(StrEnum):
    """What kind of file a document is; the value is its media type."""

    PDF = "application/pdf"


class JobStatus(StrEnum):
    """Where a job stands; NO_CHANGES when the queue had nothing to tell."""

    NO_CHANGES = "NO_CHANGES"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED_SUCCESSFULLY = "COMPLETED_SUCCESSFULLY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class PollingQueue:
    """A queue of status changes; the empty name is the default queue."""

    name: str = ""

    def __post_init__(self) -> None:
        check_kind("The polling queue's name", self.name, str, write="a text (str)")


@dataclass(frozen=True, slots=True)
class Sender:
    """The organization on whose behalf jobs are sent (9 digits), and the queue its status changes go to."""

    organization_number: str
    polling_queue: PollingQueue = PollingQueue()

    def __post_init__(self) -> None:
        check_organization_number(self.organization_number)
        check_kind("Sender.polling_queue", self.polling_queue, PollingQueue, write='PollingQueue("…")')


def check_organization_number(number: str) -> None:
    check_kind("An organization number", number, str, write='its 9 digits as a text, "…"')
    if not re.fullmatch(r"[0-9]{9}", number):
        raise InvalidInput(f"An organization number is 9 digits; {number!r} is not.")


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be signed: `title` (1–80 characters), `message` to the signers (at most 220) and the file.

    `file` is a path, read when the job is sent, or the content itself as bytes.
    """

    title: str
    message: str
    file_type: FileType
    file: str | os.PathLike[str] | bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_kind("Document.title", self.title, str, write="a text (str)")
        check_kind("Document.message", self.message, str, write="a text (str)")
        check_kind("Document.file_type", self.file_type, FileType, write="FileType.PDF")
        check_kind("Document.file", self.file, (str, os.PathLike, bytes), write="a path, or the content as bytes")

    def read(self) -> bytes:
        """The file's content; InvalidDocument when it cannot be read."""
        if isinstance(self.file, bytes):
            return self.file
        try:
            return Path(self.file).read_bytes()
        except OSError as error:
            raise InvalidDocument(f"Cannot read the document {os.fspath(self.file)!r}: {error.strerror}.") from None

    @property
    def file_name(self) -> str:
        """What signatures call the file: its own name or one from the title, at most 100 characters."""
        name = _plain(self.title) if isinstance(self.file, bytes) else Path(self.file).name
        printable = "".join(c if c.isprintable() else "_" for c in unicodedata.normalize("NFC", name))
        stem = re.sub(r"\.pdf$", "", printable, flags=re.IGNORECASE)
        return f"{stem[: MAX_FILE_NAME - 4]}{printable[len(stem) :] or '.pdf'}"


def _plain(title: str) -> str:
    return re.sub(r"[^\w-]+", "_", title).strip("_") or "document"


@dataclass(frozen=True, slots=True)
class Job:
    """A document for signers to sign. `reference` (at most 50 characters) is the sender's own.

    `sender` overrides the configuration's; `authentication_level` is the eID level that signers log in with.
    """

    document: Document
    signers: Sequence[Signer]
    reference: str | None = None
    authentication_level: AuthenticationLevel | None = None
    sender: Sender | None = None

    def __post_init__(self) -> None:
        check_kind("Job.document", self.document, Document, write="Document(…)")
        check_kind("Job.signers", self.signers, (list, tuple), write="a list, [Signer(…), …]")
        for signer in self.signers:
            check_kind("One of Job.signers", signer, Signer, write="Signer(…)", secret=True)
        if self.authentication_level is not None:
            check_kind(
                "Job.authentication_level",
                self.authentication_level,
                AuthenticationLevel,
                write="AuthenticationLevel.FOUR",
            )
        if self.sender is not None:
            check_kind("Job.sender", self.sender, Sender, write='Sender("…")')


@dataclass(frozen=True, slots=True)
class JobResponse:
    """The service's receipt for a job."""

    signature_job_id: int
    reference: str | None


@dataclass(frozen=True, slots=True)
class ConfirmationReference:
    """Where a status change is confirmed."""

    url: str


@dataclass(frozen=True, slots=True)
class XadesReference:
    """Where one signer's XAdES is found."""

    url: str


@dataclass(frozen=True, slots=True)
class PadesReference:
    """Where a job's signed PDF is found."""

    url: str


@dataclass(frozen=True, slots=True)
class Signature:
    """Where one signer stands, `since` when. A status that this version does not know is a plain string."""

    signer: PersonalIdentificationNumber | ContactInformation
    status: SignatureStatus | str
    since: datetime
    xades_url: str | None

    @property
    def xades_reference(self) -> XadesReference:
        """For `get_xades`; NotAvailableError unless the signer has signed."""
        if self.xades_url is None:
            raise NotAvailableError(
                f"No XAdES from a signer whose status is {self.status}; it is there once it is SIGNED."
            )
        return XadesReference(self.xades_url)


@dataclass(frozen=True, slots=True)
class JobStatusChange:
    """A job's current status as told by a poll, or that the queue was empty (`JobStatus.NO_CHANGES`).

    `next_permitted_poll_time` (aware) is when the service permits the next poll of this queue.
    """

    next_permitted_poll_time: datetime
    told: PortalStatusChange | None = field(default=None, repr=False)

    @property
    def status(self) -> JobStatus:
        return JobStatus(self.told.status.value) if self.told else JobStatus.NO_CHANGES

    @property
    def signature_job_id(self) -> int | None:
        """Which job changed; None for `JobStatus.NO_CHANGES`. A queue tells the changes of all its jobs."""
        return self.told.signature_job_id if self.told else None

    @property
    def reference(self) -> str | None:
        """The sender's own reference to the job; None when it has none, and for `JobStatus.NO_CHANGES`."""
        return self.told.reference if self.told else None

    @property
    def signatures(self) -> tuple[Signature, ...]:
        return tuple(map(_signature, self.told.signatures)) if self.told else ()

    @property
    def confirmation_reference(self) -> ConfirmationReference:
        """For `confirm`, once the change has been handled."""
        return ConfirmationReference(self._told().confirmation_url)

    @property
    def pades_available(self) -> bool:
        return bool(self.told and self.told.pades_url)

    @property
    def pades_reference(self) -> PadesReference:
        """For `get_pades`; NotAvailableError while there is no signed PDF (see `pades_available`)."""
        told = self._told()
        if told.pades_url is None:
            raise NotAvailableError(f"Job {told.signature_job_id} has no PAdES: its status is {told.status}.")
        return PadesReference(told.pades_url)

    @property
    def seconds_until_next_poll(self) -> float:
        """How long to wait before the next poll, from now; 0 when it is permitted already."""
        return max(0.0, (self.next_permitted_poll_time - datetime.now(UTC)).total_seconds())

    def _told(self) -> PortalStatusChange:
        if self.told is None:
            raise NotAvailableError("There is no status change: the queue was empty (JobStatus.NO_CHANGES).")
        return self.told


def _signature(told: PortalSignature) -> Signature:
    return Signature(signer=told.identifier, status=told.status, since=told.since, xades_url=told.xades_url)
