"""The worker process of a sandbox."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

_RESTART_AFTER_SECONDS = 1.0


class Worker:
    """A child process that works: woken when something falls due, replaced if it dies, stopped with this process."""

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
        # A worker that is gone, or has thousands of unread wake-ups, does not need another one.
        with suppress(OSError, ValueError):
            os.write(_input(self._process).fileno(), b"!")

    def _supervise(self) -> None:
        while self._process.wait() or not self._stopping.is_set():
            if self._stopping.wait(_RESTART_AFTER_SECONDS):
                return
            self._process = self._started()


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # noqa: S101 - started with a pipe
    return process.stdin
