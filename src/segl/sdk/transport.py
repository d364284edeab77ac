"""Drives operations over httpx, sync and async; the only place where requests meet the network.

asyncio is loaded where it is needed, here as in the other modules: sync programs do without.
"""

import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from segl.sdk.errors import ClientCertificateError, NoAnswerError, NotReachedError, UntrustedServerError
from segl.sdk.exchange import Operation, Request, Response, Wait
from segl.sdk.tls import WrongOrganization

logger = logging.getLogger("segl.sdk")

T = TypeVar("T")
Step = TypeVar("Step")
_PIECE = 64 * 1024
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


Outcome = Response | NoAnswerError | None


def run(http: httpx.Client, operation: Operation[T]) -> T:
    """Carry an operation through to its result."""
    try:
        step = next(operation)
        while True:
            step = resume(operation, do(http, step))
    except StopIteration as end:
        result: T = end.value
        return result


async def run_async(http: httpx.AsyncClient, operation: Operation[T]) -> T:
    """Carry an operation through to its result."""
    try:
        step = next(operation)
        while True:
            step = resume(operation, await do_async(http, step))
    except StopIteration as end:
        result: T = end.value
        return result


def resume(operation: Generator[Step, Any, Any], outcome: Outcome) -> Step:
    """Tell an operation what came of its step; its next one."""
    return operation.throw(outcome) if isinstance(outcome, NoAnswerError) else operation.send(outcome)


def do(http: httpx.Client, step: Request | Wait) -> Outcome:
    """Do one step."""
    if isinstance(step, Wait):
        time.sleep(step.seconds)
        return None
    try:
        with _exchange(step) as answered:
            answer = http.request(**_arguments(step, http.timeout))
            answered(answer)
            return _response(answer, answer.content)
    except NoAnswerError as error:
        return error


async def do_async(http: httpx.AsyncClient, step: Request | Wait) -> Outcome:
    """Do one step."""
    if isinstance(step, Wait):
        import asyncio

        await asyncio.sleep(step.seconds)
        return None
    try:
        with _exchange(step) as answered:
            answer = await http.request(**_arguments(step, http.timeout, _AsyncBody))
            answered(answer)
            return _response(answer, answer.content)
    except NoAnswerError as error:
        return error


def stream(http: httpx.Client, operation: Operation[Response]) -> Iterator[bytes]:
    """The content of the answer that an operation ends with, piece by piece.

    Once it comes, nothing is repeated: what breaks off is an error.
    """
    step = next(operation)
    while True:
        if isinstance(step, Wait):
            step = resume(operation, do(http, step))
            continue
        try:
            with _exchange(step) as answered, http.stream(**_arguments(step, http.timeout)) as answer:
                answered(answer)
                try:
                    step = operation.send(_response(answer, b"" if answer.is_success else answer.read()))
                except StopIteration:
                    yield from answer.iter_bytes()
                    return
        except NoAnswerError as error:
            step = operation.throw(error)


async def stream_async(http: httpx.AsyncClient, operation: Operation[Response]) -> AsyncIterator[bytes]:
    """See `stream`."""
    step = next(operation)
    while True:
        if isinstance(step, Wait):
            step = resume(operation, await do_async(http, step))
            continue
        try:
            with _exchange(step) as answered:
                async with http.stream(**_arguments(step, http.timeout, _AsyncBody)) as answer:
                    answered(answer)
                    try:
                        step = operation.send(_response(answer, b"" if answer.is_success else await answer.aread()))
                    except StopIteration:
                        async for chunk in answer.aiter_bytes():
                            yield chunk
                        return
        except NoAnswerError as error:
            step = operation.throw(error)


class _Body:
    """A request's body as httpx sends it: in pieces of one size, any number of times.

    Large contents are cut, so that the time-out is for each piece and little waits in TLS; small ones go out together.
    """

    def __init__(self, content: Sequence[bytes]) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        piece = bytearray()
        for each in self.content:
            rest = memoryview(each)
            while rest:
                room = _PIECE - len(piece)
                piece += rest[:room]
                rest = rest[room:]
                if len(piece) == _PIECE:
                    yield bytes(piece)
                    piece.clear()
        yield bytes(piece)


class _AsyncBody:
    """See `_Body`; httpx takes what can be iterated in both ways for a sync body."""

    def __init__(self, content: Sequence[bytes]) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in _Body(self.content):
            yield piece


def _arguments(
    request: Request, timeout: httpx.Timeout, body: type[_Body] | type[_AsyncBody] = _Body
) -> dict[str, Any]:
    """How httpx is called for a request."""
    length = {"Content-Length": str(sum(map(len, request.content)))} if request.content else {}
    return {
        "method": request.method,
        "url": request.url,
        "headers": {**request.headers, **length},
        "content": body(request.content) if request.content else None,
        "timeout": httpx.Timeout(request.wait or timeout.read, connect=timeout.connect),
    }


def _response(answer: httpx.Response, content: bytes) -> Response:
    return Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, content)


@contextmanager
def _exchange(request: Request) -> Iterator[Callable[[httpx.Response], None]]:
    """Log an exchange, without the query, which may hold a token; and tell the ways apart in which it can fail."""
    call, started = f"{request.method} {request.url.partition('?')[0]}", time.monotonic()

    def answered(answer: httpx.Response) -> None:
        logger.info("%s: %d after %.3f s", call, answer.status_code, time.monotonic() - started)

    try:
        yield answered
    except (httpx.RequestError, httpx.InvalidURL, ssl.SSLError) as error:  # TLS 1.3 alerts come while reading
        logger.info("%s: no answer after %.3f s, %s", call, time.monotonic() - started, type(error).__name__)
        raise _explained(error, call) from None


def _explained(error: Exception, call: str) -> NoAnswerError:
    tls, cause = _tls_cause(error), str(error) or type(error).__name__
    if isinstance(tls, WrongOrganization):
        return UntrustedServerError(f"{call}: {tls.args[0]}. Nothing was sent; check the Environment.")
    if isinstance(tls, ssl.SSLCertVerificationError):
        return UntrustedServerError(
            f"{call}: The server's certificate does not chain to the environment's trust anchors "
            f"({tls.verify_message}). Nothing was sent; check the Environment."
        )
    if tls is not None and "ALERT" in (tls.reason or ""):
        return ClientCertificateError(
            f"{call}: The server ended the TLS connection ({tls.reason}); check that our certificate is "
            "valid, complete with its chain, and issued for this environment."
        )
    kind = NotReachedError if isinstance(error, _NOTHING_SENT) else NoAnswerError
    if isinstance(error, httpx.TimeoutException):
        return kind(f"{call}: No answer in time ({type(error).__name__}); is the network up, do the Timeouts suffice?")
    if isinstance(error, httpx.ProxyError):
        return kind(f"{call}: The proxy refused ({cause}); check the Proxy and its credentials.")
    return kind(f"{call}: No answer ({cause}); check the API root and the network.")


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
