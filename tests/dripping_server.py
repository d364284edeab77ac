"""A server for tests of time limits: it drips, keeps silent, or sends more than anyone should take.

What it does with a connection is a function of it (`Answer`), which other servers may call with theirs too. It goes on
until the client hangs up: a test asks who hung up and why, not how long it took.
"""

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

Answer = Callable[[socket.socket], bool]
"""Says whether it ended because the client hung up."""

SOON = 0.3
"""A limit (seconds) for tests: enough for several drips."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_INTERVAL = SOON / 20
_PATIENCE = 10.0
"""How long (seconds) a client is waited for: one without a limit makes its test fail, not hang."""


def drips(before: bytes = b"", piece: bytes = b"", *, interval: float = _INTERVAL) -> Answer:
    """Says this at once, and then such a piece every so many seconds; when the piece is empty, nothing more."""

    def answer(connection: socket.socket) -> bool:
        ends_at = monotonic() + _PATIENCE
        try:
            connection.sendall(before)
            while monotonic() < ends_at:
                if _has_hung_up(connection, interval):
                    return True
                connection.sendall(piece)
        except TimeoutError:
            return False
        except OSError:
            return True
        return False

    return answer


def says(content: bytes) -> Answer:
    """Says this and no more."""

    def answer(connection: socket.socket) -> bool:
        connection.sendall(content)
        return False

    return answer


def _has_hung_up(connection: socket.socket, within: float) -> bool:
    readable, _, _ = select.select([connection], [], [], within)
    return bool(readable) and not connection.recv(65536)


SLOW_HEAD: dict[str, Answer] = {
    "silent": drips(),
    "status": drips(b"HTTP/1.1 200 ", b"O"),
    "header": drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "informational": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
SLOW_BODY: dict[str, Answer] = {
    "body": drips(HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
    "chunks": drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "body of unknown length": drips(HEAD + b"\r\n", b" "),
}
SLOW = SLOW_HEAD | SLOW_BODY
"""Answers to a request: each piece comes in time, and there is no last one."""

SLOW_TLS: dict[str, Answer] = {
    "silent": drips(),
    "handshake": drips(b"\x16\x03\x03\x40\x00", b"\x02"),  # one record of 16 KiB, a byte at a time
}
"""Answers to the first bytes of a TLS handshake."""

ENDLESS = drips(HEAD + b"\r\n", bytes(65536), interval=0)


@dataclass
class DrippingServer:
    """What listens at `port`."""

    port: int
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when a client hung up while it was being answered."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def assert_hung_up(self) -> None:
        assert self.hung_up.wait(_PATIENCE)


@contextmanager
def dripping_server(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[DrippingServer]:
    """Gives each client this answer at once, whatever it says, and then waits for it to hang up."""
    threads = []

    def accept() -> None:
        with suppress(OSError):  # it is shut down
            while True:
                connection, _ = listener.accept()
                connection.settimeout(_PATIENCE)
                threads.append(threading.Thread(target=attend, args=[connection]))
                threads[-1].start()

    def attend(accepted: socket.socket) -> None:
        try:
            with tls.wrap_socket(accepted, server_side=True) if tls else accepted as connection:
                if answer(connection):
                    server.hung_up.set()
                # Closing with bytes of the request unread would reset the connection before the answer is read.
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
        except TimeoutError:
            pass
        except OSError:
            server.hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = DrippingServer(listener.getsockname()[1])
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for each in [accepting, *threads]:
                each.join()
