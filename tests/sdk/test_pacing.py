"""A client's calls are spread."""

import pytest

from segl.sdk.pacing import Pace


@pytest.mark.parametrize("calls_per_second", [8, 2.5, 1, 0.2])
@pytest.mark.parametrize("pause", [0, 0.01, 0.12, 0.3, 7])
def test_no_second_has_more_calls_than_permitted(calls_per_second: float, pause: float) -> None:
    pace, now, made = Pace(calls_per_second), 100.0, []
    for _ in range(40):
        now += pace.turn(now)
        made.append(now)
        now += pause

    calls = max(1, int(calls_per_second))
    span = calls / calls_per_second
    assert all(later - earlier >= span - 1e-9 for earlier, later in zip(made, made[calls:], strict=False))


def test_as_many_calls_as_permitted_come_at_once_and_the_next_when_the_second_is_over() -> None:
    pace = Pace(8)

    assert [pace.turn(100.0) for _ in range(17)] == [0.0] * 8 + [1.0] * 8 + [2.0]


def test_rare_calls_never_wait() -> None:
    pace = Pace(2)

    assert [pace.turn(100 + second / 2) for second in range(50)] == [0] * 50
