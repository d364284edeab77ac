"""Gives each request an id, which appears in every log line about it and in a header of its response.

A value that a client sends in that header is neither used nor logged.
"""

import logging
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from segl.service.http.asgi import Answer, Application, ErrorAnswer, Receive, Scope, Send, plain, send_answer
from segl.service.http.bodies import RETRY_SECONDS

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
                is_outage = isinstance(error, OSError) and error.errno is not None  # such as a full disk
                _log(error, is_outage=is_outage)
                if started:
                    scope["segl.abort"]()
                else:
                    await send_answer(self._answer(is_outage=is_outage), send_named)

    def _answer(self, *, is_outage: bool) -> Answer:
        if is_outage:
            reason = "The service cannot process the request now: send it again later."
            answer = self._error_answer(HTTPStatus.SERVICE_UNAVAILABLE, reason)
            return replace(answer, headers={**answer.headers, "Retry-After": str(RETRY_SECONDS)})
        reason = f"The service failed. Send the request again, and quote {current()} if you report it."
        return self._error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, reason)


def _log(error: Exception, *, is_outage: bool) -> None:
    if is_outage:
        logger.error("A request cannot be answered for now: %s", getattr(error, "strerror", None))
        return
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("A request failed: %s\n%s", type(error).__name__, where)
