"""One call as values: an operation is a generator that yields requests, receives responses and returns a
result. Operations know nothing of sockets or of sync and async: transport.py drives them.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from segl.core.errors import InvalidMessage
from segl.core.protocol import ErrorMessage
from segl.sdk.errors import (
    BrokerNotAuthorizedError,
    RateLimitedError,
    TooEagerPollingError,
    UnexpectedResponseError,
)

POLL_TIME = "x-next-permitted-poll-time"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `wait`: seconds each piece of the answer may take (None: the client's default)."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes = field(default=b"", repr=False)
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


T = TypeVar("T")
Operation = Generator[Request, Response, T]


def require(response: Response, *accepted: int) -> None:
    """Raise what fits unless the response has one of the accepted statuses (none given: any 2xx)."""
    if response.status in accepted or (not accepted and 200 <= response.status < 300):
        return
    raise _error(response)


def understand(response: Response, read: Callable[[bytes], T]) -> T:
    """The message in the response, or UnexpectedResponseError when it is none."""
    try:
        return read(response.content)
    except InvalidMessage as error:
        raise UnexpectedResponseError(
            f"The service answered {response.status} with a message that cannot be understood: {error}",
            status=response.status,
        ) from None


def poll_time(response: Response) -> datetime | None:
    """When the service permits the next poll, if it says so in a way that can be read."""
    try:
        moment = datetime.fromisoformat(response.headers.get(POLL_TIME, ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _error(response: Response) -> UnexpectedResponseError:
    error = _error_message(response)
    if response.status == 429:
        return _too_many(response, error)
    if error is None:
        return UnexpectedResponseError(
            f"The service answered {response.status} without saying why.", status=response.status
        )
    kind = BrokerNotAuthorizedError if error.code == "BROKER_NOT_AUTHORIZED" else UnexpectedResponseError
    return kind(f"{error.message} ({error.code}, status {response.status})", status=response.status, error=error)


def _too_many(response: Response, error: ErrorMessage | None) -> UnexpectedResponseError:
    permitted = poll_time(response)
    if permitted and "dosfilter" not in response.headers:
        return TooEagerPollingError(permitted, error)
    return RateLimitedError(
        "Too many calls a second: the service blocks this sender for a while (30 s); call less often.",
        status=429,
        error=error,
    )


def _error_message(response: Response) -> ErrorMessage | None:
    try:
        return ErrorMessage.from_xml(response.content)
    except InvalidMessage:
        return None
