"""Request bodies are received whole, in memory or a temporary file, before a thread is spent on the request.

A slow upload so holds no thread, and a chunked one has the length that WSGI asks for. Who may not call at all is
answered before anything is received.
"""

import asyncio
import logging
import mmap
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from io import SEEK_END
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO, Any, cast

from a2wsgi import WSGIMiddleware

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MEMORY_BYTES = 64 * 1024
"""Bodies up to this size stay in memory."""

LARGE_BYTES = 1024 * 1024
LARGE_AT_ONCE = 2
"""Requests with bodies over LARGE_BYTES that are worked on at once; others wait on the disk, at no cost of memory."""

STALLED_SECONDS = 30
"""A client that sends nothing of its body for so long is told that its time is up."""

RETRY_SECONDS = 10
"""After which a client may try again what could not be taken through no fault of its own."""

LONGEST_CONTENT_TYPE = 1000

SPARE_THREADS = 3
"""How many of a listener's threads long requests never take: short ones are answered beside any number of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Others than those of content type and length."""


Admission = Callable[[Scope], Answer | None]
"""Decides by a request's head, in a thread, whether the rest of it is received: the answer when it is not."""

ErrorAnswer = Callable[[HTTPStatus, str], Answer]
"""Makes the answer to a request that is not taken, from the status and a sentence."""


def plain(status: HTTPStatus, text: str) -> Answer:
    """Plain text."""
    return Answer(status, "text/plain; charset=utf-8", text.encode())


class _RefusedError(Exception):
    """The body is not taken: status and a sentence."""


class _GoneError(Exception):
    """The client left while it sent its body."""


class WholeBodies:
    """The ASGI application of one listener: hands whole requests to a WSGI application in one of `threads` threads.

    It marks the scope with the listener's name (`segl.listener`) and a view of the body (`segl.body`). Of a request
    whose body is still to come, `admission` is asked first, with the scope that the application gets afterwards. A body
    over `body_limit` bytes is not taken: `error_answer` answers it, from a sentence and the status: 413,
    408 when the client stalls, or 503 when the service is stopped meanwhile or has no room for it. Requests that
    `is_long` says may take seconds wait for each other, without a thread, while they hold all threads but a few.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        name: str,
        threads: int,
        body_limit: int,
        error_answer: ErrorAnswer = plain,
        admission: Admission | None = None,
        is_long: Callable[[Scope], bool] = lambda scope: False,
    ) -> None:
        middleware = WSGIMiddleware(_reading_spooled(application), workers=threads)
        # As any ASGI application: a2wsgi's own types know none of our keys in the scope.
        self._application: Application = cast(Any, middleware)
        self._threads = middleware.executor
        self._name = name
        self._limit = body_limit
        self._error_answer = error_answer
        self._admission = admission
        self._is_long = is_long
        self._long_requests = asyncio.Semaphore(max(1, threads - SPARE_THREADS))
        self._large_requests = asyncio.Semaphore(LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["segl.listener"] = self._name
        refused = self._encoded(scope) or self._unparsable(scope)
        if not refused and self._admission and _has_body(scope):
            receive, is_whole = await _arrived(scope, receive)
            refused = None if is_whole else await self._admit(scope, self._admission)
        if refused:
            await self._refuse(refused, scope, receive, send)
        else:
            await self._receive_and_answer(scope, receive, send)

    async def _admit(self, scope: Scope, admission: Admission) -> Answer | None:
        """The answer to a request whose body is not received."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, admission, scope)

    async def _receive_and_answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        with SpooledTemporaryFile(max_size=MEMORY_BYTES) as body:
            async with AsyncExitStack() as turn:
                try:
                    await self._fill(body, scope, receive)
                    await turn.enter_async_context(self._turn(scope, body.tell()))
                except _RefusedError as refused:
                    await self._refuse(self._answer(*refused.args), scope, receive, send)
                except asyncio.CancelledError:  # by the server, when the time it has to stop is over
                    reason = "The service is being stopped; nothing was done: send the request again."
                    await send_answer(self._answer(HTTPStatus.SERVICE_UNAVAILABLE, reason), send, closing=True)
                except _GoneError:
                    return
                else:
                    await self._application(self._whole(scope, body), receive, send)

    @asynccontextmanager
    async def _turn(self, scope: Scope, size: int) -> AsyncIterator[None]:
        """Wait until the request may be worked on."""
        async with (
            self._large_requests if size > LARGE_BYTES else nullcontext(),
            self._long_requests if self._is_long(scope) else nullcontext(),
        ):
            yield

    async def _fill(self, body: IO[bytes], scope: Scope, receive: Receive) -> None:
        self._check_size(int(_header(scope, b"content-length") or 0))
        size, more = 0, True
        while more:
            message = await _next(receive)
            size += len(message["body"])
            self._check_size(size)
            more = message["more_body"]
            _store(message["body"], body, is_last=not more)

    def _answer(self, status: HTTPStatus, reason: str) -> Answer:
        answer = self._error_answer(status, reason)
        if status is not HTTPStatus.SERVICE_UNAVAILABLE:
            return answer
        return replace(answer, headers={**answer.headers, "Retry-After": str(RETRY_SECONDS)})

    async def _refuse(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at once, and drop what still comes of the body.

        Many clients read no answer before they have sent everything; were the connection closed, they would see a
        reset. One that waits to be asked for its body may or may not send it now, so that connection is closed.
        """
        waits = _waits(scope)
        await send_answer(answer, send, closing=waits, unfinished=True)
        with suppress(_RefusedError, _GoneError):
            size, more = 0, not waits
            while more and size <= self._limit:
                message = await _next(receive)
                size += len(message["body"])
                more = message["more_body"]
        await send({"type": "http.response.body", "body": b""})

    def _encoded(self, scope: Scope) -> Answer | None:
        """The answer to a body with another transfer coding than chunked, which nobody would decode."""
        named = b",".join(value for name, value in scope["headers"] if name == b"transfer-encoding")
        if named.strip().lower() in {b"", b"chunked"}:
            return None
        return self._error_answer(
            HTTPStatus.NOT_IMPLEMENTED,
            f"The Transfer-Encoding is {named[:80].decode('latin-1')!r}: send the body as it is, or chunked alone.",
        )

    def _unparsable(self, scope: Scope) -> Answer | None:
        """The answer to a content type that Django fails to parse: long, or with a parameter encoded by RFC 2231."""
        content_type = b",".join(value for name, value in scope["headers"] if name == b"content-type")
        if len(content_type) <= LONGEST_CONTENT_TYPE and b"*" not in content_type.partition(b";")[2]:
            return None
        return self._error_answer(
            HTTPStatus.BAD_REQUEST,
            f"The Content-Type is longer than {LONGEST_CONTENT_TYPE} characters, or has a parameter in a character set "
            "of its own: send a plain one.",
        )

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The request's body is larger than the {self._limit} bytes that are accepted: send less at once.",
            )

    def _whole(self, scope: Scope, body: IO[bytes]) -> Scope:
        length = str(body.tell()).encode()
        body.seek(0)
        framing = (b"content-length", b"transfer-encoding")
        headers = [each for each in scope["headers"] if each[0] not in framing]
        return scope | {
            "headers": [*headers, (b"content-length", length)],
            "segl.input": body,
            "segl.body": _view(body),
        }


def _store(piece: bytes, body: IO[bytes], *, is_last: bool) -> None:
    try:
        body.write(piece)
        if is_last:
            body.flush()
    except OSError as error:
        logger.error("A request's body cannot be stored in %s: %s", gettempdir(), error.strerror)
        with suppress(OSError):
            body.close()  # What it could not write, it would try to write again.
        raise _RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE, "The service cannot store the request now: send it again later."
        ) from None


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)


def _waits(scope: Scope) -> bool:
    """Whether the client sends its body only when it is asked to."""
    return (_header(scope, b"expect") or b"").lower() == b"100-continue"


def _has_body(scope: Scope) -> bool:
    return bool(int(_header(scope, b"content-length") or 0)) or _header(scope, b"transfer-encoding") is not None


async def _arrived(scope: Scope, receive: Receive) -> tuple[Receive, bool]:
    """A `receive` that gives the same, and whether the whole body has come together with the head.

    Then nothing is won by asking `admission` about it, in a thread of its own, before the application does.
    """
    if _waits(scope):  # Whoever is asked to send the body has been admitted.
        return receive, False
    first = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    messages = [first]

    async def again() -> dict[str, Any]:
        return await (messages.pop() if messages else receive())

    return again, first.done() and not first.result().get("more_body", True)


def _view(body: IO[bytes]) -> memoryview:
    """All of a body at its start: what is in a file is mapped, and so takes no memory that others could need."""
    size = body.seek(0, SEEK_END)
    body.seek(0)
    if size <= MEMORY_BYTES:
        view = memoryview(body.read())
        body.seek(0)
        return view
    return memoryview(mmap.mmap(body.fileno(), 0, access=mmap.ACCESS_READ))


async def _next(receive: Receive) -> dict[str, Any]:
    try:
        message = await asyncio.wait_for(receive(), STALLED_SECONDS)
    except TimeoutError:
        raise _RefusedError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"Nothing of the request's body came for {STALLED_SECONDS} seconds: send the request again.",
        ) from None
    if message["type"] != "http.request":
        raise _GoneError
    return message


async def send_answer(answer: Answer, send: Send, *, closing: bool = False, unfinished: bool = False) -> None:
    """Answer a request; `closing` ends the connection, `unfinished` leaves the answer's end to the caller."""
    headers = [*head_of(answer), *([(b"connection", b"close")] if closing else [])]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": unfinished})


def head_of(answer: Answer) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, as ASGI has them."""
    return [
        (b"content-type", answer.content_type.encode("ascii")),
        (b"content-length", str(len(answer.body)).encode("ascii")),
        *((name.lower().encode("ascii"), value.encode("ascii")) for name, value in answer.headers.items()),
    ]


def _reading_spooled(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The application, reading the spooled body rather than waiting for the connection."""

    def reading(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"] = environ["asgi.scope"]["segl.input"]
        return application(environ, start_response)

    return reading
