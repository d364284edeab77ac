"""The service under test: two APIs, the pages and two workers as an operator runs them, on a small disk."""

import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Self

import psycopg

from django_environment import migrate
from running_sandbox import SEGL
from running_service import SERVING, Operator, free_ports, operator
from segl.sdk import ClientConfiguration

DISK_BYTES = 96 * 1024 * 1024
SECONDS_TO_START = 60
SENDERS = {"123456789": "public", "310248711": "private"}


class Disk:
    """A folder on a file system of DISK_BYTES, in a mount namespace of its own; where there are none, a plain folder.

    `command` is put before a command that is to see the disk at `path`; `seen` is the same place for everyone else.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.command: list[str] = []
        self.seen = folder
        folder.mkdir()
        has_user = os.geteuid() != 0  # who is root may mount without a user namespace
        mount = f"mount -t tmpfs -o size={DISK_BYTES},mode=755 tmpfs '{folder}' && echo mounted && exec cat"
        self._holder = subprocess.Popen(
            ["unshare", *(["--user", "--map-root-user"] if has_user else []), "--mount", "sh", "-c", mount],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._holder.stdout is not None
        self.is_small = self._holder.stdout.readline() == b"mounted\n"
        if self.is_small:
            target = str(self._holder.pid)
            self.command = [
                "nsenter",
                *(["--preserve-credentials", "--user"] if has_user else []),
                "--mount",
                "--target",
                target,
                "--",
            ]
            self.seen = Path(f"/proc/{target}/root{folder}")

    def close(self) -> None:
        self._holder.communicate()


class SqliteOnDisk:
    """A connection to an SQLite file on the disk, which only a process in the disk's namespace can open."""

    _PROGRAM = """
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
for line in sys.stdin:
    try:
        answer = database.execute(json.loads(line)).fetchall()
    except sqlite3.Error as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
"""

    def __init__(self, disk: Disk, path: str) -> None:
        command = [*disk.command, sys.executable, "-c", self._PROGRAM, path]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._rows: list[tuple[Any, ...]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def execute(self, statement: str) -> Self:
        """Run a statement.

        Raises:
            sqlite3.OperationalError: It failed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(statement) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if isinstance(answer, str):
            raise sqlite3.OperationalError(answer)
        self._rows = [tuple(row) for row in answer]
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""
        return self._rows


@dataclass(eq=False)
class Process:
    """One `segl serve`, which is started again whenever it was killed; its log is kept over all starts."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    command: list[str]
    folder: Path
    log: list[str] = field(default_factory=list)
    starts: int = 0
    running: "subprocess.Popen[bytes] | None" = None
    serves: bool = False

    def start(self) -> None:
        """Start it; it may end again at once because what it needs is down."""
        self.serves = False
        self.running = subprocess.Popen(
            [*self.command, *SEGL, "serve", *self.arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.starts += 1
        assert self.running.stderr is not None
        threading.Thread(target=self._read, args=[self.running, self.running.stderr], daemon=True).start()

    def _read(self, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
        for line in log:
            self.log.append(line.decode(errors="replace").rstrip("\n"))
            if SERVING.search(self.log[-1]) and self.running is process:
                self.serves = True

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    @property
    def is_alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def kill(self) -> None:
        """With -9, and all that it started; it is not started again."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        assert self.running is not None
        self.running.wait()

    def children(self) -> list[int]:
        """The processes below it, such as those that render."""
        parents = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        found, new = [], [self.pid]
        while new:
            new = [child for child, parent in parents.items() if parent in new]
            found += new
        return found


@dataclass(eq=False)
class Service:
    """All processes over one database; a supervisor starts again what died, as systemd would."""

    operator: Operator
    database: str
    disk: Disk
    processes: list[Process]
    api_roots: list[str]
    web_root: str
    _closing: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        for each in self.processes:
            each.start()
        threading.Thread(target=self._supervise, daemon=True).start()
        self.wait_until_serving()

    def _supervise(self) -> None:
        while not self._closing.wait(0.1):
            for each in self.processes:
                if not each.is_alive and not self._closing.is_set():
                    each.start()

    def close(self) -> None:
        self._closing.set()
        for each in self.processes:
            each.kill()

    def wait_until_serving(self) -> None:
        """Wait until every process serves."""
        end = time.monotonic() + SECONDS_TO_START
        for each in self.processes:
            while not (each.serves and each.is_alive):
                assert time.monotonic() < end, f"{each.name} does not start:\n" + "\n".join(each.log[-20:])
                time.sleep(0.1)

    def client(self, number: str, api_root: str) -> ClientConfiguration:
        return replace(self.operator.client(api_root, number), calls_per_second=None)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection:
            return list(connection.execute(statement).fetchall())

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection to the database that commits each statement."""
        if self.database.startswith("sqlite:///"):
            with SqliteOnDisk(self.disk, self.database.removeprefix("sqlite:///")) as connection:
                yield connection
        else:
            with psycopg.connect(self.database, autocommit=True) as connection:
                yield connection

    def move_clock(self, seconds: int) -> None:
        """As `segl.service.clock.move`, from outside."""
        with self.connection() as connection:
            connection.execute(
                f"INSERT INTO clock (id, offset_microseconds) VALUES (1, {seconds}000000) ON CONFLICT (id) "
                f"DO UPDATE SET offset_microseconds = clock.offset_microseconds + {seconds}000000"
            )


@contextmanager
def running(folder: Path, server: str | None) -> Iterator[Service]:
    """The service in this folder, over SQLite on its small disk, or over a new database of this PostgreSQL server."""
    disk = Disk(folder / "disk")
    (disk.seen / "temporary").mkdir()
    if server is None:
        database, outside = f"sqlite:///{disk.path}/database.sqlite3", f"sqlite:///{folder}/migrated.sqlite3"
        migrate(outside)
        shutil.copyfile(folder / "migrated.sqlite3", disk.seen / "database.sqlite3")
    else:
        name = f"chaos_{secrets.token_hex(6)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        database = server.replace("/postgres?", f"/{name}?")
        migrate(database)
    service = _configured(folder, database, disk)
    try:
        service.start()
        yield service
    finally:
        service.close()
        disk.close()


def _configured(folder: Path, database: str, disk: Disk) -> Service:
    one, other, web, *workers = free_ports(5)
    roots = {"api_root": f"https://127.0.0.1:{one}/api", "web_root": f"http://127.0.0.1:{web}"}
    run = operator(folder, database, documents=str(disk.path / "documents"), **roots)
    settings = {"TMPDIR": str(disk.path / "temporary"), "PYTHONUNBUFFERED": "1"}
    tls = {
        "SEGL_API_CERTIFICATE": str(run.pki.server.certificate),
        "SEGL_API_PRIVATE_KEY": str(run.pki.server.private_key),
    }

    def process(name: str, kind: str, **own: str) -> Process:
        return Process(name, [kind], run.environment(settings | own), disk.command, folder)

    service = Service(
        run,
        database,
        disk,
        [
            process("api 1", "api", SEGL_API_LISTEN=f"127.0.0.1:{one}", **tls),
            process("api 2", "api", SEGL_API_LISTEN=f"127.0.0.1:{other}", **tls),
            process("web", "web", SEGL_WEB_LISTEN=f"127.0.0.1:{web}"),
            process("worker 1", "worker", SEGL_WORKER_LISTEN=f"127.0.0.1:{workers[0]}"),
            process("worker 2", "worker", SEGL_WORKER_LISTEN=f"127.0.0.1:{workers[1]}"),
        ],
        [f"https://127.0.0.1:{port}/api" for port in (one, other)],
        roots["web_root"],
    )
    for number, sector in SENDERS.items():
        command = ["organization", "add", number, "--name", f"Organization {number}", "--sector", sector]
        added = subprocess.run(
            [*disk.command, *SEGL, *command],
            env=run.environment(settings),
            cwd=folder,
            capture_output=True,
            check=False,
        )
        assert added.returncode == 0, added.stderr.decode()
    return service
