"""How the service, its zygote and the rendering children talk: packets to the zygote, a stream to each child.

Service to child: the length (8 bytes, big-endian) and the pickled `Task`; with the length come the descriptors of
anonymous files, one for each document, which the child maps instead of copying it. Child to service: DONE, REFUSED,
TOO_MANY_PAGES or FAILED, the length and the result, the sentence or the traceback; never a pickle, since a PDF may have
taken the child over. If an answer is shorter than its length says, the child has died; of what, the zygote says on the
lifeline, where no child can write: the exit status, or the number of the signal below zero.
"""

import mmap
import os
import pickle
import signal
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any

from segl.service.rendering.limits import Limits

PACKET_SIZE = 16
MOST_FILES = 253
"""The most descriptors that Linux passes at once."""
ANSWER_MARGIN = 64 * 1024
"""How much longer an answer may be than the largest result: for its head, or for a traceback."""
DONE, REFUSED, TOO_MANY_PAGES, FAILED = b"d", b"r", b"p", b"f"
_LENGTH = struct.Struct(">Q")
_HEAD = 1 + _LENGTH.size
_LIMITS = (signal.SIGXCPU, signal.SIGXFSZ)
_CRASHES = (
    *(signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS),  # also for lack of the memory that the limits allow
    *(signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS),
)
ENDS_BY_TASK = frozenset({0, *(-each for each in (*_LIMITS, *_CRASHES))})
"""How a child ends by its task. Other ends come from outside and say nothing of the document: the kernel is short of
memory, an operator kills it."""
END_BY_COST = -signal.SIGXCPU
"""How a child ends that used up its processor time: the document costs too much."""
END_BY_TIME = -signal.SIGALRM
"""How a child ends whose time is over. It may use the processor about half as long: the machine had too much to do."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a child is to do: the name and arguments of a function in `tasks`, and the limits on what it may use.

    Arguments that are a `PickleBuffer` reach the function as a view of a file that only the child has.
    """

    name: str
    arguments: dict[str, Any]
    limits: Limits

    def send(self, stream: socket.socket) -> None:
        """Hand the task to the child."""
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=buffers.append)
        with ExitStack() as files:
            descriptors = [files.enter_context(_anonymous_file(each)).fileno() for each in buffers]
            socket.send_fds(stream, [_LENGTH.pack(len(pickled))], descriptors)
        stream.sendall(pickled)


def answer(kind: bytes, payload: bytes) -> bytes:
    """What a child sends."""
    return kind + _LENGTH.pack(len(payload)) + payload


def is_complete(received: bytes) -> bool:
    """Whether the child sent all of its answer."""
    return len(received) >= _HEAD and _LENGTH.unpack(received[1:_HEAD])[0] == len(received) - _HEAD


def read_answer(received: bytes) -> tuple[bytes, bytes]:
    """Its kind and payload; FAILED when the child died before it had sent all."""
    return (received[:1], received[_HEAD:]) if is_complete(received) else (FAILED, b"the child died")


def join(parts: Sequence[bytes]) -> bytes:
    """Several results as one, each after its length."""
    return b"".join(_LENGTH.pack(len(each)) + each for each in parts)


def split(joined: bytes) -> list[bytes]:
    """The results that `join` made one of; ValueError if they are not."""
    parts, at = [], 0
    while at < len(joined):
        start = at + _LENGTH.size
        at = start + int.from_bytes(joined[at:start])
        parts.append(joined[start:at])
    if at != len(joined):
        raise ValueError("a result was cut off")
    return parts


def report_end(lifeline: socket.socket, status: int) -> None:
    """Say with which status a child ended, as `os.waitstatus_to_exitcode` gives it; if the client is gone, nothing."""
    with suppress(OSError):
        lifeline.send(str(status).encode(), socket.MSG_DONTWAIT)


def read_end(lifeline: socket.socket) -> int | None:
    """Wait until the child has ended; return how, or None if the zygote died or could not fork."""
    reported = lifeline.recv(PACKET_SIZE)
    return int(reported) if reported else None


def receive(stream: socket.socket) -> Task:
    """The task that was sent. It comes from the parent and can be trusted; only what goes back cannot."""
    head, descriptors, _, _ = socket.recv_fds(stream, _LENGTH.size, MOST_FILES)
    if len(head) < _LENGTH.size:
        raise EOFError("the client is gone")
    buffers = [_mapped(each) for each in descriptors]
    task: Task = pickle.loads(_exactly(stream, *_LENGTH.unpack(head)), buffers=buffers)  # noqa: S301 (see above)
    return task


def _anonymous_file(content: pickle.PickleBuffer) -> BufferedIOBase:
    """A file in memory, so that no document lies on a disk unencrypted."""
    file = os.fdopen(os.memfd_create("document"), "wb")
    file.write(content)
    file.flush()
    return file


def _mapped(descriptor: int) -> memoryview:
    """The content of a file, which is closed."""
    try:
        size = os.fstat(descriptor).st_size
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) if size else b"")
    finally:
        os.close(descriptor)


def _exactly(stream: socket.socket, length: int) -> bytes:
    received = bytearray(length)
    view = memoryview(received)
    while view:
        count = stream.recv_into(view)
        if not count:
            raise EOFError("the client is gone")
        view = view[count:]
    return bytes(received)
