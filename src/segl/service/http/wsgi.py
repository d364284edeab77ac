"""Passes whole requests to a WSGI application in a pool of threads, and its responses back to the loop.

A response of up to `AT_ONCE_BYTES` crosses from its thread to the loop once, when it is complete. A larger one crosses
piece by piece; while the client takes one, no thread waits, and when the client leaves, no more are made.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import IO, Any, ParamSpec, TypeVar

from segl.service.http.asgi import Receive, Scope, Send

AT_ONCE_BYTES = 64 * 1024

Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """A pool of threads that answer requests with a WSGI application."""

    def __init__(self, application: WsgiApplication, threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="WSGI")

    async def run(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """Call the function in one of the threads, in the context of the request."""
        context = copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: context.run(function, *arguments, **named))

    async def answer(
        self,
        scope: Scope,
        body: IO[bytes],
        receive: Receive,
        send: Send,
        responded: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Answer a request whose whole body is in this file; `receive` says whether its client has left.

        `responded` is called before the client takes any of the response, unless much of it is in memory.
        """
        response = _Response(self._application, environ(scope, body), receive, send)
        try:
            more = await self.run(response.collect)
            if responded and response.size <= 2 * AT_ONCE_BYTES:
                await responded()
            await response.send(more=more)
            while more and not response.ended:
                more = await self.run(response.collect)
                await response.send(more=more)
        finally:
            response.end()
            if not response.closed:
                self._pool.submit(copy_context().run, response.close)


class _Response:
    """A response on its way: the application adds to it in threads, the loop sends what was added.

    Never both at a time, nor two threads: each waits for the other.
    """

    def __init__(self, application: WsgiApplication, environ: Environ, receive: Receive, send: Send) -> None:
        self._made = self._pieces_of(application, environ)
        self._receive = receive
        self._send = send
        self._head: dict[str, Any] | None = None
        self._is_begun = False
        self._pieces: list[bytes] = []
        self.size = 0  # of what was added and not sent
        self._leaving: asyncio.Future[Any] | None = None  # watched from the first piece on
        self._collecting = Lock()
        self.ended = False
        self.closed = False

    def collect(self) -> bool:
        """Have the application add more than `AT_ONCE_BYTES`, or the rest; return whether there may be more."""
        with self._collecting:
            for piece in self._made:
                self._add(piece)
                if self.size > AT_ONCE_BYTES:
                    return True
            self.closed = True
            return False

    def close(self) -> None:
        """End the application's work on the response, after the thread that may still be at it; in a thread."""
        with self._collecting:
            self._made.close()
            self.closed = True

    def _pieces_of(self, application: WsgiApplication, environ: Environ) -> Generator[bytes, None, None]:
        body = application(environ, self._start)
        try:
            yield from body
        finally:
            if close := getattr(body, "close", None):
                close()

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        """WSGI's `start_response`: with `exc_info` an error takes the place of what was not sent yet."""
        if exc_info and self._is_begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._head and not exc_info:
            raise RuntimeError("The application called start_response twice.")
        self._pieces, self.size = [], 0
        named = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._head = {"type": "http.response.start", "status": int(status[:3]), "headers": named}
        return self._add

    def _add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.size += len(piece)

    async def send(self, *, more: bool) -> None:
        """Send what was added, until the client has left; without `more` that is the rest."""
        if more and self._leaving is None:
            self._leaving = asyncio.ensure_future(self._receive())
        if self._head is None:
            raise RuntimeError("The application did not call start_response.")
        if not self._is_begun:
            self._is_begun = True
            await self._send(self._head)
        content = b"".join(self._pieces)
        self._pieces, self.size = [], 0
        for begin in range(0, max(1, len(content)), AT_ONCE_BYTES):
            if self._leaving and self._leaving.done():
                self.ended = True
                return
            end = begin + AT_ONCE_BYTES
            is_last = not more and end >= len(content)
            await self._send({"type": "http.response.body", "body": content[begin:end], "more_body": not is_last})

    def end(self) -> None:
        """Send no more."""
        self.ended = True
        if self._leaving:
            self._leaving.cancel()


def environ(scope: Scope, body: IO[bytes]) -> Environ:
    """Return WSGI's environment of a request (PEP 3333); `asgi.scope` is the scope itself.

    Headers with an underscore in their name are left out: WSGI could not tell them from others.
    """
    host, port = scope.get("server") or ("localhost", 80)
    made: Environ = {
        "asgi.scope": scope,
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if client := scope.get("client"):
        made["REMOTE_ADDR"], made["REMOTE_PORT"] = client[0], str(client[1])
    for name, value in scope["headers"]:
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in {"CONTENT_LENGTH", "CONTENT_TYPE"} else f"HTTP_{key}"
        text = value.decode("latin-1")
        separator = "; " if key == "HTTP_COOKIE" else ","  # RFC 9113, 8.2.3
        made[key] = f"{made[key]}{separator}{text}" if key in made else text
    return made
