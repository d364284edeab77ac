"""Receives request bodies whole, in memory or a temporary file, before a thread works on the request.

So a slow upload occupies no thread, and a chunked one has the length that WSGI requires. Callers that are not
admitted are answered before their body is received.
"""

import asyncio
import logging
import mmap
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from http import HTTPStatus
from io import SEEK_END
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO, Any

from segl.service.http.asgi import Answer, ErrorAnswer, Receive, Scope, Send, plain, send_answer
from segl.service.http.wsgi import Threads

logger = logging.getLogger(__name__)

MEMORY_BYTES = 64 * 1024
"""Bodies up to this size stay in memory."""

LARGE_BYTES = 1024 * 1024
LARGE_AT_ONCE = 2
"""How many requests with bodies over LARGE_BYTES are processed at once; others wait on disk and take no memory."""

STALLED_SECONDS = 30
"""A client that sends nothing of its body for this long gets 408."""

RETRY_SECONDS = 10
"""After this time a client may send again what the service could not accept (`Retry-After`)."""

LONGEST_CONTENT_TYPE = 1000

SPARE_THREADS = 3
"""How many of a listener's threads long requests never occupy, so that short ones are always answered."""


Admission = Callable[[Scope], Answer | None]
"""Decides by a request's head, in a thread, whether its body is received; returns the response if it is not."""


class _NotAcceptedError(Exception):
    """The body is not accepted; with status and a sentence."""


class _GoneError(Exception):
    """The client disconnected while it sent its body."""


class WholeBodies:
    """The ASGI application of one listener: passes whole requests to a WSGI application in one of `threads` threads.

    It adds the listener's name (`segl.listener`) and a view of the body (`segl.body`) to the scope. If the body has
    not arrived yet, `admission` is called first, with the scope that the application gets later. `error_answer` makes
    the response, from a status and a sentence, when a body is over `body_limit` bytes (413), the client stalls (408),
    or the service is shutting down or has no room for the body (503). Requests that may take seconds according to
    `is_long` wait for each other, without a thread, while they occupy all threads but a few.
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
        self._threads = Threads(application, threads)
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
            refused = None if is_whole else await self._threads.run(self._admission, scope)
        if refused:
            await self._refuse(refused, scope, receive, send)
        else:
            await self._receive_and_answer(scope, receive, send)

    async def _receive_and_answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        with SpooledTemporaryFile(max_size=MEMORY_BYTES) as body:
            async with AsyncExitStack() as turn:
                try:
                    await self._fill(body, scope, receive)
                    await turn.enter_async_context(self._turn(scope, body.tell()))
                except _NotAcceptedError as refused:
                    await self._refuse(self._answer(*refused.args), scope, receive, send)
                except asyncio.CancelledError:  # by the server, when its time to shut down is over
                    reason = "The service is shutting down and did nothing: send the request again."
                    await send_answer(self._answer(HTTPStatus.SERVICE_UNAVAILABLE, reason), send, closing=True)
                except _GoneError:
                    return
                else:
                    await self._threads.answer(self._whole(scope, body), body, receive, send)

    @asynccontextmanager
    async def _turn(self, scope: Scope, size: int) -> AsyncIterator[None]:
        """Wait until the request may be processed."""
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
        """Respond at once, and discard the rest of the body.

        Many clients read no response before they have sent everything; if the connection were closed, they would see
        a reset. A client that waits for 100-continue may or may not send its body now, so its connection is closed.
        """
        waits = _waits(scope)
        await send_answer(answer, send, closing=waits, unfinished=True)
        with suppress(_NotAcceptedError, _GoneError):
            size, more = 0, not waits
            while more and size <= self._limit:
                message = await _next(receive)
                size += len(message["body"])
                more = message["more_body"]
        await send({"type": "http.response.body", "body": b""})

    def _encoded(self, scope: Scope) -> Answer | None:
        """Return the response to a body with a transfer coding other than chunked, which would not be decoded."""
        named = b",".join(value for name, value in scope["headers"] if name == b"transfer-encoding")
        if named.strip().lower() in {b"", b"chunked"}:
            return None
        return self._error_answer(
            HTTPStatus.NOT_IMPLEMENTED,
            f"The Transfer-Encoding is {named[:80].decode('latin-1')!r}: send the body unencoded or only chunked.",
        )

    def _unparsable(self, scope: Scope) -> Answer | None:
        """Return the response to a content type that Django fails to parse: long, or with an RFC 2231 parameter."""
        content_type = b",".join(value for name, value in scope["headers"] if name == b"content-type")
        if len(content_type) <= LONGEST_CONTENT_TYPE and b"*" not in content_type.partition(b";")[2]:
            return None
        return self._error_answer(
            HTTPStatus.BAD_REQUEST,
            f"The Content-Type is longer than {LONGEST_CONTENT_TYPE} characters, or has a parameter that names its "
            "character set (RFC 2231): send a plain one.",
        )

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise _NotAcceptedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The request body is larger than the limit of {self._limit} bytes: send less at once.",
            )

    def _whole(self, scope: Scope, body: IO[bytes]) -> Scope:
        length = str(body.tell()).encode()
        body.seek(0)
        framing = (b"content-length", b"transfer-encoding")
        headers = [each for each in scope["headers"] if each[0] not in framing]
        return scope | {
            "headers": [*headers, (b"content-length", length)],
            "segl.body": _view(body),
        }


def _store(piece: bytes, body: IO[bytes], *, is_last: bool) -> None:
    try:
        body.write(piece)
        if is_last:
            body.flush()
    except OSError as error:
        logger.error("Cannot store a request body in %s: %s", gettempdir(), error.strerror)
        with suppress(OSError):
            body.close()  # which would try again to write what it could not
        raise _NotAcceptedError(
            HTTPStatus.SERVICE_UNAVAILABLE, "The service cannot store the request now: send it again later."
        ) from None


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)


def _waits(scope: Scope) -> bool:
    """Whether the client waits for 100-continue before it sends its body."""
    return (_header(scope, b"expect") or b"").lower() == b"100-continue"


def _has_body(scope: Scope) -> bool:
    return bool(int(_header(scope, b"content-length") or 0)) or _header(scope, b"transfer-encoding") is not None


async def _arrived(scope: Scope, receive: Receive) -> tuple[Receive, bool]:
    """Return a `receive` with the same messages, and whether the whole body arrived together with the head.

    If it did, there is no point in calling `admission` in a separate thread before the application checks the same.
    """
    if _waits(scope):  # Only admitted clients are asked to send the body.
        return receive, False
    first = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    messages = [first]

    async def again() -> dict[str, Any]:
        return await (messages.pop() if messages else receive())

    return again, first.done() and not first.result().get("more_body", True)


def _view(body: IO[bytes]) -> memoryview:
    """Return a view of a whole body. A body in a file is memory-mapped, so that it takes no memory others need."""
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
        raise _NotAcceptedError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"No data of the request body arrived for {STALLED_SECONDS} seconds: send the request again.",
        ) from None
    if message["type"] != "http.request":
        raise _GoneError
    return message
