"""One call as values: an operation is a generator that yields steps and returns a result.

A step is a `Request`, to which a `Response` is sent or a NoAnswerError thrown in, or a `Wait`. Operations know
nothing of sockets, nor whether they run sync or async: transport.py drives them.
"""

import random
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from segl.core.errors import InvalidMessage
from segl.core.protocol import ErrorMessage
from segl.sdk.errors import (
    BrokerNotAuthorizedError,
    ClientCertificateError,
    NoAnswerError,
    NotReachedError,
    RateLimitedError,
    TooEagerPollingError,
    UnexpectedResponseError,
    UntrustedServerError,
)
from segl.sdk.pacing import Pace

XML = "application/xml"
BINARY = "application/octet-stream"
POLL_TIME = "x-next-permitted-poll-time"
PASSING = {408, 425, 500, 502, 503, 504}
"""Statuses that may be temporary."""
_LONGEST_RETRY_AFTER = 10.0
_SAME_TIME = timedelta(seconds=2)  # a Date header has whole seconds, and was written some time ago


class Request(NamedTuple):
    """An HTTP request.

    content:
        The pieces of the body, in their order; they are never joined, as packages are large.
    wait:
        Seconds that each piece of the answer may take; None: the client's default.
    repeatable:
        Whether it may be sent again when it is unknown whether it arrived.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: Sequence[bytes] = ()
    wait: float | None = None
    repeatable: bool = True


class Response(NamedTuple):
    """An HTTP response; header names in lower case.

    repeated:
        Whether the request had been sent before, with an unknown outcome.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    repeated: bool = False


class Wait(NamedTuple):
    """Let so many seconds pass."""

    seconds: float


T = TypeVar("T")
Operation = Generator[Request | Wait, Any, T]


def sent(build: Callable[[], Request], retries: int, pace: Pace | None = None) -> Operation[Response]:
    """Send a request, up to `retries` times again if the service is out of reach or overloaded; return the response.

    A request that is not repeatable is repeated only if it certainly never arrived. It is built for each attempt, when
    its turn has come, so that the time in it is right.
    """
    unanswered = False
    for attempt in range(retries + 1):
        if pace and (seconds := pace.turn(time.monotonic())):
            yield Wait(seconds)
        request, pause = build(), backoff(attempt)
        try:
            response: Response = yield request
            if attempt == retries or response.status not in PASSING or not request.repeatable:
                return response._replace(repeated=unanswered)
            pause = max(pause, retry_after(response))
        except (UntrustedServerError, ClientCertificateError):
            raise
        except NoAnswerError as error:
            reached = not isinstance(error, NotReachedError)
            if attempt == retries or (reached and not request.repeatable):
                raise
            unanswered = unanswered or reached
        yield Wait(pause)
    raise AssertionError("the last attempt returns or raises")


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many earlier failures: from about 1 to about 60, with random jitter."""
    return min(60, 2.0 ** min(failures, 6)) * random.uniform(0.5, 1)  # noqa: S311 - it is no secret


def retry_after(response: Response) -> float:
    """Return the seconds after which the service says to try again, at most 10; 0 if it does not say."""
    seconds = response.headers.get("retry-after", "")
    return min(float(seconds), _LONGEST_RETRY_AFTER) if seconds.isascii() and seconds.isdecimal() else 0.0


def require(
    response: Response, *accepted: int, kinds: Mapping[int, type[UnexpectedResponseError]] | None = None
) -> None:
    """Raise the error that fits unless the response has one of the accepted statuses (by default any 2xx).

    `kinds` are the errors that statuses stand for in this call.
    """
    if response.status in accepted or (not accepted and 200 <= response.status < 300):
        return
    raise refusal(response, (kinds or {}).get(response.status, UnexpectedResponseError))


def understand(response: Response, read: Callable[[bytes], T]) -> T:
    """Return the message in the response; raise UnexpectedResponseError if there is none."""
    try:
        return read(response.content)
    except InvalidMessage as error:
        raise UnexpectedResponseError(
            f"The service answered {response.status} with a message that cannot be understood: {error}",
            status=response.status,
            request_id=request_id(response.headers),
        ) from None


def poll_time(response: Response) -> datetime | None:
    """Return when the service permits the next poll, or None if it does not say so readably."""
    try:
        moment = datetime.fromisoformat(response.headers.get(POLL_TIME, ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def clock_lead(response: Response) -> timedelta:
    """Return how far the service's clock is ahead of ours; 0 if they hardly differ or it is unknown."""
    try:
        lead = parsedate_to_datetime(response.headers["date"]) - datetime.now(UTC)
    except (KeyError, ValueError, TypeError, OverflowError):
        return timedelta()
    return lead if abs(lead) > _SAME_TIME else timedelta()


def refusal(
    response: Response, kind: type[UnexpectedResponseError] = UnexpectedResponseError
) -> UnexpectedResponseError:
    """Return the error that an answer stands for; `kind` if nothing in the answer says another."""
    error = _error_message(response)
    if response.status == 429:
        return _too_many(response, error)
    sentence = f"The service answered {response.status} without saying why."
    if error is not None:
        sentence = f"{error.message} ({error.code}, status {response.status})"
        kind = BrokerNotAuthorizedError if error.code == "BROKER_NOT_AUTHORIZED" else kind
    return kind(sentence, status=response.status, error=error, request_id=request_id(response.headers))


def _too_many(response: Response, error: ErrorMessage | None) -> UnexpectedResponseError:
    permitted = poll_time(response)
    if permitted and "dosfilter" not in response.headers:
        return TooEagerPollingError(
            permitted, error, clock_lead=clock_lead(response), request_id=request_id(response.headers)
        )
    return RateLimitedError(
        "Too many calls a second: the service blocks this sender for a while (30 s); call less often.",
        status=429,
        error=error,
        request_id=request_id(response.headers),
    )


def error_code(response: Response) -> str | None:
    """Return the code in the service's error document, or None if the answer has none."""
    error = _error_message(response)
    return error.code if error else None


def _error_message(response: Response) -> ErrorMessage | None:
    try:
        return ErrorMessage.from_xml(response.content)
    except InvalidMessage:
        return None


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the service's id for the request, or None if there is none or it is not safe to show in logs."""
    sent_id = headers.get("x-request-id", "")
    return sent_id if re.fullmatch("[A-Za-z0-9._-]{1,64}", sent_id) else None
