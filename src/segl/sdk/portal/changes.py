"""What a program receives: the receipt for a job, its status changes, and where its results are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from segl.core.errors import InvalidInput
from segl.core.protocol import (
    ContactInformation,
    PersonalIdentificationNumber,
    PortalJobStatus,
    PortalSignature,
    PortalStatusChange,
    SignatureStatus,
    Signer,
)
from segl.core.type_checks import check_kind
from segl.sdk.errors import NotAvailableError, seconds_until
from segl.sdk.references import (
    CancellationReference,
    ConfirmationReference,
    DeleteDocumentsReference,
    PadesReference,
    XadesReference,
)


class JobStatus(StrEnum):
    """The status of a job; NO_CHANGES if the queue was empty."""

    NO_CHANGES = "NO_CHANGES"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED_SUCCESSFULLY = "COMPLETED_SUCCESSFULLY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class JobResponse:
    """The service's receipt for a job."""

    signature_job_id: int
    reference: str | None
    cancellation_reference: CancellationReference


@dataclass(frozen=True, slots=True)
class Signature:
    """The status of one signer, `since` when (aware).

    A status that this version does not know is a plain string; `signer` is None if the service identifies the signer in
    a way that this version does not know, such as by a masked identity number.
    """

    signer: PersonalIdentificationNumber | ContactInformation | None
    status: SignatureStatus | str
    since: datetime
    xades_url: str | None

    @property
    def xades_reference(self) -> XadesReference:
        """For `get_xades`; NotAvailableError unless the signer has signed."""
        if self.xades_url is None:
            raise NotAvailableError(
                f"There is no XAdES from a signer whose status is {self.status}; wait until it is SIGNED."
            )
        return XadesReference(self.xades_url)


@dataclass(frozen=True, slots=True, repr=False)
class JobStatusChange:
    """A job's current status as a poll returned it, or that the queue was empty (`JobStatus.NO_CHANGES`).

    `next_permitted_poll_time` (aware) is when the service permits the next poll of this queue, on its clock, which is
    `clock_lead` ahead of ours. `message` is what the service sent; None if the queue was empty.
    """

    next_permitted_poll_time: datetime
    message: PortalStatusChange | None = None
    clock_lead: timedelta = timedelta()

    def __repr__(self) -> str:
        return f"JobStatusChange({self.status}, signature_job_id={self.signature_job_id}, reference={self.reference!r})"

    @property
    def status(self) -> JobStatus | str:
        """The job's status; one that this version does not know is a plain string."""
        if self.message is None:
            return JobStatus.NO_CHANGES
        known = isinstance(self.message.status, PortalJobStatus)
        return JobStatus(self.message.status) if known else self.message.status

    @property
    def signature_job_id(self) -> int | None:
        """Which job changed; None for `JobStatus.NO_CHANGES`. A queue has the changes of all its jobs."""
        return self.message.signature_job_id if self.message else None

    @property
    def reference(self) -> str | None:
        """The sender's own reference to the job; None if it has none, and for `JobStatus.NO_CHANGES`."""
        return self.message.reference if self.message else None

    @property
    def signatures(self) -> tuple[Signature, ...]:
        return tuple(map(_signature, self.message.signatures)) if self.message else ()

    def signature_for(self, signer: Signer | PersonalIdentificationNumber | ContactInformation) -> Signature:
        """Return this signer's status. Raises InvalidInput if the job has no such signer, or has it twice."""
        who = signer.identifier if isinstance(signer, Signer) else signer
        check_kind(
            "The signer",
            who,
            (PersonalIdentificationNumber, ContactInformation),
            write="the job's Signer(…), or what identifies it",
            secret=True,
        )
        found = [each for each in self.signatures if each.signer == who]
        if len(found) != 1:
            raise InvalidInput(
                f"Job {self.signature_job_id} has {len(found) or 'no'} signers {who}; look at `signatures` instead."
            )
        return found[0]

    @property
    def confirmation_reference(self) -> ConfirmationReference:
        """For `confirm`, once the change has been handled."""
        return ConfirmationReference(self._message().confirmation_url)

    @property
    def cancellable(self) -> bool:
        return bool(self.message and self.message.cancellation_url)

    @property
    def cancellation_reference(self) -> CancellationReference:
        """For `cancel`; NotAvailableError if it is too late for that (see `cancellable`)."""
        message = self._message()
        if message.cancellation_url is None:
            raise NotAvailableError(
                f"Job {message.signature_job_id} cannot be cancelled: its status is {message.status}."
            )
        return CancellationReference(message.cancellation_url)

    @property
    def documents_deletable(self) -> bool:
        return bool(self.message and self.message.delete_documents_url)

    @property
    def delete_documents_reference(self) -> DeleteDocumentsReference:
        """For `delete_documents`; NotAvailableError while they cannot be deleted (see `documents_deletable`)."""
        message = self._message()
        if message.delete_documents_url is None:
            raise NotAvailableError(
                f"The documents of job {message.signature_job_id} cannot be deleted: its status is {message.status}."
            )
        return DeleteDocumentsReference(message.delete_documents_url)

    @property
    def pades_available(self) -> bool:
        return bool(self.message and self.message.pades_url)

    @property
    def pades_reference(self) -> PadesReference:
        """For `get_pades`; NotAvailableError while there is no signed PDF (see `pades_available`)."""
        message = self._message()
        if message.pades_url is None:
            raise NotAvailableError(f"Job {message.signature_job_id} has no PAdES: its status is {message.status}.")
        return PadesReference(message.pades_url)

    @property
    def seconds_until_next_poll(self) -> float:
        """How long to wait before the next poll, from now; 0 when it is permitted already."""
        return seconds_until(self.next_permitted_poll_time, clock_lead=self.clock_lead)

    def _message(self) -> PortalStatusChange:
        if self.message is None:
            raise NotAvailableError("There is no status change: the queue was empty (JobStatus.NO_CHANGES).")
        return self.message


def _signature(received: PortalSignature) -> Signature:
    return Signature(received.identifier, received.status, received.since, received.xades_url)
