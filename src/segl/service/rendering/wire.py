"""How the service, its zygote and the rendering children talk: packets to the zygote, a stream to each child.

Service to child: the length (8 bytes, big-endian) and the pickled `Task`; with the length come the descriptors of
anonymous files, one for each document, which the child maps instead of copying it. Child to service: STARTED, then
DONE, REFUSED, TOO_MANY_PAGES or FAILED, the length and the result, the sentence or the traceback; never a pickle, since
a PDF may have taken the child over. If an answer is shorter than its length says, the child has died.
"""

import mmap
import os
import pickle
import socket
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any

from segl.service.rendering.limits import Limits

PACKET_SIZE = 16
MOST_FILES = 253
"""The most descriptors that Linux passes at once."""
STARTED = b"s"
ANSWER_MARGIN = 64 * 1024
"""How much longer an answer may be than the largest result: for its head, or for a traceback."""
DONE, REFUSED, TOO_MANY_PAGES, FAILED = b"d", b"r", b"p", b"f"
_LENGTH = struct.Struct(">Q")


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


def read_answer(received: bytes) -> tuple[bytes, bytes]:
    """Its kind and payload; FAILED when the child died before it had sent all."""
    head = 1 + _LENGTH.size
    if len(received) < head or _LENGTH.unpack(received[1:head])[0] != len(received) - head:
        return FAILED, b"the child died"
    return received[:1], received[head:]


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
