"""Outages by the errors that they really are, and what is no outage."""

import errno
import os
import smtplib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import psycopg
import pytest
from django.db import Error, connection

from away import AWAY
from builders import create
from django_environment import use_database
from segl.core.errors import SeglError
from segl.service import outages
from segl.service.remote import RemoteError
from segl.service.store.documents import StoreAwayError
from segl.service.store.models import Job


def reason_of(fails: Callable[[], object]) -> str | None:
    """The reason of what this raises."""
    try:
        fails()
    except (Error, OSError) as error:
        return outages.reason(error)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(("kind", "expected"), [("sqlite", "unable to open database file"), ("postgresql", "9 failed")])
def test_a_database_that_is_not_there(kind: str, expected: str) -> None:
    with use_database(AWAY[kind]):
        reason = reason_of(Job.objects.count)
    assert reason is not None
    assert reason.startswith("the database failed (")
    assert expected in reason
    assert "\n" not in reason


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_connection_that_the_database_ends(database: str) -> None:
    Job.objects.count()
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    reason = "the database failed (terminating connection due to administrator command)"
    assert reason_of(Job.objects.count) == reason


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_writes_as_a_standby_after_a_failover(store: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    assert reason_of(create) == "the database failed (cannot execute INSERT in a read-only transaction)"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_value_that_postgresql_has_no_room_for_is_no_outage(store: str) -> None:
    create()
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX title_index ON job (description)")
        assert reason_of(lambda: cursor.execute("UPDATE job SET description = %s", [os.urandom(5000).hex()])) is None


def test_a_table_that_does_not_exist_is_no_outage(tmp_path: Path) -> None:
    with use_database(f"sqlite:///{tmp_path}/empty.sqlite3"):
        assert reason_of(Job.objects.count) is None


def test_errors_of_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outages.reason(OSError(errno.ENOSPC, "No space left on device", "/a/file")) == (
        "the operating system failed (No space left on device)"
    )
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    assert reason_of(TemporaryFile) == "the operating system failed (No such file or directory)"


def test_our_own() -> None:
    assert outages.reason(StoreAwayError("the document store failed")) == "the document store failed"


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        SeglError("no"),
        RemoteError("It answered with HTTP status 400.", 400),
        smtplib.SMTPRecipientsRefused({"ola@example.com": (550, b"No such user")}),
        smtplib.SMTPDataError(554, b"No"),
    ],
)
def test_what_is_refused_or_wrong_is_no_outage(error: Exception) -> None:
    assert outages.reason(error) is None
