"""The resources of the portal flow: a few lines each, from request to use case to answer."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from segl.core.protocol import PortalStatusChange
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.deleting import delete_documents
from segl.service.jobs.finding import document_of, job_of
from segl.service.jobs.status_queue import confirm_status_change, next_status_change
from segl.service.sender_api import arrivals, polling
from segl.service.sender_api.answers import download, no_content, xml
from segl.service.sender_api.authentication import Caller
from segl.service.sender_api.errors import RefusedError
from segl.service.sender_api.portal import messages
from segl.service.sender_api.portal.create import create as create_job
from segl.service.store.models import DocumentKind

_MOST_VERSION_DIGITS = 9  # fits the database's column, and exceeds the number of changes a job can have


def create(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Accept a job."""
    scope = request.META["asgi.scope"]
    job = create_job(
        caller,
        request.META.get("CONTENT_TYPE", ""),
        scope["segl.body"],
        received_at=scope["segl.received_at"],
        idempotency=arrivals.idempotency(request),
    )
    return xml(messages.job_response(job).to_xml())


def poll(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Return the oldest available status change."""
    queue = request.GET.get("polling_queue", "").replace("\0", "")  # jobs name queues in XML, which has no NUL

    def take() -> PortalStatusChange | None:
        change = next_status_change(sender=caller.sender, polling_queue=queue)
        return messages.status_change(change) if change else None

    return polling.answer(caller.sender.pk, queue, take)


def confirm(request: HttpRequest, caller: Caller, job_id: int) -> HttpResponse:
    """Confirm that the client has handled a status change."""
    version = request.GET.get("version", "")
    if not (version.isascii() and version.isdecimal()) or len(version) > _MOST_VERSION_DIGITS:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            "INVALID_REQUEST",
            "Use the confirmation-url exactly as the status change contains it.",
        )
    confirm_status_change(sender=caller.sender, job_id=job_id, version=int(version))
    return no_content()


def cancel(_request: HttpRequest, caller: Caller, job_id: int) -> HttpResponse:
    """Cancel the job for its sender."""
    cancel_job(sender=caller.sender, job_id=job_id)
    return no_content()


def delete(_request: HttpRequest, caller: Caller, job_id: int) -> HttpResponse:
    """Delete the job's documents for its sender."""
    delete_documents(sender=caller.sender, job_id=job_id)
    return no_content()


def xades(_request: HttpRequest, caller: Caller, job_id: int, number: int) -> HttpResponseBase:
    """Return one signer's XAdES."""
    job = job_of(sender=caller.sender, job_id=job_id)
    return download(job, document_of(job=job, kind=DocumentKind.XADES, number=number), "application/xml")


def pades(_request: HttpRequest, caller: Caller, job_id: int) -> HttpResponseBase:
    """Return the sealed PDF."""
    job = job_of(sender=caller.sender, job_id=job_id)
    return download(job, document_of(job=job, kind=DocumentKind.PADES), "application/octet-stream")
