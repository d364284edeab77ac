"""A worker as a process: `python -m segl.service.config.worker_process CONFIGURATION`.

A parent may hold its standard input: each byte wakes the worker, the end of it stops the worker, so that it never
outlives a parent that was killed. Interrupts are the parent's business.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from segl.service.config import wiring

if TYPE_CHECKING:
    from segl.service.worker import Worker


def main() -> None:
    """Work until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wiring.start(Path(sys.argv[1]))
    from segl.service.worker import Worker

    worker = Worker()
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    threading.Thread(target=_follow_parent, args=[worker], name="parent", daemon=True).start()
    worker.run()


def _follow_parent(worker: "Worker") -> None:
    from segl.service import rendering

    rendering.warm_up()
    while os.read(sys.stdin.fileno(), 4096):
        worker.wake()
    worker.stop()


if __name__ == "__main__":
    main()
