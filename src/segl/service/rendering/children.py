"""The service's side of rendering: keeps one zygote per process, hands it tasks from any thread, reads the answers."""

import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segl.core.errors import InvalidDocument, TooManyPages
from segl.service import configuration
from segl.service.outages import OutageError
from segl.service.rendering import wire
from segl.service.rendering.limits import Limits

logger = logging.getLogger(__name__)

LIMITS = Limits()
START_SECONDS = 30
"""How long the zygote may take to load its libraries."""
LONGEST_WAIT_SECONDS = 30
"""How long a task waits while as many children run as are allowed."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:-1]; from segl.service.rendering.zygote import main; main()"


class RenderingUnavailableError(OutageError):
    """No child could do the task, for a reason that is not the document's: the same task may succeed later."""


@contextmanager
def _pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


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

    @contextmanager
    def child(self, limits: Limits) -> Iterator[tuple[socket.socket, socket.socket]]:
        """Have a child forked; give a stream to it, and its lifeline. At the end of the block the child is killed."""
        with _pair() as (stream, its_stream), _pair() as (lifeline, its_lifeline):
            stream.settimeout(START_SECONDS + limits.wall_seconds)
            lifeline.settimeout(START_SECONDS)
            with suppress(OSError):  # Without a zygote no end will be reported.
                descriptors = [its_stream.fileno(), its_lifeline.fileno()]
                socket.send_fds(self.control, [str(limits.wall_seconds).encode()], descriptors)
            its_stream.close()
            its_lifeline.close()
            yield stream, lifeline

    def stop(self) -> None:
        self.control.close()
        self.process.wait()

    def await_exit(self) -> None:
        """If the process is dying, wait a moment, so that `poll` sees it."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)


class _Keeper:
    """Starts the zygote when it is first needed, and again when it has died; has the turns of its children."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.zygote: _Zygote | None = None
        self._turns: dict[int, threading.BoundedSemaphore] = {}

    def turns(self, children: int) -> threading.BoundedSemaphore:
        with self.lock:
            return self._turns.setdefault(children, threading.BoundedSemaphore(children))

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
        self._turns = {}
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


@contextmanager
def turn() -> Iterator[None]:
    """Wait until one child more may run in this process; in the block it may.

    Raises:
        RenderingUnavailableError: That took too long.
    """
    turns = _keeper.turns(configuration.rendering().children)
    if not turns.acquire(timeout=LONGEST_WAIT_SECONDS):
        raise RenderingUnavailableError(f"no rendering process was free within {LONGEST_WAIT_SECONDS} s")
    try:
        yield
    finally:
        turns.release()


def run(name: str, limits: Limits = LIMITS, **arguments: Any) -> bytes:
    """Do the task, whose turn it must be, in its own child; if that is killed from outside, once more in another one.

    Raises:
        InvalidDocument: The child rejects a document, or died of it.
        RenderingUnavailableError: No child could do the task.
    """
    task = wire.Task(name, arguments, limits)
    try:
        for _ in range(2):
            answer = _attempt(_keeper.running(), task)
            if answer is not None:
                return _result(name, answer)
    except OSError as error:  # as when the machine is short of memory or descriptors
        reason = error.strerror or type(error).__name__
        raise RenderingUnavailableError(f"no rendering process can be used ({reason})") from error
    raise RenderingUnavailableError("a rendering process was killed twice from outside, or does not start")


def _attempt(zygote: _Zygote, task: wire.Task) -> bytes | None:
    """Do the task in a new child; return its answer, incomplete if the child died of it, None if of something else."""
    most = task.limits.result + wire.ANSWER_MARGIN
    with zygote.child(task.limits) as (stream, lifeline):
        answer = b""
        with suppress(ConnectionError):  # The child has died.
            task.send(stream)
            answer = _read(stream, most)
        if len(answer) > most:
            return b""
        end = wire.read_end(lifeline)
        if wire.is_complete(answer):
            return answer
        if end == wire.END_BY_COST:
            raise InvalidDocument(
                f"What was sent takes more than {task.limits.cpu_seconds} seconds of processor time: a document has "
                "too many pages or objects, or some that take too long to draw. Split it, or print it to a new PDF "
                "and send that."
            )
        if end in wire.ENDS_BY_TASK:
            return answer
    if end == wire.END_BY_TIME:
        raise RenderingUnavailableError("a rendering process got too little of the processors' time")
    if end is None:
        zygote.await_exit()
    return None


def _read(stream: socket.socket, most: int) -> bytes:
    """Read all that comes, or a little more than `most`."""
    answer = bytearray()
    while len(answer) <= most and (part := stream.recv(1 << 20)):
        answer += part
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
