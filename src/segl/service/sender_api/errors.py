"""Turns every error into an `error` document with a status, a code and a sentence that says what to do."""

import logging
import re
import traceback
from http import HTTPStatus

from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse

from segl.core.errors import (
    InvalidDocument,
    InvalidLookup,
    InvalidMessage,
    InvalidPackage,
    InvalidRequest,
    SeglError,
    TooManyPages,
    UntrustedCertificate,
)
from segl.core.lifecycle import IllegalStepError
from segl.core.protocol import ErrorMessage
from segl.core.xml import NOT_XML
from segl.service import outages
from segl.service.http import request_ids
from segl.service.http.bodies import RETRY_SECONDS
from segl.service.jobs.errors import (
    KeyReusedError,
    NoSuchJobError,
    NotAllowedError,
    NotDeletableError,
    OutcomeUnknownError,
)
from segl.service.revocation import ASK_AGAIN_AFTER, RevocationUnknownError

logger = logging.getLogger(__name__)


class RefusedError(SeglError):
    """A request that the API refuses before any use case runs, with the status and code of the response."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class BlockedError(SeglError):
    """The sender calls too often."""


# The first class that matches counts.
_RESPONSES: tuple[tuple[type[SeglError], HTTPStatus, str], ...] = (
    (InvalidLookup, HTTPStatus.BAD_REQUEST, "LOOKUP_NOT_ALLOWED_WITHOUT_IDENTITY_NUMBER"),
    (InvalidRequest, HTTPStatus.BAD_REQUEST, "INVALID_REQUEST"),
    (InvalidMessage, HTTPStatus.BAD_REQUEST, "SCHEMA_VALIDATION_ERROR"),
    (InvalidPackage, HTTPStatus.BAD_REQUEST, "ASICE_VALIDATION_FAILED"),
    (UntrustedCertificate, HTTPStatus.BAD_REQUEST, "ASICE_VALIDATION_FAILED"),
    (RevocationUnknownError, HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"),
    (TooManyPages, HTTPStatus.BAD_REQUEST, "TOO_MANY_PAGES"),
    (InvalidDocument, HTTPStatus.BAD_REQUEST, "INVALID_DOCUMENT"),
    (KeyReusedError, HTTPStatus.UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"),
    (NoSuchJobError, HTTPStatus.NOT_FOUND, "SIGNATURE_JOB_NOT_FOUND"),
    (NotDeletableError, HTTPStatus.CONFLICT, "DOCUMENTS_NOT_DELETABLE"),
    (IllegalStepError, HTTPStatus.CONFLICT, "SIGNATURE_JOB_ENDED"),
)

_AWAY = "Something that the service needs is away for now: send the request again later."
_UNKNOWN = (
    "It is not known whether the job was created: send the request again later. With the same Idempotency-Key there is "
    "then one job; without one there may be two."
)


def response_to(error: BaseException) -> HttpResponse:
    """Return the response to a request that ended with this error."""
    if isinstance(error, RefusedError):
        return response(error.status, error.code, str(error))
    if isinstance(error, NotAllowedError):
        return response(HTTPStatus.BAD_REQUEST, error.code, str(error))
    if isinstance(error, BlockedError):
        # Like the official service's filter: with neither a body nor a poll time, by which clients recognize it.
        return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers={"DoSFilter": "rejected"})
    for kind, status, code in _RESPONSES:
        if isinstance(error, kind):
            answer = response(status, code, str(error))
            if kind is RevocationUnknownError:
                answer["Retry-After"] = str(ASK_AGAIN_AFTER.seconds)
            return answer
    if isinstance(error, SuspiciousOperation):
        return response(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", f"The request is not accepted: {error}")
    return _failed(error)


def _failed(error: BaseException) -> HttpResponse:
    """Return the response to a request that nothing is wrong with."""
    if reason := outages.reason(error):
        logger.error("A request cannot be answered for now: %s", reason)
        sentence = _UNKNOWN if isinstance(error, OutcomeUnknownError) else _AWAY
        return response(HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", sentence)
    # Not the error's text, which may contain anything, even identity numbers.
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("A request failed: %s\n%s", type(error).__name__, where)
    return response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "INTERNAL_ERROR",
        f"The service failed. Send the request again, and quote {request_ids.current()} if you report it.",
    )


def response(status: HTTPStatus, code: str, message: str) -> HttpResponse:
    """Return an `error` document. Clients read it only with this content type.

    A message may repeat what a client sent, so characters that XML cannot contain are replaced, and the log has the
    status and code alone.
    """
    logger.info("A request is answered with %d %s.", status, code)
    kind = "SERVER" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "CLIENT"
    document = ErrorMessage(code, re.sub(NOT_XML, "\N{REPLACEMENT CHARACTER}", message), kind)
    answer = HttpResponse(document.to_xml(), status=status, content_type="application/xml")
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer["Retry-After"] = str(RETRY_SECONDS)
    return answer
