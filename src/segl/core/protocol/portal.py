"""The messages of the portal flow beside the manifest: request, answer and status changes.

Answers are checked when they are written: one that is read may be longer, or name signers otherwise, than today's may.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from lxml import etree

from segl.core.errors import InvalidMessage
from segl.core.protocol import _rules
from segl.core.protocol._message import Message, Reader, add, add_optional
from segl.core.protocol.common import check_job, known_word
from segl.core.protocol.values import (
    ContactInformation,
    PersonalIdentificationNumber,
    read_contact,
    write_contact,
)
from segl.core.xml import format_date_time


@dataclass(frozen=True, slots=True)
class PortalJobRequest(Message):
    """Asks for a job; the manifest in the document package says what it is."""

    tag: ClassVar[str] = "portal-signature-job-request"

    reference: str | None = None
    polling_queue: str | None = None

    def __post_init__(self) -> None:
        _rules.text("reference", self.reference, most=50)
        _rules.text("polling-queue", self.polling_queue)

    def _write(self, root: etree._Element) -> None:
        add_optional(root, "reference", self.reference)
        add_optional(root, "polling-queue", self.polling_queue)

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        return cls(reader.optional_text_of("reference"), reader.optional_text_of("polling-queue"))


@dataclass(frozen=True, slots=True)
class PortalJobResponse(Message):
    """The job was created."""

    tag: ClassVar[str] = "portal-signature-job-response"
    strict: ClassVar[bool] = False

    signature_job_id: int
    cancellation_url: str
    reference: str | None = None

    def _write(self, root: etree._Element) -> None:
        check_job(self.signature_job_id, self.reference, ("cancellation-url", self.cancellation_url))
        add_optional(root, "reference", self.reference)
        add(root, "signature-job-id", self.signature_job_id)
        add(root, "cancellation-url", self.cancellation_url)

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        reference = reader.optional_text_of("reference")
        job_id = _rules.integer("signature-job-id", reader.text_of("signature-job-id"))
        return cls(job_id, reader.text_of("cancellation-url"), reference)


class PortalJobStatus(StrEnum):
    """A job's statuses known today; the service may send new ones, which are kept as plain strings."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED_SUCCESSFULLY = "COMPLETED_SUCCESSFULLY"
    FAILED = "FAILED"


class SignatureStatus(StrEnum):
    """A signer's statuses known today; the service may send new ones, which are kept as plain strings."""

    WAITING = "WAITING"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    RESERVED = "RESERVED"
    CONTACT_INFORMATION_MISSING = "CONTACT_INFORMATION_MISSING"
    EXPIRED = "EXPIRED"
    SIGNED = "SIGNED"
    BLOCKED = "BLOCKED"
    SIGNERS_NAME_NOT_AVAILABLE = "SIGNERS_NAME_NOT_AVAILABLE"
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True, slots=True)
class PortalSignature:
    """One signer's status, and since when. `identifier` is None for a kind that is not known today."""

    status: SignatureStatus | str
    since: datetime
    identifier: PersonalIdentificationNumber | ContactInformation | None
    xades_url: str | None = None

    def __post_init__(self) -> None:
        _rules.aware("signature status since", self.since)


@dataclass(frozen=True, slots=True)
class PortalStatusChange(Message):
    """The present status of a job that changed; confirm it at `confirmation_url` once it is dealt with."""

    tag: ClassVar[str] = "portal-signature-job-status-change-response"
    strict: ClassVar[bool] = False

    signature_job_id: int
    status: PortalJobStatus | str
    confirmation_url: str
    signatures: tuple[PortalSignature, ...]
    reference: str | None = None
    cancellation_url: str | None = None
    delete_documents_url: str | None = None
    pades_url: str | None = None

    def _write(self, root: etree._Element) -> None:
        check_job(
            self.signature_job_id,
            self.reference,
            ("confirmation-url", self.confirmation_url),
            ("cancellation-url", self.cancellation_url),
            ("delete-documents-url", self.delete_documents_url),
            ("pades-url", self.pades_url),
        )
        _rules.text("status", self.status)
        _rules.count("signatures", len(self.signatures), 1, 10)
        add_optional(root, "reference", self.reference)
        add(root, "signature-job-id", self.signature_job_id)
        add(root, "status", self.status)
        add(root, "confirmation-url", self.confirmation_url)
        add_optional(root, "cancellation-url", self.cancellation_url)
        add_optional(root, "delete-documents-url", self.delete_documents_url)
        _write_signatures(add(root, "signatures"), self.signatures, self.pades_url)

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        reference = reader.optional_text_of("reference")
        job_id = _rules.integer("signature-job-id", reader.text_of("signature-job-id"))
        status = known_word(reader.text_of("status"), PortalJobStatus)
        confirmation_url = reader.text_of("confirmation-url")
        cancellation_url = reader.optional_text_of("cancellation-url")
        delete_documents_url = reader.optional_text_of("delete-documents-url")
        with reader.child("signatures") as element:
            signatures = tuple(_read_signature(each) for each in element.each("signature"))
            pades_url = element.optional_text_of("pades-url")
        return cls(
            job_id,
            status,
            confirmation_url,
            signatures,
            reference,
            cancellation_url,
            delete_documents_url,
            pades_url,
        )


def _write_signatures(element: etree._Element, signatures: Sequence[PortalSignature], pades_url: str | None) -> None:
    for signature in signatures:
        _rules.text("signature status", signature.status)
        _rules.text("xades-url", signature.xades_url, most=_rules.URL_LENGTH)
        child = add(element, "signature")
        add(child, "status", signature.status, since=format_date_time(signature.since))
        if signature.identifier is None:
            _rules.refuse("A signature names no signer; give its identifier.")
        elif isinstance(signature.identifier, PersonalIdentificationNumber):
            add(child, "personal-identification-number", signature.identifier.value)
        else:
            write_contact(add(child, "identifier"), signature.identifier)
        add_optional(child, "xades-url", signature.xades_url)
    add_optional(element, "pades-url", pades_url)


def _read_signature(reader: Reader) -> PortalSignature:
    with reader:
        status = reader.child("status")
        since = _rules.date_time("signature status since", status.attribute("since"))
        identifier = _read_identifier(reader.optional("personal-identification-number", "identifier"))
        return PortalSignature(
            known_word(status.text(), SignatureStatus), since, identifier, reader.optional_text_of("xades-url")
        )


def _read_identifier(who: Reader | None) -> PersonalIdentificationNumber | ContactInformation | None:
    """None for one of tomorrow: another element, number (as when it is masked) or kind of contact information."""
    if who is None:
        return None
    try:
        if who.name == "identifier":
            return ContactInformation(*read_contact(who))
        return PersonalIdentificationNumber(who.text())
    except InvalidMessage:
        return None
