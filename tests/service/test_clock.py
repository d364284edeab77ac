"""The business clock: one time for every process, which only a sandbox can move, and only forward."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from builders import in_threads
from clocks import machine
from segl.service import clock

pytestmark = pytest.mark.usefixtures("database")

SECOND = timedelta(seconds=1)


def distance() -> timedelta:
    """How far the business clock is ahead of a wall clock that stands still."""
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "wall", lambda: noon)
        return clock.now() - noon


def assert_wall_clock_is_real() -> None:
    before = datetime.now(UTC)
    assert before <= clock.wall() <= datetime.now(UTC)


def test_it_shows_the_wall_clock_until_it_is_moved() -> None:
    assert_wall_clock_is_real()
    assert distance() == timedelta()


def test_it_is_moved_step_by_step() -> None:
    clock.move(timedelta(days=1))
    before, step = clock.now(), timedelta(hours=2, microseconds=1)
    moved = clock.move(step)
    assert distance() == timedelta(days=1) + step
    assert before + step <= moved <= clock.now()


def test_the_wall_clock_stays() -> None:
    clock.move(timedelta(days=1))
    assert_wall_clock_is_real()


def test_every_connection_sees_it_moved() -> None:
    clock.move(timedelta(days=1))
    assert in_threads(distance) == [timedelta(days=1)]


def test_moves_at_the_same_time_add_up() -> None:
    in_threads(*[lambda: [clock.move(timedelta(hours=1)) for _ in range(5)]] * 4)
    assert distance() == timedelta(hours=20)


def test_it_is_not_moved_back() -> None:
    with pytest.raises(ValueError, match="forward only"):
        clock.move(-SECOND)
    assert distance() == timedelta()


def test_it_is_not_moved_past_the_end_of_time() -> None:
    with pytest.raises(ValueError, match="the year 9000"):
        clock.move(timedelta(days=366 * 9000))
    assert distance() == timedelta()


@pytest.mark.usefixtures("no_sandbox")
def test_it_is_not_moved_outside_a_sandbox() -> None:
    with pytest.raises(ValueError, match="in a sandbox only"):
        clock.move(SECOND)


def test_outside_a_sandbox_it_is_the_wall_clock_whatever_is_in_the_database(
    request: pytest.FixtureRequest,
) -> None:
    clock.move(timedelta(days=1))
    request.getfixturevalue("no_sandbox")
    assert distance() == timedelta()


def test_the_offset_is_read_once_for_a_whole_request() -> None:
    clock.move(timedelta(days=1))
    with CaptureQueriesContext(connection) as queries, clock.read_once():
        assert [distance() for _ in range(12)] == [timedelta(days=1)] * 12
    assert len(queries) == 1


def test_a_request_that_moves_the_clock_sees_it_moved() -> None:
    with clock.read_once():
        assert distance() == timedelta()
        clock.move(timedelta(days=1))
        assert distance() == timedelta(days=1)


def test_the_next_request_sees_what_another_process_moved() -> None:
    with clock.read_once():
        assert distance() == timedelta()
        in_threads(lambda: clock.move(timedelta(days=1)))
        assert distance() == timedelta()
    with clock.read_once():
        assert distance() == timedelta(days=1)


HOURS, TOLERANCE = timedelta(hours=2), timedelta(seconds=1)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@POSTGRESQL
@pytest.mark.parametrize("ahead", [-HOURS, -4 * SECOND, 4 * SECOND, HOURS])
def test_a_machine_whose_clock_is_wrong_goes_by_the_databases(ahead: timedelta) -> None:
    """As soon as the clock is wrong, and as soon as it is right again."""
    for wrong in (timedelta(), ahead, timedelta()):
        with machine(wrong):
            before = datetime.now(UTC)
            times = clock.shared(), clock.now()
            assert all(before - TOLERANCE < each < datetime.now(UTC) + TOLERANCE for each in times)
            assert abs(clock.wall() - datetime.now(UTC) - wrong) < TOLERANCE


@POSTGRESQL
def test_clocks_that_may_be_the_same_are_taken_for_the_same() -> None:
    clock.now()
    assert distance() == timedelta()


@POSTGRESQL
def test_the_databases_clock_is_not_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock.now()
    monkeypatch.setattr(clock, "_measured", lambda: 1 / 0)
    clock.now()
    with pytest.raises(ZeroDivisionError), machine(SECOND):
        clock.now()
    at = clock.monotonic() + clock._COMPARED_EVERY_SECONDS
    monkeypatch.setattr(clock, "monotonic", lambda: at)
    with pytest.raises(ZeroDivisionError):
        clock.now()
