"""The service's side of rendering: keeps one zygote per process, hands it tasks from any thread, reads the answers."""

import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segl.core.errors import InvalidDocument, TooManyPages
from segl.service.rendering import wire
from segl.service.rendering.limits import Limits

logger = logging.getLogger(__name__)

LIMITS = Limits()
START_SECONDS = 30
"""How long the zygote may take to load its libraries."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:-1]; from segl.service.rendering.zygote import main; main()"


class _ZygoteGoneError(Exception):
    """The zygote died before it forked a child for the task."""


@dataclass(slots=True)
class _Zygote:
    process: subprocess.Popen[bytes]
    control: socket.socket

    @classmethod
    def start(cls) -> "_Zygote":
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = [str(Path(entry).absolute()) for entry in sys.path]
        with theirs:
            process = subprocess.Popen(  # noqa: S603 (our own interpreter and program)
                [sys.executable, "-I", "-W", "ignore", "-c", _PROGRAM, *path, str(theirs.fileno())],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return cls(process, ours)

    def fork(self, limits: Limits) -> socket.socket:
        """Have a child forked; return a stream to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.control, [str(limits.wall_seconds).encode()], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise _ZygoteGoneError from error
        return ours

    def stop(self) -> None:
        self.control.close()
        self.process.wait()

    def await_exit(self) -> None:
        """Wait a moment, so that `poll` sees that the process has died."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)


class _Keeper:
    """Starts the zygote when it is first needed, and again when it has died."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.zygote: _Zygote | None = None

    def running(self) -> _Zygote:
        with self.lock:
            if self.zygote and self.zygote.process.poll() is not None:
                self.stop()
            if self.zygote is None:
                self.zygote = _Zygote.start()
            return self.zygote

    def stop(self) -> None:
        if self.zygote:
            self.zygote.stop()
            self.zygote = None

    def forget(self) -> None:
        """In a forked process: the zygote is the parent's."""
        self.lock = threading.Lock()
        if self.zygote:
            self.zygote.control.close()
            self.zygote.process.returncode = 0
            self.zygote = None


_keeper = _Keeper()
atexit.register(_keeper.stop)
os.register_at_fork(after_in_child=_keeper.forget)


def warm_up() -> None:
    """Start the zygote now rather than with the first document; does not wait for it."""
    _keeper.running()


def run(name: str, limits: Limits = LIMITS, **arguments: Any) -> bytes:
    """Do the task in its own child. Raises `InvalidDocument` if the child rejects a document or dies."""
    task = wire.Task(name, arguments, limits)
    for _ in range(2):
        zygote = _keeper.running()
        try:
            answer = _exchange(zygote, task)
        except _ZygoteGoneError:
            zygote.await_exit()
        else:
            return _result(name, answer)
    raise RuntimeError("The rendering process does not start; its error is on standard error.")


def _exchange(zygote: _Zygote, task: wire.Task) -> bytes:
    """Send the task to a new child; return the answer, empty if the child died."""
    with zygote.fork(task.limits) as stream:
        stream.settimeout(START_SECONDS + task.limits.wall_seconds)
        if not stream.recv(1):
            raise _ZygoteGoneError
        try:
            task.send(stream)
            return _read_all(stream, task.limits.result + wire.ANSWER_MARGIN)
        except OSError:
            return b""


def _read_all(stream: socket.socket, most: int) -> bytes:
    answer = bytearray()
    while part := stream.recv(1 << 20):
        answer += part
        if len(answer) > most:
            return b""
    return bytes(answer)


def _result(name: str, answer: bytes) -> bytes:
    kind, payload = wire.read_answer(answer)
    if kind == wire.DONE:
        return payload
    if kind == wire.REFUSED:
        raise InvalidDocument(payload.decode(errors="replace"))
    if kind == wire.TOO_MANY_PAGES:
        raise TooManyPages(payload.decode(errors="replace"))
    logger.warning("Rendering task %s failed: %s", name, payload.decode(errors="replace"))
    raise InvalidDocument(
        "What was sent could not be processed within the limits of time and memory: a document is damaged or too "
        "complex. Print it to a new PDF and send that."
    )
