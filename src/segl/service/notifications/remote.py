"""HTTP to the services that reach people: the contact register with its token server, an SMS gateway."""

import ssl
from http import HTTPStatus
from typing import Any

import httpx

from segl.core.errors import SeglError

_SECONDS = 10.0
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


class RemoteError(SeglError, OSError):
    """A service did not answer, or not as it should: try later. The message tells nothing of what was sent.

    `status` is the HTTP status of its answer, if there was one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def client() -> httpx.Client:
    """A client that waits no longer than some seconds, and reaches this machine without the environment's proxy."""
    anchors = httpx.create_ssl_context()  # read once for all ways
    return httpx.Client(timeout=_SECONDS, verify=anchors, mounts={f"all://{host}": None for host in _THIS_MACHINE})


def post(http: httpx.Client, url: str, *, whom: str, **sent: Any) -> httpx.Response:
    """The answer to a request that was taken; `whom` names the service in errors.

    Raises:
        RemoteError: There is no answer, or its status is none of success.
    """
    try:
        answer = http.post(url, **sent)
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        raise RemoteError(f"{whom} did not answer: {str(error) or type(error).__name__}") from None
    if not answer.is_success:
        phrase = HTTPStatus(answer.status_code).phrase if answer.status_code in set(HTTPStatus) else "unknown"
        raise RemoteError(f"{whom} answered with HTTP status {answer.status_code} ({phrase}).", answer.status_code)
    return answer


def read_json(answer: httpx.Response, *, whom: str) -> Any:
    """The JSON of an answer.

    Raises:
        RemoteError: It is none.
    """
    try:
        return answer.json()
    except ValueError:
        raise RemoteError(f"{whom} answered with something else than JSON.") from None
