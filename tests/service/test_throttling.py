"""How often a sender may call and poll, counted in memory and in the database alike."""

from datetime import UTC, datetime, timedelta

import pytest

from builders import in_threads
from segl.service import clock, throttling
from segl.service.store.models import CallPace, PollTime
from segl.service.throttling import BLOCKED, Throttle, ThrottleInDatabase, ThrottleInMemory, throttle

SENDER, OTHER = "123456789", "310248711"


class Time:
    """A wall clock, this machine's and the database's, that advances only when it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._count_call, self._monkeypatch = throttling._COUNT_CALL, monkeypatch
        assert "clock_timestamp()" in self._count_call
        self._set(datetime(2026, 11, 24, 12, tzinfo=UTC))

    def pass_by(self, **how_much: float) -> None:
        self._set(self.now + timedelta(**how_much))

    def _set(self, now: datetime) -> None:
        self.now = now
        self._monkeypatch.setattr(clock, "wall", lambda: now)
        in_database = self._count_call.replace("clock_timestamp()", f"timestamptz '{now.isoformat()}'")
        self._monkeypatch.setattr(throttling, "_COUNT_CALL", in_database)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


@pytest.fixture
def counting(store: str) -> Throttle:
    """The throttle for each kind of database."""
    throttle.cache_clear()
    made = throttle()
    assert isinstance(made, ThrottleInDatabase if store.startswith("postgresql") else ThrottleInMemory)
    return made


def calls(throttle: Throttle, count: int, sender: str = SENDER) -> list[bool]:
    """Make `count` calls at once; return which are blocked."""
    return [throttle.is_blocked(sender, calls_per_second=10) for _ in range(count)]


def test_ten_calls_a_second_are_permitted_and_the_eleventh_blocks_for_thirty_seconds(
    counting: Throttle, time: Time
) -> None:
    assert calls(counting, 11) == [False] * 10 + [True]
    time.pass_by(seconds=29.9)
    assert calls(counting, 1) == [True]
    time.pass_by(seconds=0.1)
    assert calls(counting, 11) == [False] * 10 + [True]


def test_calls_across_the_end_of_a_second_count_together(counting: Throttle, time: Time) -> None:
    time.pass_by(seconds=0.9)
    assert calls(counting, 6) == [False] * 6
    time.pass_by(seconds=0.2)
    assert calls(counting, 7) == [False] * 6 + [True]


def test_ten_calls_a_second_are_never_blocked(counting: Throttle, time: Time) -> None:
    for _ in range(50):
        assert calls(counting, 1) == [False]
        time.pass_by(seconds=0.1)


def test_who_has_not_called_for_a_while_may_not_call_more(counting: Throttle, time: Time) -> None:
    calls(counting, 1)
    time.pass_by(minutes=1)
    assert calls(counting, 11) == [False] * 10 + [True]


@pytest.mark.parametrize("permitted", [3, 300])
def test_any_number_of_calls_a_second_can_be_configured(counting: Throttle, time: Time, permitted: int) -> None:
    blocked = [counting.is_blocked(SENDER, calls_per_second=permitted) for _ in range(permitted + 1)]
    assert blocked.index(True) == permitted


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_machines_whose_clocks_differ_count_alike(
    counting: Throttle, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls(counting, 1)
    fast = time.now + timedelta(seconds=5)
    monkeypatch.setattr(clock, "wall", lambda: fast)
    assert calls(counting, 10) == [False] * 9 + [True]


def test_only_that_sender_is_blocked(counting: Throttle, time: Time) -> None:
    assert calls(counting, 11)[-1]
    assert calls(counting, 1, OTHER) == [False]


def test_a_clock_that_was_ahead_blocks_nobody_once_it_is_right(counting: Throttle, time: Time) -> None:
    time.pass_by(hours=2)
    assert calls(counting, 11)[-1]
    calls(counting, 10, OTHER)
    time.pass_by(hours=-2)
    for sender in (SENDER, OTHER):
        assert calls(counting, 11, sender) == [False] * 10 + [True]


def test_a_sweep_ends_no_block(counting: Throttle, time: Time) -> None:
    calls(counting, 11)
    throttling.sweep()
    assert calls(counting, 1) == [True]


def test_calls_from_many_threads_are_all_counted(counting: Throttle, time: Time) -> None:
    blocked = in_threads(*[lambda: calls(counting, 1)[0]] * 16)
    assert sorted(blocked) == [False] * 10 + [True] * 6


def test_an_empty_queue_may_be_polled_again_at_the_time_given(counting: Throttle, time: Time) -> None:
    until = time.now + timedelta(minutes=10)
    assert counting.next_poll(SENDER, "q") < time.now
    counting.found_empty(SENDER, "q", until=until)
    assert counting.next_poll(SENDER, "q") == until
    assert counting.next_poll(SENDER, "") < time.now
    assert counting.next_poll(OTHER, "q") < time.now
    counting.found_empty(SENDER, "q", until=until + timedelta(minutes=10))
    assert counting.next_poll(SENDER, "q") == until + timedelta(minutes=10)


def test_a_queue_may_have_any_name(counting: Throttle, time: Time) -> None:
    until = time.now + timedelta(minutes=10)
    counting.found_empty(SENDER, "ø" * 10_000, until=until)
    assert counting.next_poll(SENDER, "ø" * 10_000) == until


def test_rows_without_effect_are_deleted(counting: Throttle, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "_MOST_REMEMBERED", 2)
    for queue in ("a", "b"):
        counting.found_empty(SENDER, queue, until=time.now)
    calls(counting, 1)
    time.pass_by(days=2)
    throttling.sweep()
    counting.found_empty(SENDER, "c", until=time.now + BLOCKED)
    if isinstance(counting, ThrottleInMemory):
        assert [queue for _, queue in counting._polls] == ["c"]
    else:
        assert (PollTime.objects.count(), CallPace.objects.count()) == (1, 0)
