"""A client's calls are spread."""

from segl.sdk.pacing import Pace


def test_as_many_calls_as_permitted_come_at_once_and_then_evenly() -> None:
    pace = Pace(8)

    waits = [pace.turn(100.0) for _ in range(12)]
    assert waits[:8] == [0] * 8
    assert waits[8:] == [0.125, 0.25, 0.375, 0.5]


def test_who_calls_seldom_never_waits() -> None:
    pace = Pace(2)

    assert [pace.turn(100 + second / 2) for second in range(50)] == [0] * 50
