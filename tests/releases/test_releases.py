"""Databases of earlier releases are brought up to date, and each job in them goes on to its end; see README.md.

`now` is a database that today's version made a moment ago: the next one to be kept.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.db import connection

from django_environment import use_database
from releases.case import CASES
from releases.keep import HERE, keep_sqlite, unpack
from releases.service import Service, running
from segl.service import clock

KEPT = {f"{each.parent.name}-{each.stem}": each for each in sorted(HERE.glob("*/*.zip"))}
"""The kept databases by release and kind."""
NOW = "now-sqlite"


class Upgraded(NamedTuple):
    """A service of today's version on a database of an earlier one, and what those outside have kept."""

    service: Service
    kept: dict[str, Any]


@pytest.fixture(scope="session")
def made_now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database `now`, packed."""
    folder = tmp_path_factory.mktemp("now")
    keep_sqlite(folder / "sqlite.zip", folder)
    return folder / "sqlite.zip"


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], str]:
    """Makes an empty database of a kind, under a name, and gives its URL."""

    def make(kind: str, name: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.sqlite3"
        return str(request.getfixturevalue("new_postgresql_database")())

    return make


@pytest.fixture(params=[*KEPT, NOW])
def upgraded(
    request: pytest.FixtureRequest, new_database: Callable[[str, str], str], tmp_path: Path
) -> Iterator[Upgraded]:
    """Each database in turn."""
    archive = KEPT.get(request.param) or request.getfixturevalue("made_now")
    url = new_database(request.param.rpartition("-")[2], "upgraded")
    kept = unpack(archive, tmp_path, url)
    with running(tmp_path, url) as service:
        yield Upgraded(service, kept)


def test_both_kinds_of_each_release_are_kept() -> None:
    releases = {name.rpartition("-")[0] for name in KEPT}
    assert {*KEPT} == {f"{release}-{kind}" for release in releases for kind in ("sqlite", "postgresql")}


def test_no_migration_is_missing(database: str) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_tables_are_those_of_a_new_database(upgraded: Upgraded, new_database: Callable[[str, str], str]) -> None:
    found = tables()
    with use_database(new_database(connection.vendor, "new")):
        call_command("migrate", verbosity=0)
        assert found == tables()


def test_each_job_goes_on_to_its_end(upgraded: Upgraded, subtests: pytest.Subtests) -> None:
    assert clock.now() == datetime.fromisoformat(upgraded.kept["now"])
    for name, kept in upgraded.kept["jobs"].items():
        with subtests.test(name):
            CASES[name](upgraded.service, kept).go_on()


def tables() -> dict[str, Any]:
    """Each table with its columns, and its keys, indexes and checks."""
    ask = connection.introspection
    with connection.cursor() as cursor:
        return {
            table: (sorted(ask.get_table_description(cursor, table)), ask.get_constraints(cursor, table))
            for table in ask.table_names(cursor)
        }
