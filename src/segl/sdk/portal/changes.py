"""What a program hears: that its job was created, how jobs change, and where their results are."""

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
    """Where a job stands; NO_CHANGES when the queue had nothing to tell."""

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
    """Where one signer stands, `since` when (aware).

    A status that this version does not know is a plain string; `signer` is None where the service names the signer in a
    way that it does not know, such as by a masked identity number.
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
                f"No XAdES from a signer whose status is {self.status}; it is there once it is SIGNED."
            )
        return XadesReference(self.xades_url)


@dataclass(frozen=True, slots=True, repr=False)
class JobStatusChange:
    """A job's current status as told by a poll, or that the queue was empty (`JobStatus.NO_CHANGES`).

    `next_permitted_poll_time` (aware) is when the service permits the next poll of this queue, on its clock, which is
    `clock_lead` ahead of ours.
    """

    next_permitted_poll_time: datetime
    told: PortalStatusChange | None = None
    clock_lead: timedelta = timedelta()

    def __repr__(self) -> str:
        return f"JobStatusChange({self.status}, signature_job_id={self.signature_job_id}, reference={self.reference!r})"

    @property
    def status(self) -> JobStatus | str:
        """The job's status; one that this version does not know is a plain string."""
        if self.told is None:
            return JobStatus.NO_CHANGES
        known = isinstance(self.told.status, PortalJobStatus)
        return JobStatus(self.told.status) if known else self.told.status

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

    def signature_for(self, signer: Signer | PersonalIdentificationNumber | ContactInformation) -> Signature:
        """Where this signer stands. InvalidInput when the job has no such signer, or this one twice."""
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
        return ConfirmationReference(self._told().confirmation_url)

    @property
    def cancellable(self) -> bool:
        return bool(self.told and self.told.cancellation_url)

    @property
    def cancellation_reference(self) -> CancellationReference:
        """For `cancel`; NotAvailableError when it is too late for that (see `cancellable`)."""
        told = self._told()
        if told.cancellation_url is None:
            raise NotAvailableError(f"Job {told.signature_job_id} cannot be cancelled: its status is {told.status}.")
        return CancellationReference(told.cancellation_url)

    @property
    def documents_deletable(self) -> bool:
        return bool(self.told and self.told.delete_documents_url)

    @property
    def delete_documents_reference(self) -> DeleteDocumentsReference:
        """For `delete_documents`; NotAvailableError while they cannot be deleted (see `documents_deletable`)."""
        told = self._told()
        if told.delete_documents_url is None:
            raise NotAvailableError(
                f"The documents of job {told.signature_job_id} cannot be deleted: its status is {told.status}."
            )
        return DeleteDocumentsReference(told.delete_documents_url)

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
        return seconds_until(self.next_permitted_poll_time, clock_lead=self.clock_lead)

    def _told(self) -> PortalStatusChange:
        if self.told is None:
            raise NotAvailableError("There is no status change: the queue was empty (JobStatus.NO_CHANGES).")
        return self.told


def _signature(told: PortalSignature) -> Signature:
    return Signature(signer=told.identifier, status=told.status, since=told.since, xades_url=told.xades_url)
