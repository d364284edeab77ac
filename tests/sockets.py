"""What becomes of the bytes that a test sends on a connection over IPv4."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path


def wait_until_read(connection: socket.socket) -> None:
    """Wait until the program at the other end has read all that was sent. It must run on this machine."""
    deadline = time.monotonic() + 10
    while any(_unread(connection)):
        assert time.monotonic() < deadline, "what was sent is not read"
        time.sleep(0.002)


def _unread(connection: socket.socket) -> Iterator[int]:
    """How many bytes wait in the queues at both ends, as the kernel says."""
    port = f":{connection.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        sent, received = queues.split(":")
        if local.endswith(port):
            yield int(sent, 16)
        elif remote.endswith(port):
            yield int(received, 16)
