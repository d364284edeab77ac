"""What goes wrong: each fault is begun, lasts for a while, and is ended."""

import os
import random
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

import psycopg

from chaos.service import Service
from segl.sandbox.faults.pending import Fault as SandboxFault
from segl.sandbox.faults.pending import Faults

SHORT_BYTES = 4096

Begin = Callable[[Service, random.Random], AbstractContextManager[str]]
"""Begins a fault and ends it when the block does; gives what it is called in the log."""


@contextmanager
def kill(service: Service, chosen: random.Random) -> Iterator[str]:
    """A process and all below it die; the supervisor starts it again."""
    process = chosen.choice(service.processes)
    process.kill()
    yield f"kill -9 {process.name}"


@contextmanager
def kill_everything(service: Service, chosen: random.Random) -> Iterator[str]:
    """As a power cut, of the machine with the service."""
    for process in service.processes:
        process.kill()
    yield "kill -9 all"


@contextmanager
def terminate(service: Service, chosen: random.Random) -> Iterator[str]:
    """A process is stopped as for an upgrade, and started again."""
    process = chosen.choice(service.processes)
    _signal(process.pid, signal.SIGTERM)
    yield f"terminate {process.name}"


@contextmanager
def pause(service: Service, chosen: random.Random) -> Iterator[str]:
    """A process stands still, as on a machine that swaps, perhaps for longer than its leases last."""
    process = chosen.choice(service.processes)
    stopped = process.pid
    _signal(stopped, signal.SIGSTOP)
    try:
        yield f"pause {process.name}"
    finally:
        _signal(stopped, signal.SIGCONT)


@contextmanager
def kill_rendering(service: Service, chosen: random.Random) -> Iterator[str]:
    """One of the processes that render dies, as by the kernel's want of memory."""
    below = [(process.name, child) for process in service.processes for child in process.children()]
    name, child = chosen.choice(below) if below else ("nobody", 0)
    if child:
        _signal(child, signal.SIGKILL)
    yield f"kill -9 a child of {name}"


@contextmanager
def fill_disk(service: Service, chosen: random.Random) -> Iterator[str]:
    """The disk with documents, temporary files and SQLite's database is full."""
    filler = service.disk.seen / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(64 * 1024)):
            pass
    try:
        yield "disk full"
    finally:
        filler.unlink()


@contextmanager
def short_writes(service: Service, chosen: random.Random) -> Iterator[str]:
    """The processes can write no file beyond 4,096 bytes: the last write that fits in part is cut short."""
    limited = [process.pid for process in service.processes]
    for pid in limited:
        _limit(pid, SHORT_BYTES)
    try:
        yield "short writes"
    finally:
        for pid in limited:
            _limit(pid, resource.RLIM_INFINITY)


@contextmanager
def no_database(service: Service, chosen: random.Random) -> Iterator[str]:
    """PostgreSQL ends all connections and accepts no new ones; SQLite's database is locked."""
    if service.database.startswith("sqlite:///"):
        with service.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield "SQLite locked"
            connection.execute("ROLLBACK")
        return
    name = psycopg.conninfo.conninfo_to_dict(service.database)["dbname"]
    maintenance = service.database.replace(f"/{name}?", "/postgres?")
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            _end_connections(connection, name)
            yield "PostgreSQL down"
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def lost_connections(service: Service, chosen: random.Random) -> Iterator[str]:
    """PostgreSQL ends all connections, amid whatever they do, and accepts new ones."""
    if not service.database.startswith("sqlite:///"):
        name = psycopg.conninfo.conninfo_to_dict(service.database)["dbname"]
        maintenance = service.database.replace(f"/{name}?", "/postgres?")
        with psycopg.connect(maintenance, autocommit=True) as connection:
            _end_connections(connection, name)
    yield "connections lost"


def _end_connections(connection: "psycopg.Connection[tuple[object, ...]]", name: object) -> None:
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


@contextmanager
def no_mail(service: Service, chosen: random.Random) -> Iterator[str]:
    """The mail server accepts nothing."""
    faults = Faults(service.operator.folder)
    faults.add(SandboxFault(fault="mail-down"))
    try:
        yield "mail down"
    finally:
        faults.take_back()


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _limit(pid: int, most_bytes: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))


SHORT = (0.1, 0.5, 2.0, 6.0)


@dataclass(frozen=True)
class Fault:
    """What can go wrong: how it is begun, how often it comes in a round, and how long it may last (s)."""

    begin: Begin
    times: int
    durations: Sequence[float] = SHORT


ALL = (
    Fault(kill, 3, [0]),
    Fault(kill_everything, 1, [0]),
    Fault(terminate, 2, [0]),
    Fault(pause, 2, [*SHORT, 35]),  # at last longer than a lease
    Fault(kill_rendering, 2, [0]),
    Fault(fill_disk, 2),
    Fault(short_writes, 2),
    Fault(no_database, 1),
    Fault(lost_connections, 1, [0]),
    Fault(no_mail, 1),
)
