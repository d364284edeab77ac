"""What a rendering child may use at most. It sets these limits on itself before it reads an untrusted PDF."""

import resource
import signal
from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one task may use; what exceeds it ends in `InvalidDocument`."""

    cpu_seconds: int = 20
    wall_seconds: int = 40
    memory: int = 1024 * MEBIBYTE
    """Address space in bytes, the libraries' own (some 300 MiB) included."""
    result: int = 64 * MEBIBYTE
    """Size in bytes of what a task returns."""
    pages: int = 2000
    """Pages of one document."""
    pixels: int = 16_000_000
    """Pixels of one page image; browsers on phones show no larger ones."""


def limit_resources(limits: Limits) -> None:
    """Bound processor time, memory and duration of this process, for good; exceeding ends it."""
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)  # SIGXCPU; SIGKILL if that is ignored
    _set(resource.RLIMIT_AS, limits.memory)
    _set(resource.RLIMIT_FSIZE, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds)


def lock_down() -> None:
    """Make this process unable to open files and sockets or start processes; what is open stays usable.

    The kernel does not enforce the last of these on a process of root's.
    """
    _set(resource.RLIMIT_NOFILE, 0)
    _set(resource.RLIMIT_NPROC, 0)


def _set(kind: int, most: int, ceiling: int | None = None) -> None:
    resource.setrlimit(kind, (most, most if ceiling is None else ceiling))
