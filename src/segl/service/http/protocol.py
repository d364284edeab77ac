"""HTTP/1.1 on one connection: uvicorn's, with the peer's certificate and with limits where uvicorn waits forever."""

import asyncio
import sys
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from segl.service.http import request_ids
from segl.service.http.asgi import ErrorAnswer, head_of, plain

HEAD_SECONDS = 20
"""Time limit for a request's head to arrive, from the connection's start or the request's first byte."""

MAX_HEAD_BYTES = 64 * 1024

LINGER_SECONDS = 2
MOST_DROPPED_BYTES = 1024 * 1024
"""How long, and how much, incoming data is discarded after a refusal: many clients read no response before they have
sent everything, and see a reset instead if the connection is closed before that (RFC 9112, 9.6)."""

MOST_UNREAD_BYTES = 64 * 1024
"""Read buffer of a TLS connection, still encrypted; uvloop would let each upload take four times as much."""

STALLED_SECONDS = 60
"""A client that reads nothing of its response for this long counts as gone; sending to it occupies a thread."""


class _HeadRefusedError(Exception):
    """A head that is not accepted, with status and a sentence; stops the parser."""


_TOO_LARGE = (
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"The request head is larger than the limit of {MAX_HEAD_BYTES} bytes: send fewer or shorter headers.",
)


class SeglHttpProtocol(HttpToolsProtocol):
    """Adds `segl.peer_certificate` (DER, or None) and `segl.received_at` (wall clock) to each request's scope.

    The latter is when the request's first byte arrived: a client signs just before it sends, and may then send slowly.
    `segl.abort` closes the connection at once. `error_answer` makes the response to invalid requests, from a status
    and a sentence.
    """

    def __init__(self, *arguments: Any, error_answer: ErrorAnswer = plain, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._error_answer = error_answer
        self._dropped_bytes: int | None = None  # since the connection was refused
        self._peer_certificate: bytes | None = None
        self._head_deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unanswered = 0  # requests whose head is there and whose response is not complete
        self._refusal: tuple[HTTPStatus, str] | None = None  # to be sent after these responses
        self._reading_head = False
        self._head_bytes = 0  # of the names and values of the current request's headers, trailers too
        self._unparsed_bytes = 0  # received since the parser last reported something

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self._peer_certificate = tls.getpeercert(binary_form=True) if tls else None
        if tls:
            transport.set_read_buffer_limits(MOST_UNREAD_BYTES)  # type: ignore[attr-defined]  # uvloop's can
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        self._is_read_again()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._dropped_bytes is not None:
            self._drop(data)
            return
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._is_idle():
            self._expect_head()
        if self._unparsed_bytes > MAX_HEAD_BYTES:
            self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._reading_head = True
        self._head_bytes = self._unparsed_bytes = 0
        super().on_message_begin()
        self.scope["segl.received_at"] = datetime.now(UTC)  # type: ignore[typeddict-unknown-key]  # ours

    def on_header(self, name: bytes, value: bytes) -> None:
        self._unparsed_bytes = 0
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _HeadRefusedError(*_TOO_LARGE)
        if self._reading_head:  # Trailers are not headers: uvicorn would keep them as such, without a limit.
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._reading_head = False
        self._unparsed_bytes = 0
        self._head_is_there()
        self.scope["segl.peer_certificate"] = self._peer_certificate  # type: ignore[typeddict-unknown-key]  # ours
        self.scope["segl.abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]  # ours
        self._check_host()
        self._check_upgrade()
        super().on_headers_complete()
        self._unanswered += 1

    def _check_host(self) -> None:
        """RFC 9112, 3.2: one Host, which HTTP/1.0 may omit."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts < 1 and self.parser.get_http_version() == "1.1"):
            raise _HeadRefusedError(HTTPStatus.BAD_REQUEST, "The Host header must be sent once.")

    def _check_upgrade(self) -> None:
        """Refuse a body that the parser would take for other requests, as it does once it has seen an Upgrade.

        A proxy that passes Upgrade on would have its headers forged. Without a body, an Upgrade is ignored.
        """
        has_body = any(
            name == b"transfer-encoding" or (name == b"content-length" and int(value)) for name, value in self.headers
        )
        if has_body and self.parser.should_upgrade():
            reason = "The header Upgrade is not supported in a request with a body: send it without."
            raise _HeadRefusedError(HTTPStatus.BAD_REQUEST, reason)

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        super().on_response_complete()
        if not self.transport.is_closing():
            self._send_refusal()

    def send_400_response(self, msg: str) -> None:
        error = sys.exception()
        if error and isinstance(error.__context__, _HeadRefusedError):
            self._refuse(*error.__context__.args)
        else:
            reason = f"The request is not valid HTTP/1.1 ({error or msg}): send it with an ordinary HTTP client."
            self._refuse(HTTPStatus.BAD_REQUEST, reason)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Respond to an invalid request after the responses to those before it, and close the connection."""
        if self._dropped_bytes is not None:
            return
        self._dropped_bytes = 0
        self._refusal = status, reason
        if not self._is_idle() and self.cycle.more_body:  # it is the last request's body that is invalid
            self._give_up_last()
        self._send_refusal()

    def _give_up_last(self) -> None:
        """Have the refusal take the place of the response to the last request, whose body cannot be received."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        self._unanswered -= 1
        if self._unanswered:
            self.pipeline.popleft()
        elif self.cycle.response_started:  # it was refused before its body was there, with a complete response
            self._refusal = None
            self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _send_refusal(self) -> None:
        if not self._refusal or self._unanswered:
            return
        status, reason = self._refusal
        request_id = request_ids.new()
        with request_ids.working_on(request_id):
            answer = self._error_answer(status, reason)
        named = (request_ids.HEADER.lower().encode(), request_id.encode())
        headers = [*self.server_state.default_headers, *head_of(answer), named, (b"connection", b"close")]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + answer.body)
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _drop(self, data: bytes) -> None:
        self._dropped_bytes = (self._dropped_bytes or 0) + len(data)
        if self._dropped_bytes > MOST_DROPPED_BYTES:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._is_read_again()
        super().resume_writing()

    def shutdown(self) -> None:
        # A graceful close waits for the client's close_notify, which a pooled connection sends only when used again.
        if self._is_idle() and not self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # None at first

    def _expect_head(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _head_is_there(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _is_read_again(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
