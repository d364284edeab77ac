"""Gives each request an id, which appears in every log line about it and in a header of its response.

A value that a client sends in that header is neither used nor logged.
"""

import logging
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

from segl.service.http.asgi import Application, ErrorAnswer, Receive, Scope, Send, plain, send_answer

logger = logging.getLogger(__name__)

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
    """An ASGI application that gives each request its id, and answers those in which the application fails.

    The log then has the error's type and place, not its text, which may contain anything.
    """

    def __init__(self, application: Application, error_answer: ErrorAnswer = plain) -> None:
        self._application = application
        self._error_answer = error_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = new()
        named = (HEADER.lower().encode(), request_id.encode())
        started = False

        async def send_named(message: dict[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], named]}
            await send(message)

        with working_on(request_id):
            try:
                await self._application(scope, receive, send_named)
            except Exception as error:  # whatever the application raises
                where = "".join(traceback.format_tb(error.__traceback__))
                logger.error("A request failed: %s\n%s", type(error).__name__, where)
                if started:
                    scope["segl.abort"]()
                else:
                    reason = f"The service failed. Try again, and quote {request_id} if you report it."
                    await send_answer(self._error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, reason), send_named)
