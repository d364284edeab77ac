"""HTTP calls to other services, with one time limit for a whole exchange."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeVar

import httpx

from segl.core.errors import SeglError

SECONDS = 10.0
MOST_BYTES = 1024 * 1024
_NO_ADDRESS = (httpx.InvalidURL, UnicodeError, ExceptionGroup)  # the last for a port number that is too high
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")

T = TypeVar("T")


class RemoteError(SeglError, OSError):
    """A service did not answer, or not as it should: try later. The message contains nothing of what was sent.

    `status` is the HTTP status of its answer, if there was one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LateError(RemoteError):
    """A service had not answered completely when the time was up."""


def client() -> httpx.AsyncClient:
    """A client without idle connections and compression, which reaches this machine without the environment's proxy."""
    return httpx.AsyncClient(
        timeout=None,  # noqa: S113 - a time-out of HTTPX is for each piece; `Http` has one for all
        limits=httpx.Limits(max_keepalive_connections=0),
        headers={"Accept-Encoding": "identity"},
        verify=_trust(),
        mounts={f"all://{host}": None for host in _THIS_MACHINE},
    )


@dataclass(frozen=True, slots=True)
class Http:
    """How services are called. An exchange takes at most `seconds`, from name resolution to the answer's last byte.

    `client` makes the client of one exchange. The methods raise `RemoteError`, in which `service` names the service, if
    there is no answer, its status is not a success, or it is too large; and `LateError` when the time is up. They are
    for threads without a running event loop.
    """

    seconds: float = SECONDS
    client: Callable[[], httpx.AsyncClient] = client

    def fetch(self, method: str, url: str, *, service: str, most_bytes: int = MOST_BYTES, **sent: Any) -> bytes:
        """The body of the answer; `sent` is as for `httpx.request`."""

        async def read() -> bytes:
            async with self._answered(method, url, service, sent) as answer:
                if (encoding := answer.headers.get("Content-Encoding", "identity")) != "identity":
                    raise RemoteError(f"{service} answered with an unrequested Content-Encoding, {encoding}.")
                content = bytearray()
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > most_bytes:
                        raise RemoteError(f"{service} answered with more than {most_bytes} bytes.")
                return bytes(content)

        return _run(read())

    def fetch_json(self, method: str, url: str, *, service: str, **sent: Any) -> Any:
        """As `fetch`, for an answer that is JSON."""
        try:
            return json.loads(self.fetch(method, url, service=service, **sent))
        except (ValueError, RecursionError):
            raise RemoteError(f"{service} answered with something other than JSON.") from None

    def deliver(self, url: str, *, service: str, **sent: Any) -> None:
        """Post what the service accepts with a success status, without waiting for the body of the answer."""

        async def post() -> None:
            async with self._answered("POST", url, service, sent):
                pass

        _run(post())

    @asynccontextmanager
    async def _answered(
        self, method: str, url: str, service: str, sent: dict[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        """The successful answer, whose body may be read in the block."""
        try:
            async with (
                self.client() as http,
                _closing_connections() as trace,
                asyncio.timeout(self.seconds),
                http.stream(method, url, extensions={"trace": trace}, **sent) as answer,
            ):
                if not answer.is_success:
                    raise RemoteError(f"{service} answered with HTTP status {_status(answer)}.", answer.status_code)
                yield answer
        except TimeoutError:
            raise LateError(f"{service} did not answer completely within {self.seconds:g} s.") from None
        except (httpx.HTTPError, ssl.SSLError, *_NO_ADDRESS) as error:
            raise RemoteError(f"{service} did not answer: {_cause(error)}") from None


HTTP = Http()


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context()


@asynccontextmanager
async def _closing_connections() -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[None]]]:
    """Close at the end what HTTPX leaves open: a connection whose TLS handshake was cancelled.

    Yields the `trace` extension for the request, which is called with its connections.
    """
    async with AsyncExitStack() as connections:

        async def trace(event: str, detail: Mapping[str, Any]) -> None:
            if event.endswith(".connect_tcp.complete"):
                connections.push_async_callback(detail["return_value"].aclose)

        yield trace


def _run(exchange: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, but without waiting at the end for name resolution, whose thread cannot be cancelled."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(exchange)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _status(answer: httpx.Response) -> str:
    phrase = HTTPStatus(answer.status_code).phrase if answer.status_code in set(HTTPStatus) else "unknown"
    return f"{answer.status_code} ({phrase})"


def _cause(error: Exception) -> str:
    """The error of the operating system or TLS, if any: that of HTTPX says only that all attempts failed."""
    cause = error
    for each in _chain(error):
        if isinstance(each, OSError):
            cause = each
    return f"{type(cause).__name__}: {cause}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or (None if isinstance(error, OSError) else error.__context__)
