"""Short write transactions, queued within the process where the database would let writers starve each other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# SQLite has one writer at a time and a busy handler that polls: measured, some writers starve for seconds. Waiting
# on a lock of our own first keeps the order.
_sqlite_writer = threading.RLock()

_MIGRATION_LOCK = int.from_bytes(b"segl")


@contextmanager
def write() -> Iterator[None]:
    """One write transaction. Never a network call, a signature, a mail or rendering inside it."""
    if connection.vendor != "sqlite":
        with transaction.atomic():
            yield
        return
    with _sqlite_writer, transaction.atomic():
        yield


@contextmanager
def migrating() -> Iterator[None]:
    """Let one process at a time change the tables. SQLite is for one machine, where no process waits."""
    if connection.vendor != "postgresql":
        yield
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        yield
    finally:
        connection.close()  # The lock ends with the session, whatever state that is in.
