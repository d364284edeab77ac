"""`segl sandbox`: the whole service on this machine, with a throw-away PKI, SQLite and files in one folder.

This process serves the API and the pages; a worker runs beside it and ends with it. Everything lies in the
folder: a new start on it continues where the last one ended, however it ended.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from segl.core.errors import SeglError
from segl.sandbox.faults.pending import Faults
from segl.sandbox.files import check_writable, write_atomically
from segl.sandbox.pki import SERVER_NUMBER, SandboxPki, ensure_pki
from segl.service.config import processes, wiring
from segl.service.configuration import Configuration
from segl.service.http.servers import serve

_HOST = "127.0.0.1"
_OWN_DATABASE = "sqlite:///segl.sqlite3"
_RESTART_WORKER_AFTER_SECONDS = 1.0
_LOOK_AFTER_PROCESS_SECONDS = 1.0


class SandboxError(SeglError):
    """The sandbox cannot start; the message says why and what to do."""


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
    """Run a sandbox in `folder` until it is interrupted; a port of 0 means the one of last time, or any free one.

    When it accepts calls, it writes `ready_file`: JSON that says where everything is; `on_ready` is told the same.
    A client that polled an empty queue is asked to wait `poll_seconds`. When the process `while_process` ends, so does
    the sandbox.

    Raises:
        SandboxError: The folder is in use by another sandbox, or a port is taken.
    """
    if while_process is not None:
        threading.Thread(target=_end_with, args=(while_process,), daemon=True).start()
    _forget_the_environment()
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _alone_in(folder),
        _announcing(ready_file, on_ready) as announce,
        _listening(folder, "api", port) as api,
        _listening(folder, "pages", web_port) as pages,
    ):
        pki = ensure_pki(folder / "pki")
        database = _Database(folder, database_url)
        path = _write_configuration(
            folder=folder,
            pki=pki,
            api=api,
            pages=pages,
            database_url=database.url,
            calls_per_second=calls_per_second,
            poll_seconds=poll_seconds,
        )
        configuration = wiring.start(path)
        database.prepare(configuration)
        wiring.release_leases()
        Faults(folder).take_back()  # each start begins without
        with _Worker(path):
            _serve(configuration, pki, api, pages, announce)


def _end_with(process: int) -> None:
    """Interrupt this process when another one has ended."""
    with suppress(ProcessLookupError):
        while True:
            os.kill(process, 0)
            time.sleep(_LOOK_AFTER_PROCESS_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _forget_the_environment() -> None:
    """Settings in the environment are meant for `segl serve`; a sandbox has its own."""
    for name in [each for each in os.environ if each.startswith("SEGL_")]:
        del os.environ[name]


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Two sandboxes on one folder would take each other for dead."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SandboxError(
                f"Another sandbox runs on the folder {folder}: stop it, or choose another one with --folder."
            ) from error
        yield


@contextmanager
def _listening(folder: Path, name: str, wanted: int) -> Iterator[socket.socket]:
    """A socket that listens on the wanted port; on the last one, if it is free and none is wanted."""
    remembered = folder / f"{name}.port"
    last = int(remembered.read_text()) if remembered.exists() else 0
    listener = _bound(wanted or last) or (not wanted and _bound(0))
    if not listener:
        raise SandboxError(f"Port {wanted} is taken: choose another one, or 0 for any free one.")
    write_atomically(remembered, str(_port(listener)).encode())
    with listener:
        yield listener


def _bound(port: int) -> socket.socket | None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
        listener.listen()  # from here on the port is taken for others, our second listener among them
    except OSError:
        listener.close()
        return None
    return listener


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


class _Database:
    """The sandbox's database: the one that is asked for, else the one of last time, else SQLite in the folder."""

    def __init__(self, folder: Path, asked_for: str | None) -> None:
        self._remembered = folder / "database-url"
        last = self._remembered.read_text() if self._remembered.exists() else _OWN_DATABASE
        self.url = asked_for or last

    def prepare(self, configuration: Configuration) -> None:
        """Bring it up to date; from then on it is the one of last time.

        Raises:
            SandboxError: It cannot be reached.
        """
        from django.db import Error

        try:
            wiring.prepare_database(configuration)
        except Error as error:
            # The driver's message names host and user, never the password.
            reason = " ".join(str(error).split())
            raise SandboxError(
                f"The database cannot be used: {reason}. Correct --database; it takes postgresql://user@host/name, "
                f"or {_OWN_DATABASE} for the folder's own."
            ) from None
        write_atomically(self._remembered, self.url.encode(), mode=0o600)


def _write_configuration(
    *,
    folder: Path,
    pki: SandboxPki,
    api: socket.socket,
    pages: socket.socket,
    database_url: str,
    calls_per_second: int,
    poll_seconds: int,
) -> Path:
    """The configuration of this start; the keys are those of the first."""
    master_key = folder / "master-key"
    if not master_key.exists():
        write_atomically(master_key, secrets.token_hex(32).encode(), mode=0o600)
    lines = [
        "# Written by `segl sandbox` at each start.",
        "sandbox = true",
        f'api_root = "https://{_HOST}:{_port(api)}/api"',
        f'web_root = "{_web_root(pages)}"',
        f"database = {_text(database_url)}",
        'documents = "documents"',
        'master_key_file = "master-key"',
        f"calls_per_second = {calls_per_second}",
        f"poll_interval_seconds = {poll_seconds}",
        f"trust_anchors = [{_text(pki.trust_anchors)}]",
        f"intermediates = [{_text(pki.intermediates)}]",
        "[api]",
        f'listen = "{_HOST}:{_port(api)}"',
        f"certificate = {_text(pki.server.certificate)}",
        f"private_key = {_text(pki.server.private_key)}",
        "[web]",
        f'listen = "{_HOST}:{_port(pages)}"',
        "[seal]",
        f"certificate = {_text(pki.seal.certificate)}",
        f"private_key = {_text(pki.seal.private_key)}",
        f"root = {_text(pki.trust_anchors)}",
        "[signer_ca]",
        f"certificate = {_text(pki.signer_ca.certificate)}",
        f"private_key = {_text(pki.signer_ca.private_key)}",
        "[revocation]",
        'policy = "off"  # the throw-away certificates name nobody to ask: addresses change from start to start',
        "[mail]",
        'sender = "Segl sandbox <sandbox@example.com>"',
        'backend = "segl.sandbox.stand_ins.outbox.EmailBackend"',
        "[contact_register]",
        f'url = "{_web_root(pages)}/contact-register"',
        f'token_endpoint = "{_web_root(pages)}/maskinporten/token"',
        f'issuer = "{_web_root(pages)}/maskinporten/"',
        'client_id = "segl-sandbox"',
        f"certificate = {_text(pki.server.certificate)}",
        f"private_key = {_text(pki.server.private_key)}",
        "[sms]",
        'gateway = "segl.sandbox.stand_ins.outbox.SmsGateway"',
    ]
    for files in pki.organizations:
        lines += [
            "[[organizations]]",
            f"number = {_text(files.organization.number)}",
            f"name = {_text(files.organization.name)}",
            f"sector = {_text(files.organization.sector)}",
            f"broker_for = {json.dumps(files.organization.broker_for)}",
        ]
    path = folder / "segl.toml"
    write_atomically(path, "\n".join([*lines, ""]).encode())
    return path


def _web_root(pages: socket.socket) -> str:
    return f"http://{_HOST}:{_port(pages)}"


def _text(value: str | Path) -> str:
    """A TOML string; TOML's basic strings are written as JSON's."""
    return json.dumps(str(value), ensure_ascii=False)


class _Worker:
    """A worker process beside this one: woken when something falls due, replaced when it dies, ended with this one."""

    def __init__(self, configuration: Path) -> None:
        self._command = [sys.executable, "-m", "segl.service.config.worker_process", str(configuration)]
        self._stopping = threading.Event()
        self._process = self._started()
        self._supervisor = threading.Thread(target=self._supervise, name="worker", daemon=True)

    def __enter__(self) -> None:
        from segl.service import due

        due.on_wake(self._wake)
        self._supervisor.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        _input(self._process).close()
        self._supervisor.join()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603 - our own module
        os.set_blocking(_input(process).fileno(), False)
        return process

    def _wake(self) -> None:
        # A worker that is gone, or has heard thousands of calls not yet, needs no further one.
        with suppress(OSError, ValueError):
            os.write(_input(self._process).fileno(), b"!")

    def _supervise(self) -> None:
        while self._process.wait() or not self._stopping.is_set():
            if self._stopping.wait(_RESTART_WORKER_AFTER_SECONDS):
                return
            self._process = self._started()


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # noqa: S101 - started with a pipe
    return process.stdin


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
        announce(_ready(configuration, pki))
        processes.warm_up()

    faults = Faults(configuration.folder)
    sound = direct_api(api, configuration, pki.server)
    faulty = replace(sound, around=lambda application: WithFaults(application, faults))
    serve([faulty, pages(web, configuration)], ready=ready)


@contextmanager
def _announcing(
    ready_file: Path | None, on_ready: Callable[[Mapping[str, Any]], None]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Tells that the sandbox accepts calls; as long as it does not, there is no ready file, not even one of a kill."""

    def announce(told: Mapping[str, Any]) -> None:
        if ready_file:
            write_atomically(ready_file, json.dumps(told, indent=2).encode())
        on_ready(told)

    _check_writable(ready_file)
    _remove(ready_file)
    try:
        yield announce
    finally:
        _remove(ready_file)


def _check_writable(ready_file: Path | None) -> None:
    """Better now than when everything else is running."""
    if ready_file is None:
        return
    try:
        check_writable(ready_file)
    except OSError as error:
        raise SandboxError(
            f"The ready file {ready_file} cannot be written ({error.strerror}): name another one with --ready-file."
        ) from None


def _remove(file: Path | None) -> None:
    if file:
        file.unlink(missing_ok=True)


def _ready(configuration: Configuration, pki: SandboxPki) -> dict[str, object]:
    """Where everything is, for those who use the sandbox from outside."""
    return {
        "api_root": configuration.api_root,
        "web_root": configuration.web_root,
        "outbox": f"{configuration.web_root}/outbox",
        "new_organizations": f"{configuration.web_root}/sandbox/organizations",
        "contact_register": f"{configuration.web_root}/contact-register",
        "faults": f"{configuration.web_root}/sandbox/faults",
        "server": {"organization_number": SERVER_NUMBER, "trust_anchors": str(pki.trust_anchors)},
        "organizations": [files.describe() for files in pki.organizations],
    }
