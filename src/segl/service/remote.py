"""HTTP to the services that reach people: the contact register with its token server, an SMS gateway."""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from socket import SHUT_RDWR, socket
from threading import Timer
from time import monotonic
from typing import Any

import httpx

from segl.core.errors import SeglError

SECONDS = 10.0
MOST_BYTES = 1024 * 1024
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


class RemoteError(SeglError, OSError):
    """A service did not answer, or not as it should: try later. The message tells nothing of what was sent.

    `status` is the HTTP status of its answer, if there was one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def client() -> httpx.Client:
    """A client without idle connections and compression, which reaches this machine without the environment's proxy."""
    return httpx.Client(
        timeout=SECONDS,
        limits=httpx.Limits(max_keepalive_connections=0),
        headers={"Accept-Encoding": "identity"},
        verify=httpx.create_ssl_context(),  # read once for all ways
        mounts={f"all://{host}": None for host in _THIS_MACHINE},
    )


@contextmanager
def posted(http: httpx.Client, url: str, *, whom: str, **sent: Any) -> Iterator[httpx.Response]:
    """The answer to a request that was taken, to be read in the block; `whom` names the service in errors.

    `http` is of `client`: after `SECONDS` the connection is shut, however much has come by then.

    Raises:
        RemoteError: There is no answer, or not all that is read of it in time, or its status is none of success.
    """
    ends_at = monotonic() + SECONDS
    try:
        with _shut_after(SECONDS) as trace, http.stream("POST", url, extensions={"trace": trace}, **sent) as answer:
            _check_success(answer, whom)
            yield answer
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        late = f"not all was there after {SECONDS:g} s" if monotonic() >= ends_at else ""
        raise RemoteError(f"{whom} did not answer: {late or str(error) or type(error).__name__}") from None


def read_json(answer: httpx.Response, *, whom: str) -> Any:
    """The JSON of an answer.

    Raises:
        RemoteError: It is none, or has more than `MOST_BYTES`.
    """
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > MOST_BYTES:
            raise RemoteError(f"{whom} answered with more than {MOST_BYTES} bytes.")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise RemoteError(f"{whom} answered with something else than JSON.") from None


@contextmanager
def _shut_after(seconds: float) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """Shut the connections that a request makes in the block after so long: HTTPX's time-outs are for each piece.

    Gives the extension `trace` of the request, which learns of them.
    """
    ends_at = monotonic() + seconds
    connections: list[socket] = []  # duplicates, which stay ours whoever closes or wraps the original

    def trace(event: str, told: Mapping[str, Any]) -> None:
        if event.endswith(".connect_tcp.complete"):
            connections.append(told["return_value"].get_extra_info("socket").dup())
            if monotonic() >= ends_at:
                shut()

    def shut() -> None:
        for each in connections:
            with suppress(OSError):  # the other end was faster
                each.shutdown(SHUT_RDWR)

    timer = Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    finally:
        timer.cancel()
        timer.join()
        for each in connections:
            each.close()


def _check_success(answer: httpx.Response, whom: str) -> None:
    if not answer.is_success:
        phrase = HTTPStatus(answer.status_code).phrase if answer.status_code in set(HTTPStatus) else "unknown"
        raise RemoteError(f"{whom} answered with HTTP status {answer.status_code} ({phrase}).", answer.status_code)
