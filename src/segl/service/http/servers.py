"""The listeners: one event loop, a thread pool per listener, mutual TLS where a listener requires it.

Silent and half-open connections occupy a socket for a while but never a thread: the handshake, the request's head, its
body and the reading of the response each have a time limit.
"""

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from segl.core.errors import SeglError
from segl.service.http.asgi import Application, ErrorAnswer, Scope, plain
from segl.service.http.bodies import LIMITS, Admission, BodyLimits, Caller, WholeBodies, address_of
from segl.service.http.held import Arrival
from segl.service.http.protocol import SeglHttpProtocol
from segl.service.http.request_ids import WithRequestId

_HANDSHAKE_SECONDS = 10
_TLS_CLOSE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 65
_BACKLOG = 512


class TlsFileError(SeglError):
    """A file that TLS needs cannot be used; the message names the file and the fix."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the server's certificate with its issuers, its private key, and the clients' roots and issuers."""

    certificate: Path
    private_key: Path
    client_authorities: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket and the WSGI application that serves it; with `tls`, clients must present a certificate.

    `environ["asgi.scope"]` contains `segl.listener` (the name), `segl.peer_certificate` (DER, or None without TLS) and
    `segl.received_at` (the wall-clock time of the request's first byte). `around` may wrap ASGI applications around the
    one that is called with whole requests; the other fields are explained at `WholeBodies`.
    """

    name: str
    socket: socket.socket
    application: Callable[..., Iterable[bytes]]
    tls: TlsFiles | None = None
    threads: int = 8
    places: int = 5
    share: int = 2
    limits: BodyLimits = LIMITS
    error_answer: ErrorAnswer = plain
    caller: Caller = address_of
    long_of: Callable[[Scope], str | None] = lambda scope: None
    around: Callable[[Application], Application] = lambda application: application
    admission: Admission | None = None
    arrival: Arrival | None = None


def serve(listeners: Sequence[Listener], *, ready: Callable[[], None] = lambda: None, grace_seconds: int = 20) -> None:
    """Serve until SIGINT or SIGTERM; only for the main thread. `ready` is called when all listeners accept connections.

    After the signal no new connections are accepted, and running requests have `grace_seconds` to finish; a second
    signal stops the servers at once.

    Raises:
        TlsFileError: A TLS file cannot be used.
    """
    servers = [_Server(listener, grace_seconds) for listener in listeners]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(servers, ready))


async def _serve(servers: Sequence["_Server"], ready: Callable[[], None]) -> None:
    def stop() -> None:
        for server in servers:
            server.force_exit = server.should_exit
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    async with asyncio.TaskGroup() as group:
        for server in servers:
            group.create_task(server.serve())
        for server in servers:
            await server.accepting.wait()
        ready()


class _Server(uvicorn.Server):
    """uvicorn's server on our socket, with time limits for TLS, and stopped together with the others."""

    def __init__(self, listener: Listener, grace_seconds: int) -> None:
        application = WholeBodies(
            listener.application,
            name=listener.name,
            threads=listener.threads,
            places=listener.places,
            share=listener.share,
            limits=listener.limits,
            error_answer=listener.error_answer,
            admission=listener.admission,
            arrival=listener.arrival,
            caller=listener.caller,
            long_of=listener.long_of,
        )
        super().__init__(
            uvicorn.Config(
                WithRequestId(listener.around(application), listener.error_answer),
                http=SeglHttpProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,  # URLs carry signers' tokens
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=grace_seconds,
            )
        )
        self._socket = listener.socket
        self._error_answer = listener.error_answer
        self._tls: dict[str, Any] = {}
        if listener.tls:
            self._tls = {
                "ssl": tls_context(listener.tls),
                "ssl_handshake_timeout": _HANDSHAKE_SECONDS,
                "ssl_shutdown_timeout": _TLS_CLOSE_SECONDS,
            }
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        server = await asyncio.get_running_loop().create_server(
            self._protocol, sock=self._socket, backlog=_BACKLOG, **self._tls
        )
        self.servers = [server]
        self.started = True
        self.accepting.set()

    def _protocol(self) -> SeglHttpProtocol:
        return SeglHttpProtocol(self.config, self.server_state, self.lifespan.state, error_answer=self._error_answer)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `_serve`, which handles them for all servers."""
        yield


class _WithAlert(ssl.SSLObject):
    """Has the alert sent that says why a handshake failed; uvloop and asyncio would end the connection without it."""

    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._failure:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as failure:
            self._failure = failure
            # The loop now sends what is ready, the alert, and calls again once the client says more.
            raise ssl.SSLWantReadError from None


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or newer that requires a client certificate from one of the authorities.

    TLS checks only the chain; the application checks the organization number.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _WithAlert
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(files.certificate, files.private_key)
    except OSError as error:  # ssl.SSLError is one
        raise TlsFileError(
            f"TLS cannot use the certificate {files.certificate} with the key {files.private_key} ({error}): "
            "name a PEM file with the certificate and its issuers, and one with its private key."
        ) from error
    for path in files.client_authorities:
        _trust(context, path)
    return context


def _trust(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise TlsFileError(
            f"TLS cannot read the clients' authorities from {path} ({error}): name a PEM file of CA certificates."
        ) from error
