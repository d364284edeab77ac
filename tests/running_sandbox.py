"""A sandbox as a user starts it, for tests that need the whole service."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SEGL = [sys.executable, "-m", "segl"]
SECONDS_TO_START = 30


@dataclass(frozen=True)
class Sandbox:
    """A running one: its folder, its ready file and what stands in it."""

    folder: Path
    ready_file: Path
    ready: dict[str, Any]
    process: "subprocess.Popen[bytes]"

    @property
    def outbox(self) -> str:
        return str(self.ready["outbox"])


@contextmanager
def running_sandbox(folder: Path, *options: str) -> Iterator[Sandbox]:
    """`segl sandbox` on this folder, on any free ports, until the block ends."""
    ready_file, log_file = folder / "ready.json", folder.with_name(f"{folder.name}.log")
    ports = [] if "--port" in options else ["--port", "0", "--web-port", "0"]
    pace = [] if "--calls-per-second" in options else ["--calls-per-second", "0"]  # tests are in a hurry
    command = [*SEGL, "sandbox", "--folder", str(folder), "--ready-file", str(ready_file), *ports, *pace, *options]
    ready_file.unlink(missing_ok=True)
    with log_file.open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(process, ready_file, log_file)
            yield Sandbox(folder, ready_file, json.loads(ready_file.read_text()), process)
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", ready_file: Path, log_file: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the sandbox did not start:\n{log_file.read_text(errors='replace')}")
        time.sleep(0.02)


def people_sign(sandbox: Sandbox, *people: tuple[str, str, str]) -> "subprocess.Popen[bytes]":
    """A process in which these (mail address, identity number, name) sign through the pages, one after the other."""
    who = [part for person in people for part in person]
    return subprocess.Popen([sys.executable, str(ROOT / "demo" / "people.py"), sandbox.outbox, *who])


def move_clock(sandbox: Sandbox, by: timedelta) -> datetime:
    """As `segl.service.clock.move`, from outside: the new business time. The sandbox must be on SQLite."""
    step = by // timedelta(microseconds=1)
    with closing(sqlite3.connect(sandbox.folder / "segl.sqlite3", timeout=20)) as database, database:
        [moved] = database.execute(
            "INSERT INTO clock (id, offset_microseconds) VALUES (1, ?) ON CONFLICT (id) "
            "DO UPDATE SET offset_microseconds = offset_microseconds + ? RETURNING offset_microseconds",
            [step, step],
        ).fetchone()
    return datetime.now(UTC) + timedelta(microseconds=moved)
