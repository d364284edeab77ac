"""Health checks for operators: `/healthz` says that nothing hangs in the process, `/readyz` that it can do its work.

Neither says more than that; the log says why a process is not ready.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket

from segl.service.http.asgi import Answer, Application, Receive, Scope, Send, plain, send_answer

logger = logging.getLogger(__name__)

CHECK_EVERY_SECONDS = 5.0
_STALE_SECONDS = 15.0
_PROBE_SECONDS = 5.0
HANGING_SECONDS = 300
"""A thread that works on one request for longer hangs; the documented proxies have given up on the answer then."""

_watched: dict[object, float] = {}
"""When the blocks that are `watched` began."""


@contextmanager
def watched() -> Iterator[None]:
    """The block ends before long; if it does not, as when a database neither answers nor fails, `/healthz` says so."""
    block = object()
    _watched[block] = time.monotonic()
    try:
        yield
    finally:
        del _watched[block]


def is_hanging() -> bool:
    """Whether a thread of this process hangs in a block that is `watched`."""
    longest = time.monotonic() - min(list(_watched.values()), default=float("inf"))
    if longest > HANGING_SECONDS:
        logger.warning("Not healthy: a thread has been working on one request for %d seconds", longest)
    return longest > HANGING_SECONDS


class Readiness:
    """Whether the process can do its work. A thread runs the check periodically, however often the result is read.

    A check that hangs counts as failed.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._passed_at = float("-inf")
        threading.Thread(target=self._watch, name="readiness", daemon=True).start()

    def is_ready(self) -> bool:
        """Whether the last check passed, and not long ago."""
        return time.monotonic() - self._passed_at < _STALE_SECONDS

    def _watch(self) -> None:
        while True:
            self._look()
            time.sleep(CHECK_EVERY_SECONDS)

    def _look(self) -> None:
        try:
            self._check()
        except Exception as error:  # anything that keeps the process from working
            self._passed_at = float("-inf")
            logger.warning("Not ready: %s", error)
        else:
            self._passed_at = time.monotonic()


class WithHealth:
    """An ASGI application that answers health checks itself, from anyone and before all else."""

    def __init__(self, application: Application, readiness: Readiness) -> None:
        self._application = application
        self._readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _answer(scope["path"], self._readiness)
        if answer is None:
            await self._application(scope, receive, send)
        else:
            await send_answer(answer, send)


def serve_health(listener: socket, readiness: Readiness) -> None:
    """Answer health checks, and nothing else, on this socket in a background thread."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _PROBE_SECONDS

        def do_GET(self) -> None:
            answer = _answer(self.path, readiness) or plain(HTTPStatus.NOT_FOUND, "not found\n")
            self.send_response_only(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Do not log probes."""

    server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()


def _answer(path: str, readiness: Readiness) -> Answer | None:
    if path == "/healthz":
        return _ok() if not is_hanging() else plain(HTTPStatus.SERVICE_UNAVAILABLE, "hanging\n")
    if path == "/readyz":
        return _ok() if readiness.is_ready() else plain(HTTPStatus.SERVICE_UNAVAILABLE, "not ready\n")
    return None


def _ok() -> Answer:
    return plain(HTTPStatus.OK, "ok\n")
