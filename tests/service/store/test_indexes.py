"""What is asked all the time reads a few rows by an index, whatever else the tables hold: neither scans nor sorts."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from builders import organization
from segl.service import due
from segl.service.jobs.status_queue import next_status_change
from segl.service.store.models import Lookup, Notification, Sealing, Signing
from segl.service.work.kinds import KINDS

pytestmark = pytest.mark.usefixtures("store")

SLOW = re.compile(r"\bSCAN\b|Seq Scan|(?<!Incremental )Sort  |TEMP B-TREE FOR ORDER")
"""What a plan says that reads or sorts a whole table; rows that are due at the same time may be sorted."""


def poll() -> None:
    next_status_change(sender=organization(), polling_queue="q")


ASKED: dict[str, tuple[Callable[[], object], str]] = {
    "poll": (poll, "status_change_next"),
    **{
        f"claim {kind.model._meta.db_table} {number}": (lambda kind=kind: due.claim(kind.model, **kind.only), "due_at")
        for number, kind in enumerate(KINDS)
    },
    **{
        f"parked {model._meta.db_table}": (
            lambda model=model: list(due.parked(model)),
            f"{model._meta.db_table}_parked",
        )
        for model in (Signing, Sealing, Notification, Lookup)
    },
}


def test_each_is_found_by_its_index(subtests: pytest.Subtests) -> None:
    organization()
    for asked, (ask, index) in ASKED.items():
        with subtests.test(asked):
            with CaptureQueriesContext(connection) as queries:
                ask()
            [statement] = [each["sql"] for each in queries if "parked_at IS" in each["sql"].replace('"', "")]
            found = plan(statement)
            assert index in found, found
            assert not SLOW.search(found), found


def plan(statement: str) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # For as few rows as here, a scan would be right.
            cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {'QUERY PLAN' if connection.vendor == 'sqlite' else ''} {statement}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
