"""Responses that the resources of all flows share."""

from http import HTTPStatus
from itertools import chain

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from segl.service.jobs.errors import NoSuchJobError
from segl.service.sender_api.errors import RefusedError
from segl.service.store.documents import stream
from segl.service.store.models import Document, Job


def download(job: Job, document: Document | None, content_type: str) -> HttpResponseBase:
    """Return one of the job's documents as a download.

    Raises:
        RefusedError: The documents have been deleted.
        NoSuchJobError: The document does not exist yet.
        StoreAwayError, DocumentDamagedError: It cannot be read; what is found later breaks the response off.
    """
    if job.documents_deleted_at:
        raise RefusedError(HTTPStatus.NOT_FOUND, "DOCUMENTS_DELETED", f"The documents of job {job.pk} were deleted.")
    if document is None:
        raise NoSuchJobError(
            "This is not available yet: the signer has not signed, or the signed document has not been sealed."
        )
    chunks = stream(document)
    response = StreamingHttpResponse(chain([next(chunks)], chunks), content_type=content_type)
    response["Content-Length"] = str(document.size)
    return response


def no_content() -> HttpResponse:
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    del response["Content-Type"]  # there is no content
    return response


def xml(content: bytes) -> HttpResponse:
    return HttpResponse(content, content_type="application/xml")
