"""A worker as a process: `python -m segl.service.config.worker_process CONFIGURATION`.

A parent may hold its standard input: each byte wakes the worker and end of file stops it, so that it never outlives
a parent that was killed. SIGINT is ignored, since the parent handles it.
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
    """Work until SIGTERM or the end of standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wiring.start(Path(sys.argv[1]))
    processes.work(stopped_by=[signal.SIGTERM], alongside=_follow_parent)


def _follow_parent(worker: "Worker") -> None:
    while os.read(sys.stdin.fileno(), 4096):
        worker.wake()
    worker.stop()


if __name__ == "__main__":
    main()
