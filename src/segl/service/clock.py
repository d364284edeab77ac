"""Two times. The business clock rules jobs (activation, deadline, requeue, retention); the wall clock rules the rest.

In a sandbox the business clock can be moved; its offset is in the database, so that every process sees the same time.
Where processes of several machines compare times, they do so by the database's clock: a process measures from time to
time how far it is from the machine's own. Leases are on that clock too, in SQL (`segl.service.due`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import NamedTuple

from django.db import connection

from segl.service import configuration

_known_offset: ContextVar[list[timedelta] | None] = ContextVar("known_offset", default=None)
"""Within `read_once`: the offset, once it has been read."""

_COMPARED_EVERY_SECONDS = 10
_STEP_SECONDS = 0.1
"""By so much a clock never drifts from another within `_COMPARED_EVERY_SECONDS`: somebody set it."""
_MEASUREMENTS = 3

_END = datetime(9000, 1, 1, tzinfo=UTC)  # Deadlines are later than the clock, and a datetime ends with the year 9999.


class _Comparison(NamedTuple):
    """How far the database's clock is ahead of this machine's, measured at the time `at` of `monotonic`.

    `epoch` is when this machine's clock was at 1970, in seconds of `monotonic`: another time once the clock is set.
    """

    ahead: timedelta
    at: float
    epoch: float


_compared: _Comparison | None = None
"""The last comparison of this process."""


def wall() -> datetime:
    """The real time by this machine's clock, for protocol freshness and sessions."""
    return datetime.now(UTC)


def shared() -> datetime:
    """The real time by the database's clock, for what processes of several machines compare, such as poll times."""
    return wall() + _ahead()


def now() -> datetime:
    """The business time, by the database's clock."""
    return shared() + _offset()


def move(by: timedelta) -> datetime:
    """Move the business clock forward for every process, and return the new time. Only in a sandbox.

    Raises:
        ValueError: The service is not a sandbox, or `by` points backwards or too far.
    """
    if not configuration.current().sandbox:
        raise ValueError("The business clock can be moved in a sandbox only.")
    if by < timedelta():
        raise ValueError("The business clock goes forward only: give a positive distance.")
    if by > _END - now():
        raise ValueError(f"The business clock goes no further than the year {_END.year}.")
    step = by // timedelta(microseconds=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO clock (id, offset_microseconds) VALUES (1, %s) "
            "ON CONFLICT (id) DO UPDATE SET offset_microseconds = clock.offset_microseconds + %s",
            [step, step],
        )
    if known := _known_offset.get():
        known.clear()
    return now()


@contextmanager
def read_once() -> Iterator[None]:
    """Within the block, such as a request, read the offset from the database at most once."""
    token = _known_offset.set([])
    try:
        yield
    finally:
        _known_offset.reset(token)


def _ahead() -> timedelta:
    """How far the database's clock is ahead of this machine's. SQLite has no clock but this machine's."""
    global _compared  # noqa: PLW0603 - one comparison for all threads
    if connection.vendor != "postgresql":
        return timedelta()
    known, at = _compared, monotonic()
    if known is None or at - known.at > _COMPARED_EVERY_SECONDS or abs(_epoch() - known.epoch) > _STEP_SECONDS:
        _, ahead = min(_measured() for _ in range(_MEASUREMENTS))
        known = _compared = _Comparison(ahead, at, _epoch())
    return known.ahead


def _epoch() -> float:
    return monotonic() - datetime.now(UTC).timestamp()


def _measured() -> tuple[timedelta, timedelta]:
    """How long the database took to say its time, and how far that is ahead; not at all if it may be the same time."""
    connection.ensure_connection()
    before = datetime.now(UTC)
    with connection.wrap_database_errors:  # It is no query of the caller's, and not among those that are logged.
        [time] = connection.connection.execute("SELECT clock_timestamp()").fetchone()
    after = datetime.now(UTC)
    ahead = timedelta() if before <= time <= after else time - before - (after - before) / 2
    return after - before, ahead


def _offset() -> timedelta:
    if not configuration.current().sandbox:
        return timedelta()
    known = _known_offset.get()
    if known is None:
        return _read_offset()
    if not known:
        known.append(_read_offset())
    return known[0]


def _read_offset() -> timedelta:
    with connection.cursor() as cursor:
        cursor.execute("SELECT offset_microseconds FROM clock WHERE id = 1")
        row = cursor.fetchone()
    return timedelta(microseconds=row[0]) if row else timedelta()
