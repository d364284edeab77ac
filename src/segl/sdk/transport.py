"""Drives operations over httpx, sync and async; the only place where requests meet the network."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from segl.sdk.errors import ClientCertificateError, NoAnswerError, UntrustedServerError
from segl.sdk.exchange import Operation, Request, Response, require
from segl.sdk.tls import WrongOrganization

T = TypeVar("T")


def run(http: httpx.Client, operation: Operation[T]) -> T:
    """Carry an operation through to its result."""
    try:
        request = next(operation)
        while True:
            with _failures(request):
                answer = http.request(**_arguments(request, http.timeout))
            request = operation.send(_response(answer, answer.content))
    except StopIteration as end:
        result: T = end.value
        return result


async def run_async(http: httpx.AsyncClient, operation: Operation[T]) -> T:
    """Carry an operation through to its result."""
    try:
        request = next(operation)
        while True:
            with _failures(request):
                answer = await http.request(**_arguments(request, http.timeout))
            request = operation.send(_response(answer, answer.content))
    except StopIteration as end:
        result: T = end.value
        return result


def stream(http: httpx.Client, request: Request) -> Iterator[bytes]:
    """The content of a successful answer, piece by piece."""
    with _failures(request), http.stream(**_arguments(request, http.timeout)) as answer:
        if answer.status_code != 200:
            require(_response(answer, answer.read()), 200)
        yield from answer.iter_bytes()


async def stream_async(http: httpx.AsyncClient, request: Request) -> AsyncIterator[bytes]:
    """The content of a successful answer, piece by piece."""
    with _failures(request):
        async with http.stream(**_arguments(request, http.timeout)) as answer:
            if answer.status_code != 200:
                require(_response(answer, await answer.aread()), 200)
            async for chunk in answer.aiter_bytes():
                yield chunk


def _arguments(request: Request, timeout: httpx.Timeout) -> dict[str, Any]:
    """How httpx is called for a request."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "content": request.content,
        "timeout": httpx.Timeout(request.wait or timeout.read, connect=timeout.connect),
    }


def _response(answer: httpx.Response, content: bytes) -> Response:
    return Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, content)


@contextmanager
def _failures(request: Request) -> Iterator[None]:
    """Tell the ways in which an exchange can fail apart."""
    try:
        yield
    except (httpx.RequestError, httpx.InvalidURL, ssl.SSLError) as error:  # TLS 1.3 alerts come while reading
        raise _explained(error, f"{request.method} {request.url}") from None


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
    if isinstance(error, httpx.TimeoutException):
        return NoAnswerError(
            f"{call}: No answer in time ({type(error).__name__}); is the network up, do the Timeouts suffice?"
        )
    return NoAnswerError(f"{call}: No answer ({cause}); check the API root and the network.")


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
