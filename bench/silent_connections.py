"""Measures whether silent connections slow down others.

Prints the median response time with 12 silent connections on each listener, and 12 more that stop in the middle of a
request, against the median without them in the same run.

    .venv/bin/python bench/silent_connections.py
"""

import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from segl.sdk import ClientConfiguration, PortalClient

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from running_sandbox import Sandbox, running_sandbox

ROUNDS = 300
SILENT = 12
BEGUN = {"api_root": b"\x16\x03\x01\x02", "web_root": b"GET / HTTP/1.1\r\nHo"}


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(Path(folder, "sandbox")) as sandbox,
        ExitStack() as stack,
    ):
        client = stack.enter_context(PortalClient(ClientConfiguration.sandbox(sandbox.ready_file, "123456789")))
        pages = stack.enter_context(httpx.Client(trust_env=False))
        calls = {"API": client.who_am_i, "pages": lambda: pages.get(sandbox.ready["web_root"]).raise_for_status()}
        before = {name: median(call) for name, call in calls.items()}
        be_silent(sandbox, stack)
        for name, call in calls.items():
            alone, now = before[name], median(call)
            print(f"{name:6} {alone:6.2f} ms alone, {now:6.2f} ms with silent connections: {now / alone:.2f} x")


def be_silent(sandbox: Sandbox, stack: ExitStack) -> None:
    for root, begun in BEGUN.items():
        address = urlsplit(sandbox.ready[root])
        for said in [b""] * SILENT + [begun] * SILENT:
            connection = stack.enter_context(socket.create_connection((address.hostname, address.port)))
            connection.sendall(said)


def median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
