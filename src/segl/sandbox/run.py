"""`segl sandbox`: the whole service on this machine, with a throw-away PKI, SQLite and files in one folder.

This process serves the API and the pages; a worker process runs alongside and ends with it. All state is in the
folder: a new start continues where the last one ended, however it ended.
"""

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from segl.sandbox.configuration import HOST, Start, write_configuration
from segl.sandbox.errors import SandboxError
from segl.sandbox.faults.pending import Faults
from segl.sandbox.files import write_atomically
from segl.sandbox.pki import SandboxPki, ensure_pki
from segl.sandbox.ready_file import announcing, contents
from segl.sandbox.worker import Worker
from segl.service.config import processes, wiring
from segl.service.configuration import Configuration
from segl.service.http.servers import serve

_OWN_DATABASE = "sqlite:///segl.sqlite3"
_LOOK_AFTER_PROCESS_SECONDS = 1.0


def run_sandbox(
    *,
    folder: Path,
    port: int = 0,
    web_port: int = 0,
    ready_file: Path | None = None,
    database_url: str | None = None,
    calls_per_second: int = 10,
    poll_seconds: int = 1,
    while_process: int | None = None,
    on_ready: Callable[[Mapping[str, Any]], None] = lambda ready: None,
) -> None:
    """Run a sandbox in `folder` until it is interrupted; port 0 means the port of the last start, or any free one.

    When it accepts calls, it writes `ready_file`, JSON that says where everything is, and calls `on_ready` with the
    same. A client that polled an empty queue is asked to wait `poll_seconds`. The sandbox ends when the process
    `while_process` does.

    Raises:
        SandboxError: The folder is in use by another sandbox, a port is taken, the ready file or the database cannot
            be used, or there is no process `while_process`.
    """
    if port and port == web_port:
        raise SandboxError("--port and --web-port must differ.")
    if while_process is not None:
        if not is_running(while_process):
            raise SandboxError(f"There is no process {while_process}: give --while-process the ID of a running one.")
        threading.Thread(target=_end_with, args=(while_process,), daemon=True).start()
    _forget_the_environment()
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _alone_in(folder),
        announcing(ready_file, on_ready) as announce,
        _listening(folder, "api", port) as api,
        _listening(folder, "pages", web_port) as pages,
    ):
        pki = ensure_pki(folder / "pki")
        database = _Database(folder, database_url)
        path = write_configuration(
            Start(
                folder=folder,
                pki=pki,
                api_port=_port(api),
                web_port=_port(pages),
                database_url=database.url,
                calls_per_second=calls_per_second,
                poll_seconds=poll_seconds,
            )
        )
        configuration = _prepared(path, database)
        with Worker(path):
            _serve(configuration, pki, api, pages, announce)


def _end_with(process: int) -> None:
    """Interrupt this process when another one has ended."""
    while is_running(process):
        time.sleep(_LOOK_AFTER_PROCESS_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def is_running(process: int) -> bool:
    """Whether there is a process with this ID."""
    try:
        os.kill(process, 0)
    except PermissionError:  # it is another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _forget_the_environment() -> None:
    """Remove settings from the environment: they are for `segl serve`, and a sandbox has its own."""
    for name in [each for each in os.environ if each.startswith("SEGL_")]:
        del os.environ[name]


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Lock the folder: two sandboxes in it would each take the other for dead, and its leases for free."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SandboxError(
                f"Another sandbox is already using the folder {folder}: stop it, or choose another one with --folder."
            ) from error
        yield


@contextmanager
def _listening(folder: Path, name: str, wanted: int) -> Iterator[socket.socket]:
    """Open a socket on the wanted port; if it is 0, on the port of the last start, or on any if that is taken."""
    remembered = folder / f"{name}.port"
    last = int(remembered.read_text()) if remembered.exists() else 0
    listener = _bound(wanted or last) or (not wanted and _bound(0))
    if not listener:
        raise SandboxError(f"Port {wanted} is in use: choose another one, or 0 for any free one.")
    write_atomically(remembered, str(_port(listener)).encode())
    with listener:
        yield listener


def _bound(port: int) -> socket.socket | None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # from here on nothing else can use the port, including our second listener
    except OSError:
        listener.close()
        return None
    return listener


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


class _Database:
    """The sandbox's database: the one requested, else that of the last start, else SQLite in the folder."""

    def __init__(self, folder: Path, requested: str | None) -> None:
        self._remembered = folder / "database-url"
        last = self._remembered.read_text() if self._remembered.exists() else _OWN_DATABASE
        self.url = requested or last

    def prepare(self, configuration: Configuration) -> None:
        """Bring the database up to date, and remember it for the next start.

        Raises:
            SandboxError: The database cannot be used.
        """
        from django.db import Error

        try:
            wiring.prepare_database(configuration)
        except Error as error:
            # The driver's message names host and user, never the password.
            reason = " ".join(str(error).split()).rstrip(".?")
            raise SandboxError(
                f"The database cannot be used: {reason}. Correct --database; it takes postgresql://user@host/name, "
                f"or {_OWN_DATABASE} for the folder's own."
            ) from None
        write_atomically(self._remembered, self.url.encode(), mode=0o600)


def _prepared(path: Path, database: _Database) -> Configuration:
    """Prepare everything for serving, including what the last start left behind."""
    configuration = wiring.start(path)
    database.prepare(configuration)
    wiring.release_leases()
    Faults(configuration.folder).take_back()  # each start begins without faults
    return configuration


def _serve(
    configuration: Configuration,
    pki: SandboxPki,
    api: socket.socket,
    web: socket.socket,
    announce: Callable[[Mapping[str, Any]], None],
) -> None:
    from segl.sandbox.faults.api import WithFaults
    from segl.service.config.listeners import direct_api, pages

    def ready() -> None:
        announce(contents(configuration, pki))
        processes.warm_up()

    faults = Faults(configuration.folder)
    sound = direct_api(api, configuration, pki.server)
    faulty = replace(sound, around=lambda application: WithFaults(application, faults))
    serve([faulty, pages(web, configuration)], ready=ready)
