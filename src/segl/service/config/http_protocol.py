"""HTTP/1.1 on one connection: uvicorn's, with the peer's certificate and with limits where uvicorn waits for ever."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20
"""Within this time of a connection's start, or of a request's first byte, the request's head must be there."""

MAX_HEAD_BYTES = 64 * 1024

MOST_UNREAD_BYTES = 64 * 1024
"""Of a TLS connection, still encrypted; uvloop would let each upload take four times as much."""

STALLED_SECONDS = 60
"""A client that reads nothing of its answer for so long has gone; what waits to send to it holds a thread."""


class SeglHttpProtocol(HttpToolsProtocol):
    """Puts into each request's scope `segl.peer_certificate` (DER, or None) and `segl.received_at` (wall clock).

    That is when the request's first byte came: a client signs just before it sends, and then may send slowly.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._peer_certificate: bytes | None = None
        self._head_deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._reading_head = False
        self._head_bytes = 0  # of the names and values of the current request's headers, trailers too
        self._unparsed_bytes = 0  # that came since the parser last made something of them

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
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._is_idle():
            self._expect_head()
        if self._unparsed_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._reading_head = True
        self._head_bytes = self._unparsed_bytes = 0
        super().on_message_begin()
        self.scope["segl.received_at"] = datetime.now(UTC)  # type: ignore[typeddict-unknown-key]  # ours

    def on_header(self, name: bytes, value: bytes) -> None:
        self._unparsed_bytes = 0
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()
        elif self._reading_head:  # Trailers are no headers: uvicorn would keep them as such, and without an end.
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._reading_head = False
        self._unparsed_bytes = 0
        self._head_is_there()
        self.scope["segl.peer_certificate"] = self._peer_certificate  # type: ignore[typeddict-unknown-key]  # ours
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._is_read_again()
        super().resume_writing()

    def shutdown(self) -> None:
        # Closing politely waits for the client's farewell, which a pooled connection gives only when it is used again.
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
