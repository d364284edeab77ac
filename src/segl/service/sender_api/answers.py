"""Answers that resources of any flow give."""

from http import HTTPStatus

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from segl.service.jobs.errors import NoSuchJobError
from segl.service.sender_api.errors import RefusedError
from segl.service.store.documents import stream
from segl.service.store.models import Document, Job


def download(job: Job, document: Document | None, content_type: str) -> HttpResponseBase:
    """A document of a job, if there is one yet.

    Raises:
        RefusedError, NoSuchJobError: There is none, or no longer.
    """
    if job.documents_deleted_at:
        raise RefusedError(HTTPStatus.NOT_FOUND, "DOCUMENTS_DELETED", f"The documents of job {job.pk} were deleted.")
    if document is None:
        raise NoSuchJobError(
            "This is not available: the signer has not signed, or the signed document is not sealed yet."
        )
    response = StreamingHttpResponse(stream(document), content_type=content_type)
    response["Content-Length"] = str(document.size)
    return response


def no_content() -> HttpResponse:
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    del response["Content-Type"]  # of nothing
    return response


def xml(content: bytes) -> HttpResponse:
    return HttpResponse(content, content_type="application/xml")
