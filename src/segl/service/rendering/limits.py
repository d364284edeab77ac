"""What a rendering child may use at most. It gives itself up to these limits before it looks at a stranger's PDF."""

import resource
import signal
from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one task may use; what exceeds it ends in `InvalidDocument`."""

    cpu_seconds: int = 20
    wall_seconds: int = 30
    memory: int = 1024 * MEBIBYTE
    """Address space in bytes, the libraries' own (some 300 MiB) included."""
    result: int = 64 * MEBIBYTE
    """Size in bytes of what a task hands back."""
    pages: int = 2000
    """Pages of one document."""
    pixels: int = 25_000_000
    """Pixels of one page image."""


def limit_use(limits: Limits) -> None:
    """Bound processor time, memory and duration of this process, for good; exceeding ends it."""
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_CPU, limits.cpu_seconds)
    _set(resource.RLIMIT_AS, limits.memory)
    _set(resource.RLIMIT_FSIZE, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds)


def close_the_doors() -> None:
    """From now on this process can open no file and no socket, nor start a process; what is open stays usable.

    The kernel does not hold a process of root's to the last of these.
    """
    _set(resource.RLIMIT_NOFILE, 0)
    _set(resource.RLIMIT_NPROC, 0)


def _set(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, most))
