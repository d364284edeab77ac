"""Gives each request an id, which appears in every log line about it and in a header of its response.

A value that a client sends in that header is neither used nor logged.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from segl.service.http.bodies import Application, Receive, Scope, Send

HEADER = "X-Request-Id"
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id of the current request; empty outside of requests."""
    return _current.get()


@contextmanager
def working_on(request_id: str) -> Iterator[None]:
    """Make this the id of the current request within the block."""
    token = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(token)


def new() -> str:
    """Return a unique id: 16 hexadecimal digits."""
    return secrets.token_hex(8)


class WithRequestId:
    """An ASGI application that gives each request its id."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = new()
        named = (HEADER.lower().encode(), request_id.encode())

        async def send_named(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], named]}  # type: ignore[misc]  # a list, by ASGI
            await send(message)

        with working_on(request_id):
            await self._application(scope, receive, send_named)
