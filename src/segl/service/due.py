"""Claims what is due: the one mechanism behind status queue, notifications, signing, sealing and retention.

A row of a `Due` model says when it is next due. A worker claims rows with a lease, does the work outside any
transaction, and records the outcome in a transaction whose WHERE has the claim's fence, so that a worker that
lost its lease changes nothing:

    for row in claim(Sealing, limit=4, lease=LEASE):
        ...                                  # as long as it takes; extend(row) keeps the lease
        with write():
            finish(row)                      # or retry(row, error)
            ...                              # whatever follows from the outcome

Due times are business time; leases are on the database's clock, which all workers share.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import Error, connection, transaction
from django.db.models import Count, F, Field, Model, QuerySet, TextField

from segl.core.errors import SeglError
from segl.service import clock
from segl.service.store.models import INDEXED_CHARACTERS, Due
from segl.service.store.transactions import write

LEASE = timedelta(seconds=30)
MAX_ATTEMPTS = 12
SPARE_ATTEMPTS = 3
FIRST_BACKOFF = timedelta(seconds=2)
LONGEST_BACKOFF = timedelta(hours=1)
CHANNEL = "segl_due"

Row = TypeVar("Row", bound=Due)
logger = logging.getLogger(__name__)


class LeaseLostError(SeglError):
    """Another worker has claimed the row since, or its outcome is recorded already; nothing was recorded now."""


def claim(
    model: type[Row],
    *,
    limit: int = 1,
    lease: timedelta = LEASE,
    hide_for: timedelta | None = None,
    **only: Any,
) -> list[Row]:
    """Claim up to `limit` due rows, the longest due first, in one statement; parallel callers never get the same row.

    Args:
        lease: How long the rows are ours unless we extend it.
        hide_for: Instead of a lease: the business time after which the rows fall due again by themselves.
        only: Columns and the values they must have.
    """
    conditions = list(_conditions(model, only))
    columns = [str(field.column) for field in model._meta.concrete_fields]
    key = model._meta.pk.column
    hold = f"lease_until = {_database_milliseconds()} + %s" if hide_for is None else "due_at = %s"
    skip = "FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    due = (
        f"SELECT {key} AS claimed_key FROM {model._meta.db_table} "  # noqa: S608 - names of our own models
        f"WHERE due_at <= %s AND parked_at IS NULL AND lease_until <= {_database_milliseconds()}"
        f"{''.join(f' AND {condition}' for condition, _ in conditions)} "
        f"ORDER BY due_at, {key} LIMIT %s {skip}"
    )
    statement = (
        f"WITH claimed AS ({due}) "  # noqa: S608 - as above
        f"UPDATE {model._meta.db_table} SET {hold}, fence = fence + 1, attempts = attempts + 1 "
        f"FROM claimed WHERE {key} = claimed_key RETURNING {', '.join(columns)}"
    )
    now = clock.now()
    held = _milliseconds(lease) if hide_for is None else _adapted(now + hide_for)
    wanted = [_adapted(now), *(value for _, value in conditions), limit]
    if connection.vendor == "sqlite" and not _is_any(due, wanted):
        return []  # If nothing is due, do not wait for other writers.
    with write():
        rows = list(model._default_manager.raw(statement, [*wanted, held]))
    return sorted(rows, key=lambda row: (row.due_at, row.pk))


def _is_any(statement: str, values: list[Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone() is not None


def extend(row: Due, lease: timedelta = LEASE) -> None:
    """Keep a claimed row for another `lease` from now.

    Raises:
        LeaseLostError: The row is no longer ours: stop working on it.
    """
    with write(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET lease_until = {_database_milliseconds()} + %s "  # noqa: S608 - as above
            f"WHERE {row._meta.pk.column} = %s AND fence = %s",
            [_milliseconds(lease), row.pk, row.fence],
        )
        _check_kept(row, cursor.rowcount)


@contextmanager
def kept(row: Due, lease: timedelta = LEASE) -> Iterator[None]:
    """Extend a claimed row's lease for as long as the block runs, from another thread."""
    done = threading.Event()

    def keep() -> None:
        try:
            while not done.wait(lease.total_seconds() / 3):
                _try_to_extend(row, lease)
        except LeaseLostError as error:
            logger.warning("%s", error)
        finally:
            connection.close()

    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _try_to_extend(row: Due, lease: timedelta) -> None:
    """Extend the lease, unless the database is down: for a moment, that costs one extension, not the lease."""
    try:
        extend(row, lease)
    except Error as error:
        logger.warning("The lease of %s %s was not extended: %s", row._meta.db_table, row.pk, type(error).__name__)
        connection.close()


def finish(row: Due, *, due_at: datetime | None = None, **changes: Any) -> None:
    """Record the outcome of a claimed row, within the caller's transaction: it is due again at `due_at`, or never.

    Raises:
        LeaseLostError: The row is no longer ours, or its outcome is recorded; the caller's transaction must not go on.
    """
    values = {"due_at": due_at, "lease_until": 0, "attempts": 0, "last_error": "", **changes}
    _record(row, values)


def retry(row: Due, error: str) -> None:
    """Give a claimed row back after a failure: due again after a backoff, parked after the last attempt.

    `error` is for the operator: it must hold no secret and no identity number.

    Raises:
        LeaseLostError: The row is no longer ours.
    """
    if row.attempts < MAX_ATTEMPTS:
        _give_back(row, error)
    else:
        logger.error("%s %s is parked after %s attempts: %s", row._meta.db_table, row.pk, row.attempts, error)
        _give_back(row, error, parked_at=clock.now())


def postpone(row: Due, error: str) -> None:
    """Give a claimed row back because something that the work needs is away: as `retry`, but until it is back.

    However long that takes, some attempts are left before failures of other kinds park the row.

    Raises:
        LeaseLostError: The row is no longer ours.
    """
    _give_back(row, error, attempts=min(row.attempts, MAX_ATTEMPTS - SPARE_ATTEMPTS))


def _give_back(row: Due, error: str, **values: Any) -> None:
    due_at = clock.now() + backoff(row.attempts)
    last_error = error.replace("\0", "")[:500]  # PostgreSQL stores no NUL.
    _record(row, {"due_at": due_at, "lease_until": 0, "last_error": last_error, **values})


def backoff(attempts: int) -> timedelta:
    """How long to wait after the `attempts`-th failure: doubled each time, with jitter so that retries spread out."""
    longest = min(FIRST_BACKOFF * (1 << min(attempts - 1, MAX_ATTEMPTS)), LONGEST_BACKOFF)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret


def parked(model: type[Row]) -> QuerySet[Row]:
    """The rows that are parked with their work undone, the longest parked first."""
    parked = model._default_manager.filter(parked_at__isnull=False, due_at__isnull=False)
    return parked.order_by("parked_at", "pk")


def failing(model: type[Row]) -> list[tuple[str, int]]:
    """The last failures of the rows that will be tried again, each with the number of its rows, the most first."""
    rows = model._default_manager.filter(parked_at=None, attempts__gt=0).exclude(due_at=None).exclude(last_error="")
    return list(rows.values_list("last_error").annotate(count=Count("pk")).order_by("-count", "last_error"))


def release_parked(model: type[Due]) -> None:
    """Make the parked rows due at once, with as many attempts as new ones."""
    with write():
        parked(model).update(parked_at=None, attempts=0, due_at=clock.now())
        wake_on_commit()


def release_all(model: type[Due]) -> None:
    """End every lease. Only for a service that is known to be alone on its database, as an embedded one is at start."""
    model._default_manager.filter(lease_until__gt=0).update(lease_until=0)


_wakers: list[Callable[[], None]] = []


def on_wake(waker: Callable[[], None]) -> None:
    """Have `waker` called, from any thread, when something may have fallen due in this process."""
    _wakers.append(waker)


def wake_on_commit() -> None:
    """Wake the workers, here and in other processes, when the current transaction commits."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    for waker in _wakers:
        try:
            waker()
        except Exception:  # the commit holds, and the workers look for themselves before long
            logger.exception("A worker could not be woken")


def _record(row: Due, values: dict[str, Any]) -> None:
    """Record an outcome; the fence grows, so that a claim has one outcome and no more."""
    ours = type(row)._default_manager.filter(pk=row.pk, fence=row.fence)
    _check_kept(row, ours.update(fence=F("fence") + 1, **values))


def _check_kept(row: Due, updated: int) -> None:
    if not updated:
        raise LeaseLostError(
            f"{row._meta.db_table} {row.pk} was claimed by another worker in the meantime, or is done already."
        )


def _conditions(model: type[Model], only: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The SQL that each column has its value; of a long text also that its start has, which is what an index holds."""
    for name, value in only.items():
        field: Field[Any, Any] = model._meta.get_field(name)  # type: ignore[assignment]  # only columns are named
        if isinstance(field, TextField):
            start = "SUBSTR({}, 1, {})" if connection.vendor == "sqlite" else "LEFT({}, {})"
            yield f"{start.format(field.column, INDEXED_CHARACTERS)} = %s", value[:INDEXED_CHARACTERS]
            # Of a plain column, SQLite would put the value into the SUBSTR above, and not find the index.
            yield f"{field.column} || '' = %s", value
        else:
            yield f"{field.column} = %s", value


def _adapted(value: datetime) -> Any:
    """A time as the database stores it; SQLite compares texts."""
    return connection.ops.adapt_datetimefield_value(value)


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _database_milliseconds() -> str:
    """The SQL of the database's clock, in milliseconds since 1970. It ticks within a transaction."""
    if connection.vendor == "postgresql":
        return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS integer)"
