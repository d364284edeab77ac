"""A worker as a process: `python -m segl.service.config.worker_process CONFIGURATION`.

A parent may hold its standard input: each byte wakes the worker, the end of it stops the worker, so that it never
outlives a parent that was killed. Interrupts are the parent's business.
"""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from segl.service.config import processes, wiring

if TYPE_CHECKING:
    from segl.service.worker import Worker


def main() -> None:
    """Work until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wiring.start(Path(sys.argv[1]))
    processes.work(stopped_by=[signal.SIGTERM], accompanied_by=_follow_parent)


def _follow_parent(worker: "Worker") -> None:
    while os.read(sys.stdin.fileno(), 4096):
        worker.wake()
    worker.stop()


if __name__ == "__main__":
    main()
