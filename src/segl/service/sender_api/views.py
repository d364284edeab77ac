"""The resources of the portal flow: a few lines each, from request to use case to answer."""

import sys
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.timezone import localtime
from django.views.decorators.csrf import csrf_exempt

from segl.service import clock
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.deleting import delete_documents
from segl.service.jobs.errors import NoSuchJobError
from segl.service.jobs.finding import document_of, job_of
from segl.service.jobs.status_queue import confirm_status_change, next_status_change
from segl.service.sender_api import messages
from segl.service.sender_api.authentication import Caller, caller
from segl.service.sender_api.create import create
from segl.service.sender_api.errors import BlockedError, RefusedError, response_to
from segl.service.store.documents import stream
from segl.service.store.models import Document, DocumentKind, Job
from segl.service.throttling import throttle

View = Callable[..., HttpResponseBase]
_MOST_VERSION_DIGITS = 9  # what the database's column holds, and more changes than a job can have
POLL_TIME = "X-Next-permitted-poll-time"


class Resource:
    """One URL of the API: a function per method, called with the caller whose certificate was checked.

    Every error becomes the wire's `error` document.
    """

    csrf_exempt = True  # no cookies here: the client certificate says who calls

    def __init__(self, **methods: View) -> None:
        self._methods = methods

    def __call__(self, request: HttpRequest, sender_number: str, **arguments: Any) -> HttpResponseBase:
        try:
            admitted = request.META["asgi.scope"].get("segl.caller") or self.admit(request, sender_number)
            return self._methods[request.method or ""](request, admitted, **arguments)
        except Exception as error:  # the wire has an answer to everything
            return response_to(error)

    def admit(self, request: HttpRequest, sender_number: str) -> Caller:
        """The caller, who may do what the request's head says. Done once, and before the body if there is one.

        Raises:
            RefusedError, BlockedError: There is no such method, or the caller may not call, or calls too often.
        """
        if request.method not in self._methods:
            raise RefusedError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                f"{request.method} is not possible here: use {' or '.join(self._methods)}.",
            )
        admitted = caller(request, sender_number)
        _check_pace(admitted)
        request.META["asgi.scope"]["segl.caller"] = admitted
        return admitted


def _check_pace(caller: Caller) -> None:
    limit = settings.SEGL_CALLS_PER_SECOND
    if limit and throttle().is_blocked(caller.sender.pk, calls_per_second=limit):
        raise BlockedError


def who_am_i(_request: HttpRequest, caller: Caller) -> HttpResponse:
    """Tell a client whose certificate it called with, and for whom."""
    told = f"You are {caller.organization.number}"
    if caller.sender != caller.organization:
        told += f", operating on behalf of {caller.sender.number}"
    return HttpResponse(told, content_type="text/plain; charset=utf-8")


def create_portal_job(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Accept a job."""
    scope = request.META["asgi.scope"]
    job = create(
        caller,
        request.META.get("CONTENT_TYPE", ""),
        scope["segl.body"],
        received_at=scope["segl.received_at"],
        key=request.headers.get("Idempotency-Key"),
    )
    return _xml(messages.job_response(job).to_xml())


def poll(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Give the oldest available status change, or 204, or 429 before the time permitted; each names the next one."""
    queue = request.GET.get("polling_queue", "").replace("\0", "")  # a queue's name came in XML, which has no NUL
    permitted = throttle().next_poll(caller.sender.pk, queue)
    if permitted > clock.wall():
        return too_eager(permitted)
    change = next_status_change(sender=caller.sender, polling_queue=queue)
    if change is None:
        permitted = clock.wall() + settings.SEGL_POLL_INTERVAL
        throttle().found_empty(caller.sender.pk, queue, until=permitted)
        return _permitting(permitted, _no_content())
    return _permitting(clock.wall(), _xml(messages.status_change(change).to_xml()))


def too_eager(permitted: datetime) -> HttpResponse:
    """The answer to a poll before the time permitted."""
    error = RefusedError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "TOO_EAGER_POLLING",
        f"This queue was empty and may be polled again from {localtime(permitted).isoformat()}: wait for the time that "
        f"the header {POLL_TIME} names.",
    )
    return _permitting(permitted, response_to(error))


def confirm(request: HttpRequest, caller: Caller, job_id: int) -> HttpResponse:
    """The client has handled a status change."""
    version = request.GET.get("version", "")
    if not (version.isascii() and version.isdecimal()) or len(version) > _MOST_VERSION_DIGITS:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            "INVALID_REQUEST",
            "Use the confirmation-url just as the status change gave it.",
        )
    confirm_status_change(sender=caller.sender, job_id=job_id, version=int(version))
    return _no_content()


def cancel(_request: HttpRequest, caller: Caller, job_id: int) -> HttpResponse:
    """The sender withdraws the job."""
    cancel_job(sender=caller.sender, job_id=job_id)
    return _no_content()


def delete(_request: HttpRequest, caller: Caller, job_id: int) -> HttpResponse:
    """The sender has the documents deleted."""
    delete_documents(sender=caller.sender, job_id=job_id)
    return _no_content()


def xades(_request: HttpRequest, caller: Caller, job_id: int, number: int) -> HttpResponseBase:
    """One signer's XAdES."""
    job = job_of(sender=caller.sender, job_id=job_id)
    return _download(job, document_of(job=job, kind=DocumentKind.XADES, number=number), "application/xml")


def pades(_request: HttpRequest, caller: Caller, job_id: int) -> HttpResponseBase:
    """The sealed PDF."""
    job = job_of(sender=caller.sender, job_id=job_id)
    return _download(job, document_of(job=job, kind=DocumentKind.PADES), "application/octet-stream")


@csrf_exempt
def not_found(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """An address that is no resource of the API."""
    return response_to(
        RefusedError(HTTPStatus.NOT_FOUND, "NOT_FOUND", "This address is no resource of the Signature API v1.")
    )


def refused(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request that was refused before it came to a resource."""
    return response_to(exception)


def failed(_request: HttpRequest) -> HttpResponse:
    """A request that failed outside a resource."""
    return response_to(sys.exception() or RuntimeError())


def _download(job: Job, document: Document | None, content_type: str) -> HttpResponseBase:
    if job.documents_deleted_at:
        raise RefusedError(HTTPStatus.NOT_FOUND, "DOCUMENTS_DELETED", f"The documents of job {job.pk} were deleted.")
    if document is None:
        raise NoSuchJobError(
            "This is not available: the signer has not signed, or the signed document is not sealed yet."
        )
    response = StreamingHttpResponse(stream(document), content_type=content_type)
    response["Content-Length"] = str(document.size)
    return response


def _permitting(time: datetime, response: HttpResponse) -> HttpResponse:
    """The answer to a poll, with the time of the next permitted one."""
    response[POLL_TIME] = localtime(time).isoformat()
    return response


def _no_content() -> HttpResponse:
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    del response["Content-Type"]  # of nothing
    return response


def _xml(content: bytes) -> HttpResponse:
    return HttpResponse(content, content_type="application/xml")
