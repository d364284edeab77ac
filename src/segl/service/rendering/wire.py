"""How the service, its zygote and the rendering children talk: packets to the zygote, a stream to each child.

Service to child: length (8 bytes, big-endian) and the pickled `Task`. Child to service: STARTED, then DONE, REFUSED or
FAILED, the length and the result, the sentence or the traceback; never a pickle, since a PDF may have taken the child
over. An answer that is shorter than its length says is that of a child that died.
"""

import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any

from segl.service.rendering.limits import Limits

PACKET_SIZE = 16
STARTED = b"s"
ANSWER_MARGIN = 64 * 1024
"""What an answer may be longer than the largest result: its head, or a traceback."""
DONE, REFUSED, FAILED = b"d", b"r", b"f"
_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Task:
    """What a child is to do: the name and arguments of a function in `tasks`, and what it may use."""

    name: str
    arguments: dict[str, Any]
    limits: Limits

    def encoded(self) -> bytes:
        """The bytes to send to the child."""
        pickled = pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)
        return _LENGTH.pack(len(pickled)) + pickled


def answer(kind: bytes, payload: bytes) -> bytes:
    """What a child sends."""
    return kind + _LENGTH.pack(len(payload)) + payload


def read_answer(received: bytes) -> tuple[bytes, bytes]:
    """Its kind and payload; FAILED when the child died before it had sent all."""
    head = 1 + _LENGTH.size
    if len(received) < head or _LENGTH.unpack(received[1:head])[0] != len(received) - head:
        return FAILED, b"the child died"
    return received[:1], received[head:]


def receive(stream: socket.socket) -> bytes:
    """The pickled task that was sent."""
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return _exactly(stream, length)


def _exactly(stream: socket.socket, length: int) -> bytes:
    received = bytearray(length)
    view = memoryview(received)
    while view:
        count = stream.recv_into(view)
        if not count:
            raise EOFError("the asker is gone")
        view = view[count:]
    return bytes(received)
