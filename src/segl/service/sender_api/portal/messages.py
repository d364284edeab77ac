"""Turns what the use cases return into messages of the API, with absolute URLs."""

from segl.core.protocol import (
    ContactInformation,
    Email,
    PersonalIdentificationNumber,
    PortalJobResponse,
    PortalJobStatus,
    PortalSignature,
    PortalStatusChange,
    SignatureStatus,
    Sms,
)
from segl.core.statuses import JobStatus, SignerStatus
from segl.service import configuration
from segl.service.jobs.status_queue import DeliveredChange
from segl.service.store.models import Job, Signer


def job_response(job: Job) -> PortalJobResponse:
    """Return the response to the creation of a job."""
    return PortalJobResponse(job.pk, f"{_url(job)}/cancel", job.reference)


def status_change(change: DeliveredChange) -> PortalStatusChange:
    """Return a job's status as taken from the queue; its confirmation-url contains the version."""
    job = change.job
    url = _url(job)
    return PortalStatusChange(
        signature_job_id=job.pk,
        status=PortalJobStatus(job.status),
        confirmation_url=f"{url}/complete?version={change.version}",
        signatures=tuple(
            _signature(each, f"{url}/xades/{each.number}" if each.number in change.xades_numbers else None)
            for each in change.signers
        ),
        reference=job.reference,
        cancellation_url=f"{url}/cancel" if _can_be_cancelled(change) else None,
        delete_documents_url=f"{url}/documents" if _has_documents(job) else None,
        pades_url=f"{url}/pades" if change.has_pades else None,
    )


def _can_be_cancelled(change: DeliveredChange) -> bool:
    """Whether someone has yet to sign; after the last signature a job can only be completed."""
    waiting = any(each.status == SignerStatus.WAITING for each in change.signers)
    return waiting and change.job.status == JobStatus.IN_PROGRESS


def _has_documents(job: Job) -> bool:
    """Whether the job has documents that can be deleted, now or soon."""
    return job.status == JobStatus.COMPLETED_SUCCESSFULLY and job.documents_deleted_at is None


def _signature(signer: Signer, xades_url: str | None) -> PortalSignature:
    number = signer.personal_identification_number
    return PortalSignature(
        status=SignatureStatus(signer.status),
        since=signer.status_since,
        identifier=PersonalIdentificationNumber(number) if number else _contact(signer),
        xades_url=xades_url,
    )


def _contact(signer: Signer) -> ContactInformation:
    return ContactInformation(
        email=Email(signer.email) if signer.email else None, sms=Sms(signer.sms) if signer.sms else None
    )


def _url(job: Job) -> str:
    return f"{configuration.current().api_root}/{job.sender_id}/portal/signature-jobs/{job.pk}"
