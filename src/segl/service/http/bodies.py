"""Receives request bodies whole, in memory or a temporary file, before a thread works on the request.

So a slow upload occupies no thread, and a chunked one has the length that WSGI requires. Callers that are not
admitted are answered before their body is received.
"""

import asyncio
import logging
import mmap
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from http import HTTPStatus
from io import SEEK_END
from tempfile import SpooledTemporaryFile, gettempdir
from typing import IO, Any, NamedTuple

from segl.service.http.asgi import Answer, ErrorAnswer, Receive, Scope, Send, plain, send_answer
from segl.service.http.held import Arrival, HeldByAnotherError, RefusedOnArrivalError, held
from segl.service.http.shares import ClientLeftError, NoPlaceError, NoRoomError, Places, Room
from segl.service.http.wsgi import Threads

logger = logging.getLogger(__name__)

MEMORY_BYTES = 64 * 1024
"""Bodies up to this size stay in memory."""

LARGE_BYTES = 1024 * 1024
"""Bodies above this size are large."""

STALLED_SECONDS = 30
"""A client that sends nothing of its body for this long gets 408."""

RETRY_SECONDS = 10
"""After this time a client may send again what the service could not accept (`Retry-After`)."""

LONGEST_CONTENT_TYPE = 1000


class BodyLimits(NamedTuple):
    """The limits of request bodies, in bytes and seconds.

    A body of n bytes may have `size` bytes and take `seconds + n / bytes_per_second` to arrive. `of_a_caller` is for
    all bodies of one caller that are arriving or in a file; while it is arriving, each counts as `MEMORY_BYTES` at
    least.
    """

    size: int = 64 * 1024 * 1024
    seconds: float = 60
    bytes_per_second: int = 50_000
    of_a_caller: int = 64 * 1024 * 1024


LIMITS = BodyLimits()


def address_of(scope: Scope) -> str:
    """The client's address: who calls, as long as nothing better is known."""
    return str((scope.get("client") or [""])[0])


Admission = Callable[[Scope], Answer | None]
"""Decides by a request's head, in a thread, whether its body is received; returns the response if it is not."""

Caller = Callable[[Scope], str]
"""Says whose share a request takes."""


class _NotAcceptedError(Exception):
    """The body is not accepted; with status and a sentence."""


class WholeBodies:
    """The ASGI application of one listener: passes whole requests to a WSGI application in one of `threads` threads.

    It adds the listener's name (`segl.listener`) and a view of the body (`segl.body`) to the scope. `admission` is
    called first, with the scope that the application gets later, if the request is long or its body has not arrived
    yet. `error_answer` makes the response, from a status and a sentence, when a body is too large (413), too slow
    (408), or the service is shutting down or has no room for the request (503).

    `caller` says whose room a body takes. `long_of` says who takes one of the `places` if the request may take seconds,
    of which each has a `share`; it returns None for all others. Long requests wait for a place without a thread, and
    leave it before their client takes the response, unless much of that is in memory; with fewer places than threads,
    short ones are always answered. Before a long request waits for a place, `arrival` is called with the scope that
    the application gets, and says what the request holds until it is answered (see `segl.service.http.held`).
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        name: str,
        threads: int,
        places: int,
        share: int,
        limits: BodyLimits = LIMITS,
        error_answer: ErrorAnswer = plain,
        admission: Admission | None = None,
        arrival: Arrival | None = None,
        caller: Caller = address_of,
        long_of: Callable[[Scope], str | None] = lambda scope: None,
    ) -> None:
        self._threads = Threads(application, threads)
        self._name = name
        self._limits = limits
        self._error_answer = error_answer
        self._admission = admission
        self._arrival = arrival
        self._caller = caller
        self._long_of = long_of
        self._room = Room(limits.of_a_caller)
        self._places = Places(places, share)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["segl.listener"] = self._name
        refused = self._encoded(scope) or self._unparsable(scope)
        is_whole = True
        if not refused and _has_body(scope):
            receive, is_whole = await _arrived(scope, receive)
        if not refused and self._admission and (not is_whole or self._long_of(scope)):
            refused = await self._threads.run(self._admission, scope)
        if refused:
            await self._refuse(refused, scope, receive, send)
        else:
            await self._receive_and_answer(scope, receive, send, is_whole=is_whole)

    async def _receive_and_answer(self, scope: Scope, receive: Receive, send: Send, *, is_whole: bool) -> None:
        with SpooledTemporaryFile(max_size=MEMORY_BYTES) as body, self._room.taken_by(self._caller(scope)) as take:
            arriving = _Arriving(receive)
            async with AsyncExitStack() as place:
                try:
                    await self._fill(body, take, scope, arriving.receive, is_whole=is_whole)
                    is_large = body.tell() > LARGE_BYTES
                    whole = _whole(scope, body)
                    if caller := self._long_of(scope):
                        if self._arrival:
                            await place.enter_async_context(held(self._arrival, whole, receive, self._threads))
                        await place.enter_async_context(self._places.place_for(caller, receive, is_large=is_large))
                except _NotAcceptedError as refused:
                    await self._refuse(self._answer(*refused.args), scope, receive, send, more=arriving.more)
                except RefusedOnArrivalError as refused:
                    await self._refuse(refused.answer, scope, receive, send, more=False)
                except (NoRoomError, NoPlaceError, HeldByAnotherError) as refused:
                    await self._refuse(self._busy(refused), scope, receive, send, more=arriving.more)
                except asyncio.CancelledError:  # by the server, when its time to shut down is over
                    reason = "The service is shutting down and did nothing: send the request again."
                    await send_answer(self._answer(HTTPStatus.SERVICE_UNAVAILABLE, reason), send, closing=True)
                except ClientLeftError:
                    return
                else:
                    await self._threads.answer(whole, body, receive, send, place.aclose)

    async def _fill(
        self, body: IO[bytes], take: Callable[[int], None], scope: Scope, receive: Receive, *, is_whole: bool
    ) -> None:
        declared = int(_header(scope, b"content-length") or 0)
        self._check_size(declared)
        began, size = asyncio.get_running_loop().time(), 0
        if not is_whole:
            take(max(declared, MEMORY_BYTES))
        more = True
        while more:
            message = await self._next(receive, began, size)
            size += len(message["body"])
            self._check_size(size)
            more = message["more_body"]
            if more:
                take(max(declared, size, MEMORY_BYTES))
            _store(message["body"], body, is_last=not more)
        take(size if size > MEMORY_BYTES else 0)

    async def _next(self, receive: Receive, began: float, size: int) -> dict[str, Any]:
        """Receive the next part of a body of which `size` bytes have arrived since `began`."""
        seconds = self._limits.seconds + size / self._limits.bytes_per_second
        left = began + seconds - asyncio.get_running_loop().time()
        try:
            if left <= 0:
                raise TimeoutError
            async with asyncio.timeout(min(STALLED_SECONDS, left)):
                message = await receive()
        except TimeoutError:
            reason = (
                f"No data of the request body arrived for {STALLED_SECONDS} seconds: send the request again."
                if left > STALLED_SECONDS
                else f"After {seconds:.0f} seconds only {size} bytes of the request body have arrived: send it faster."
            )
            raise _NotAcceptedError(HTTPStatus.REQUEST_TIMEOUT, reason) from None
        if message["type"] != "http.request":
            raise ClientLeftError
        return message

    def _answer(self, status: HTTPStatus, reason: str) -> Answer:
        answer = self._error_answer(status, reason)
        if status is not HTTPStatus.SERVICE_UNAVAILABLE:
            return answer
        return replace(answer, headers={**answer.headers, "Retry-After": str(RETRY_SECONDS)})

    def _busy(self, refused: NoRoomError | NoPlaceError | HeldByAnotherError) -> Answer:
        match refused:
            case NoRoomError():
                reason = (
                    f"Your requests would take more than {self._limits.of_a_caller} bytes of room together: send fewer "
                    "at a time, and this one again later."
                )
            case NoPlaceError():
                reason = "Too many requests wait before this one, which did nothing: send it again later."
            case _:
                reason = "The same request came before and is still being handled: send it again later."
        return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, reason)

    async def _refuse(self, answer: Answer, scope: Scope, receive: Receive, send: Send, *, more: bool = True) -> None:
        """Respond at once, and discard the rest of the body, if there is `more`.

        Many clients read no response before they have sent everything; if the connection were closed, they would see
        a reset. A client that waits for 100-continue may or may not send its body now, so its connection is closed; a
        slow one has had its time.
        """
        closing = _waits(scope) or answer.status is HTTPStatus.REQUEST_TIMEOUT
        await send_answer(answer, send, closing=closing, unfinished=True)
        with suppress(_NotAcceptedError, ClientLeftError):
            began, size = asyncio.get_running_loop().time(), 0
            while more and not closing and size <= self._limits.size:
                message = await self._next(receive, began, size)
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
        if size > self._limits.size:
            raise _NotAcceptedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The request body is larger than the limit of {self._limits.size} bytes: send less at once.",
            )


class _Arriving:
    """A body on its way: whether there is more of it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.more = True

    async def receive(self) -> dict[str, Any]:
        message = await self._receive()
        self.more = message.get("more_body", False)
        return message


def _whole(scope: Scope, body: IO[bytes]) -> Scope:
    length = str(body.tell()).encode()
    body.seek(0)
    framing = (b"content-length", b"transfer-encoding")
    headers = [each for each in scope["headers"] if each[0] not in framing]
    return scope | {"headers": [*headers, (b"content-length", length)], "segl.body": _view(body)}


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
