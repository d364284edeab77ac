"""Two times. The business clock rules jobs (activation, deadline, requeue, retention); the wall clock rules the rest.

In a sandbox the business clock can be moved; its offset is in the database, so that every process sees the same time.
Leases use neither but the database's own clock (`segl.service.due`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

from django.db import connection

from segl.service import configuration

_known_offset: ContextVar[list[timedelta] | None] = ContextVar("known_offset", default=None)
"""Within `read_once`: the offset, once it has been read."""

_END = datetime(9000, 1, 1, tzinfo=UTC)  # Deadlines are later than the clock, and a datetime ends with the year 9999.


def wall() -> datetime:
    """The real time, for protocol freshness, sessions, rate limits and poll times given to clients."""
    return datetime.now(UTC)


def now() -> datetime:
    """The business time."""
    return wall() + _offset()


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
