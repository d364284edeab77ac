"""A relay in front of a PostgreSQL server that breaks the connection at a COMMIT."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from typing import Literal
from urllib.parse import parse_qs, urlsplit

Fault = Literal["answer", "commit", "late", "down"]


class DatabaseRelay:
    """Relays connections over Unix sockets; `fault`, if set, happens at the next COMMIT.

    "answer": the server commits, and its answer is lost. "commit": the COMMIT is lost. "late": it is delayed until
    after the client's next INSERT. "down": as "answer", and the server cannot be reached until `fault` is set to None.
    """

    def __init__(self, server: Path, listener: socket.socket) -> None:
        self.fault: Fault | None = None
        self._server, self._listener = server, listener
        self._late: list[tuple[socket.socket, bytes]] = []
        self._threads: list[threading.Thread] = []

    def serve(self) -> None:
        """Relay until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._relay, args=[client])
                thread.start()
                self._threads.append(thread)
        for each in self._threads:
            each.join(10)

    def _relay(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            if self.fault == "down":
                return
            server.connect(str(self._server))
            while True:
                ready, _, _ = select([client, server], [], [])
                data = ready[0].recv(1 << 16)
                if not data:
                    return
                if ready[0] is server:
                    client.sendall(data)
                elif self.fault and b"COMMIT\0" in data:
                    self._break(client, server, data)
                    return
                else:
                    server.sendall(data)
                    if b"INSERT" in data and self._late:
                        self._finish(*self._late.pop())

    def _break(self, client: socket.socket, server: socket.socket, commit: bytes) -> None:
        fault = self.fault
        self.fault = "down" if fault == "down" else None
        if fault == "late":
            self._late.append((server.dup(), commit))
        elif fault != "commit":
            self._finish(server.dup(), commit)

    def _finish(self, server: socket.socket, commit: bytes) -> None:
        with server:
            server.sendall(commit)
            assert server.recv(1 << 16)


@contextmanager
def database_relay(url: str, folder: Path) -> Iterator[tuple[DatabaseRelay, str]]:
    """A relay to the server of this URL until the block ends, with the URL of the same database through it."""
    [host] = parse_qs(urlsplit(url).query)["host"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / ".s.PGSQL.5432"))
        listener.listen()
        relay = DatabaseRelay(Path(host) / ".s.PGSQL.5432", listener)
        thread = threading.Thread(target=relay.serve)
        thread.start()
        yield relay, f"{url.partition('?')[0]}?host={folder}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
