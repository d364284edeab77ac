"""The portal flow's calls as operations: what is sent, and how the answers are read."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from segl.core.protocol import (
    Availability,
    PortalJobRequest,
    PortalJobResponse,
    PortalManifest,
    PortalStatusChange,
)
from segl.core.type_checks import check_kind
from segl.sdk.creating import Creation, manifest_documents
from segl.sdk.errors import JobNotCancellableError
from segl.sdk.exchange import XML, Operation, Request, clock_lead, poll_time, require, understand
from segl.sdk.operations import Operations
from segl.sdk.portal.changes import JobResponse, JobStatusChange
from segl.sdk.portal.jobs import Job
from segl.sdk.references import CancellationReference
from segl.sdk.senders import Sender


class PortalOperations(Operations):
    """The portal flow's calls, in addition to those of every flow."""

    __slots__ = ()

    def create(self, job: Job) -> Operation[JobResponse]:
        check_kind("What is created", job, Job, write="Job(document, [Signer(…), …])")
        sender = self._sender(job.sender)
        creation = Creation(job, self._jobs(sender), _request(job, sender), _manifest(job, sender), job.documents)
        response = yield from self._created(creation)
        created = understand(response, PortalJobResponse.from_xml)
        return JobResponse(created.signature_job_id, created.reference, CancellationReference(created.cancellation_url))

    def get_status_change(self, sender: Sender | None) -> Operation[JobStatusChange]:
        response = yield from self._sent(Request("GET", self._queue(self._sender(sender)), {"Accept": XML}))
        require(response, 200, 204)
        message = understand(response, PortalStatusChange.from_xml) if response.status == 200 else None
        return JobStatusChange(poll_time(response) or datetime.now(UTC), message, clock_lead(response))

    def cancel(self, reference: CancellationReference) -> Operation[None]:
        write = "the cancellation_reference of a created job or of a change"
        check_kind("The reference", reference, CancellationReference, write=write)
        response = yield from self._sent(Request("POST", self._own(reference.url), {"Accept": XML}))
        require(response, kinds={409: JobNotCancellableError})

    def _jobs(self, sender: Sender) -> str:
        return f"{self._organization(sender)}/portal/signature-jobs"

    def _queue(self, sender: Sender) -> str:
        queue = sender.polling_queue.name
        return self._jobs(sender) + (f"?polling_queue={quote(queue, safe='')}" if queue else "")


def _manifest(job: Job, sender: Sender) -> PortalManifest:
    first, *_ = job.documents
    return PortalManifest(
        signers=tuple(job.signers),
        sender=sender.organization_number,
        title=first.title if job.title is None else job.title,
        documents=manifest_documents(job.documents),
        nonsensitive_title=job.non_sensitive_title,
        description=first.message or None if job.description is None else job.description,
        required_authentication=job.authentication_level,
        availability=_availability(job),
        identifier_in_signed_documents=job.identifier_in_signed_documents,
    )


def _availability(job: Job) -> Availability | None:
    if job.activation_time is None and job.available is None:
        return None
    seconds = None if job.available is None else job.available // timedelta(seconds=1)
    return Availability(job.activation_time, seconds)


def _request(job: Job, sender: Sender) -> PortalJobRequest:
    return PortalJobRequest(reference=job.reference, polling_queue=sender.polling_queue.name or None)
