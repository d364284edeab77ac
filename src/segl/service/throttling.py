"""How often a sender may call: calls per second, and no poll of an empty queue before the time it was given.

Both count over all processes of the service: in the database when they share one, in memory when the service is
embedded and so alone. They use the real time (ARCHITECTURE.md, rule 5), and need not survive a crash. A time further
ahead than any that is recorded comes from a clock that was wrong, and does not count.
"""

import hashlib
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol

from django.db import connection

from segl.service import clock
from segl.service.store.models import CallPace, PollTime
from segl.service.store.transactions import write

BLOCKED = timedelta(seconds=30)
_KEPT = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How a sender has called until now, by the generic cell rate algorithm; times are microseconds since 1970.

    `even` is when the calls so far would have ended if they had come evenly spaced.
    """

    even: int = 0
    blocked_until: int = 0

    def after_call(self, now: int, step: int) -> "Pace":
        """The pace after one more call; `step` is the interval between calls at the permitted rate."""
        if now < self.blocked_until <= now + BLOCKED // _MICROSECOND:
            return self
        even = (self.even if now < self.even <= now + _SECOND else now) + step
        return Pace(even, now + BLOCKED // _MICROSECOND if even > now + _SECOND else 0)


class Throttle(Protocol):
    """Counts calls, and remembers which senders found a queue empty."""

    def is_blocked(self, sender: str, *, calls_per_second: int) -> bool:
        """Count a call; return whether it is one too many, or the sender is blocked."""
        ...

    def next_poll(self, sender: str, queue: str) -> datetime:
        """The time from which the queue may be polled; it may be in the past."""
        ...

    def found_empty(self, sender: str, queue: str, *, until: datetime) -> None:
        """Record that the sender may not poll this queue before `until`."""
        ...


_LONG_AGO = datetime.fromtimestamp(0, UTC)


class ThrottleInMemory:
    """For a service that is one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paces: dict[str, Pace] = {}
        self._polls: dict[tuple[str, str], datetime] = {}

    def is_blocked(self, sender: str, *, calls_per_second: int) -> bool:
        now = _microseconds(clock.wall())
        with self._lock:
            pace = self._paces.get(sender, Pace()).after_call(now, _SECOND // calls_per_second)
            self._paces[sender] = pace
        return pace.blocked_until > now

    def next_poll(self, sender: str, queue: str) -> datetime:
        return self._polls.get((sender, queue), _LONG_AGO)

    def found_empty(self, sender: str, queue: str, *, until: datetime) -> None:
        with self._lock:
            if len(self._polls) >= _MOST_REMEMBERED:
                now = clock.wall()
                self._polls = {key: permitted for key, permitted in self._polls.items() if permitted > now}
            self._polls[sender, queue] = until


class ThrottleInDatabase:
    """For processes that share a database; its tables are not logged, so that a call does not wait for a disk.

    Calls are counted by the database's clock, since those of the machines differ.
    """

    def is_blocked(self, sender: str, *, calls_per_second: int) -> bool:
        values: dict[str, str | int] = {
            "sender": sender,
            "step": _SECOND // calls_per_second,
            "second": _SECOND,
            "block": BLOCKED // _MICROSECOND,
        }
        with write(), connection.cursor() as cursor:
            cursor.execute(_COUNT_CALL, values)
            [is_blocked] = cursor.fetchone()
        return bool(is_blocked)

    def next_poll(self, sender: str, queue: str) -> datetime:
        found = PollTime.objects.filter(pk=_digest(sender, queue)).first()
        return found.permitted_at if found else _LONG_AGO

    def found_empty(self, sender: str, queue: str, *, until: datetime) -> None:
        row = PollTime(queue_digest=_digest(sender, queue), permitted_at=until)
        with write():
            PollTime.objects.bulk_create(
                [row], update_conflicts=True, unique_fields=["queue_digest"], update_fields=["permitted_at"]
            )


# `Pace.after_call` in one statement.
_NOW = "(SELECT now FROM clock)"
_IS_BLOCKED = f"pace.blocked_until > {_NOW} AND pace.blocked_until <= {_NOW} + %(block)s"
_EVEN = f"CASE WHEN pace.even > {_NOW} AND pace.even <= {_NOW} + %(second)s THEN pace.even ELSE {_NOW} END + %(step)s"
_COUNT_CALL = f"""
    WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now)
    INSERT INTO call_pace AS pace (sender, even, blocked_until) SELECT %(sender)s, now + %(step)s, 0 FROM clock
    ON CONFLICT (sender) DO UPDATE SET
        even = CASE WHEN {_IS_BLOCKED} THEN pace.even ELSE {_EVEN} END,
        blocked_until = CASE
            WHEN {_IS_BLOCKED} THEN pace.blocked_until
            WHEN {_EVEN} > {_NOW} + %(second)s THEN {_NOW} + %(block)s
            ELSE 0 END
    RETURNING blocked_until > {_NOW}
"""  # noqa: S608 - of the constants above


@cache
def throttle() -> Throttle:
    """The throttle of this process, by whether others share its database."""
    return ThrottleInDatabase() if connection.vendor == "postgresql" else ThrottleInMemory()


def sweep() -> None:
    """Delete the rows that have had no effect for a long time."""
    before = clock.shared() - _KEPT
    with write():
        PollTime.objects.filter(permitted_at__lt=before).delete()
        CallPace.objects.filter(even__lt=_microseconds(before)).delete()


def _digest(sender: str, queue: str) -> bytes:
    return hashlib.sha256(f"{sender} {queue}".encode()).digest()


def _microseconds(time: datetime) -> int:
    return (time - _LONG_AGO) // _MICROSECOND
