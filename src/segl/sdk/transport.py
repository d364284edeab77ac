"""Drives operations over httpx, sync and async; the only place where requests meet the network.

asyncio is imported where it is needed, here as in the other modules: sync programs never load it.
"""

import logging
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from segl.core.errors import InvalidInput
from segl.core.xml import MAX_BYTES
from segl.sdk.errors import (
    ClientCertificateError,
    ClientError,
    NoAnswerError,
    NotReachedError,
    UnexpectedResponseError,
    UntrustedServerError,
)
from segl.sdk.exchange import Operation, Request, Response, Wait, request_id
from segl.sdk.tls import WrongOrganization

logger = logging.getLogger("segl.sdk")

T = TypeVar("T")
Step = TypeVar("Step")
_PIECE = 64 * 1024
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

_ABOUT_CERTIFICATE = "ALERT_(.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)"
"""Alerts by which a server rejects our certificate (RFC 8446, 6.2); other alerts may be temporary."""

_NOT_NOW = {9, 10}
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED, which ssl has no names for."""
_NO_TLS = {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG"}
"""OpenSSL's reasons when the first bytes are of another protocol."""
_OLD_TLS = {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"}

Outcome = Response | ClientError | None


def run(http: httpx.Client, operation: Operation[T]) -> T:
    """Run an operation to its end and return its result."""
    try:
        step = next(operation)
        while True:
            step = resume(operation, do(http, step))
    except StopIteration as end:
        result: T = end.value
        return result


async def run_async(http: httpx.AsyncClient, operation: Operation[T]) -> T:
    """Run an operation to its end and return its result."""
    try:
        step = next(operation)
        while True:
            step = resume(operation, await do_async(http, step))
    except StopIteration as end:
        result: T = end.value
        return result


def resume(operation: Generator[Step, Any, Any], outcome: Outcome) -> Step:
    """Hand an operation the outcome of its step; return its next step."""
    return operation.throw(outcome) if isinstance(outcome, ClientError) else operation.send(outcome)


def do(http: httpx.Client, step: Request | Wait) -> Outcome:
    """Do one step."""
    if isinstance(step, Wait):
        time.sleep(step.seconds)
        return None
    try:
        with _exchange(step) as answered, http.stream(**_arguments(http, step)) as answer:
            answered(answer)
            return _read(answer)
    except ClientError as error:
        return error


async def do_async(http: httpx.AsyncClient, step: Request | Wait) -> Outcome:
    """Do one step."""
    if isinstance(step, Wait):
        import asyncio

        await asyncio.sleep(step.seconds)
        return None
    try:
        with _exchange(step) as answered:
            async with http.stream(**_arguments(http, step, _AsyncBody)) as answer:
                answered(answer)
                return await _read_async(answer)
    except ClientError as error:
        return error


def stream(http: httpx.Client, operation: Operation[Response]) -> Iterator[bytes]:
    """Yield the content of the answer that an operation ends with, piece by piece.

    Once the first piece has come, nothing is repeated: an interruption is an error.
    """
    step = next(operation)
    while True:
        if isinstance(step, Wait):
            step = resume(operation, do(http, step))
            continue
        try:
            with _exchange(step) as answered, http.stream(**_arguments(http, step)) as answer:
                answered(answer)
                try:
                    step = operation.send(_head(answer) if answer.is_success else _read(answer))
                except StopIteration:
                    yield from answer.iter_bytes()
                    return
        except ClientError as error:
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
                async with http.stream(**_arguments(http, step, _AsyncBody)) as answer:
                    answered(answer)
                    try:
                        response = _head(answer) if answer.is_success else await _read_async(answer)
                        step = operation.send(response)
                    except StopIteration:
                        async for chunk in answer.aiter_bytes():
                            yield chunk
                        return
        except ClientError as error:
            step = operation.throw(error)


def _read(answer: httpx.Response) -> Response:
    response, content = _response(answer), bytearray()
    for piece in answer.iter_bytes():
        content += piece
        _check_size(answer, len(content))
    return response._replace(content=bytes(content))


async def _read_async(answer: httpx.Response) -> Response:
    response, content = _response(answer), bytearray()
    async for piece in answer.aiter_bytes():
        content += piece
        _check_size(answer, len(content))
    return response._replace(content=bytes(content))


def _check_size(answer: httpx.Response, size: int) -> None:
    if size > MAX_BYTES:
        raise _unexpected(answer, f"more than {MAX_BYTES} bytes, which no message of the API has")


def _head(answer: httpx.Response) -> Response:
    """As `_response`, but the answer must say how long its content is, so that an interruption is noticed."""
    response = _response(answer)
    if not {"content-length", "transfer-encoding"} & {*response.headers}:
        raise _unexpected(answer, "no length, so it cannot be checked for completeness")
    return response


def _response(answer: httpx.Response) -> Response:
    """Return the response without its content, which must not be encoded: a small one could become large."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if (encoding := headers.get("content-encoding", "identity").lower()) != "identity":
        raise _unexpected(answer, f"the Content-Encoding {encoding}, which was not asked for")
    return Response(answer.status_code, headers, b"")


def _unexpected(answer: httpx.Response, what: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        f"The service's answer has {what}.", status=answer.status_code, request_id=request_id(answer.headers)
    )


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
    """See `_Body`. A class of its own: httpx treats an object with both kinds of iteration as a sync body."""

    def __init__(self, content: Sequence[bytes]) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in _Body(self.content):
            yield piece


def _arguments(
    http: httpx.Client | httpx.AsyncClient, request: Request, body: type[_Body] | type[_AsyncBody] = _Body
) -> dict[str, Any]:
    """Return the arguments with which httpx is called for a request."""
    if http.is_closed:
        raise InvalidInput("The client is closed: call it inside its `with` block, or make a new one.")
    length = {"Content-Length": str(sum(map(len, request.content)))} if request.content else {}
    return {
        "method": request.method,
        "url": request.url,
        "headers": {**request.headers, **length},
        "content": body(request.content) if request.content else None,
        "timeout": httpx.Timeout(request.wait or http.timeout.read, connect=http.timeout.connect),
    }


@contextmanager
def _exchange(request: Request) -> Iterator[Callable[[httpx.Response], None]]:
    """Log an exchange without its query, which may hold a token, and raise the error that fits its failure."""
    call, started = f"{request.method} {request.url.partition('?')[0]}", time.monotonic()

    def answered(answer: httpx.Response) -> None:
        named = f" (request {sent_id})" if (sent_id := request_id(answer.headers)) else ""
        logger.info("%s: %d after %.3f s%s", call, answer.status_code, time.monotonic() - started, named)

    try:
        yield answered
    except (httpx.RequestError, httpx.InvalidURL, ssl.SSLError) as error:  # TLS 1.3 alerts come while reading
        logger.info("%s: no answer after %.3f s, %s", call, time.monotonic() - started, type(error).__name__)
        raise _explained(error, call) from None


def _explained(error: Exception, call: str) -> NoAnswerError:
    tls = _tls_cause(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return UntrustedServerError(f"{call}: {_untrusted(tls)}")
    reason = (tls.reason or "") if tls else ""
    if re.search(_ABOUT_CERTIFICATE, reason):
        also = " It may also have no cipher in common with us." if "HANDSHAKE_FAILURE" in reason else ""
        return ClientCertificateError(
            f"{call}: The server ended the TLS connection ({reason}); check that our certificate is "
            f"valid, for clients, complete with its chain, and issued for this environment.{also}"
        )
    kind = NotReachedError if isinstance(error, _NOTHING_SENT) else NoAnswerError
    return kind(f"{call}: {_unanswered(error, reason)}")


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    if isinstance(error, WrongOrganization):
        return f"{error.args[0]}. Nothing was sent; check the Environment."
    if error.verify_code in _NOT_NOW:
        return (
            f"The server's certificate is not valid now ({error.verify_message}). Nothing was sent; check this "
            "machine's clock first, then the Environment."
        )
    return (
        "The server's certificate does not chain to the environment's trust anchors "
        f"({error.verify_message}). Nothing was sent; check the Environment, and whether something intercepts the "
        "connection, such as a company's proxy that inspects TLS."
    )


def _unanswered(error: Exception, reason: str) -> str:
    cause = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return f"No answer in time ({type(error).__name__}); check the network, and whether the Timeouts suffice."
    if isinstance(error, httpx.ProxyError) and cause.startswith("407"):
        return f"The proxy refused ({cause}); check the Proxy and its credentials."
    if isinstance(error, httpx.ProxyError):
        return f"The proxy refused ({cause}); check the API root, and that the proxy may connect to it."
    if reason in _NO_TLS:
        return f"The server does not speak TLS ({reason}); check the port of the API root, and of the Proxy if any."
    if reason in _OLD_TLS:
        return f"The server does not speak TLS 1.2 or newer ({reason}); check the API root."
    return f"No answer ({cause}); check the API root, the network, and the Proxy if there is one."


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
