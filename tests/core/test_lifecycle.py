"""What may follow what in a job, for any signers in any order and any sequence of steps."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segl.core import lifecycle
from segl.core.lifecycle import IllegalStepError, JobState, job_state
from segl.core.statuses import JobStatus
from segl.core.statuses import SignerStatus as Status

WAITING, SIGNED = Status.WAITING, Status.SIGNED
Step = Callable[[JobState], JobState]


def job(*orders: int) -> JobState:
    """A fresh job whose signers have these orders."""
    return job_state((number, order, WAITING) for number, order in enumerate(orders, 1))


def statuses(state: JobState) -> list[Status]:
    return [each.status for each in state.signers]


def test_a_fresh_job_waits_for_its_first_group() -> None:
    state = job(1, 0, 0, 2)
    assert state.status is JobStatus.IN_PROGRESS
    assert state.turn == {2, 3}
    assert not state.all_signed


def test_orders_need_not_begin_at_0_nor_follow_each_other() -> None:
    state = job(9, 4)
    assert state.turn == {2}
    assert lifecycle.sign(state, 2).turn == {1}


def test_the_next_group_comes_when_all_before_have_signed() -> None:
    state = lifecycle.sign(job(0, 0, 1), 1)
    assert state.turn == {2}
    state = lifecycle.sign(state, 2)
    assert state.turn == {3}
    assert lifecycle.sign(state, 3).all_signed


def test_a_job_that_all_signed_is_in_progress_until_it_is_sealed() -> None:
    state = lifecycle.sign(job(0), 1)
    assert state.status is JobStatus.IN_PROGRESS
    assert state.turn == frozenset()


def test_nobody_signs_before_their_turn() -> None:
    with pytest.raises(IllegalStepError, match="not signer 2's turn yet") as refused:
        lifecycle.sign(job(0, 1), 2)
    assert refused.value.status is WAITING


def test_nobody_signs_twice() -> None:
    with pytest.raises(IllegalStepError, match="the status is SIGNED") as refused:
        lifecycle.sign(lifecycle.sign(job(0, 0), 1), 1)
    assert refused.value.status is SIGNED


@pytest.mark.parametrize("status", [Status.REJECTED, Status.BLOCKED])
def test_one_who_ends_it_ends_it_for_all_who_wait_also_in_later_groups(status: Status) -> None:
    state = lifecycle.end(lifecycle.sign(job(0, 0, 0, 1), 1), 2, status)
    assert statuses(state) == [SIGNED, status, Status.NOT_APPLICABLE, Status.NOT_APPLICABLE]
    assert state.status is JobStatus.FAILED


def test_nobody_ends_it_before_their_turn_or_after_signing() -> None:
    with pytest.raises(IllegalStepError, match="not signer 2's turn yet"):
        lifecycle.end(job(0, 1), 2, Status.REJECTED)
    with pytest.raises(IllegalStepError, match="the status is SIGNED"):
        lifecycle.end(lifecycle.sign(job(0, 0), 1), 1, Status.REJECTED)


def test_nobody_is_waited_for_in_a_job_that_failed() -> None:
    state = job_state([(1, 0, Status.REJECTED), (2, 0, WAITING)])
    assert state.turn == frozenset()
    assert not state.is_waiting(2)


def test_a_cancelled_job_keeps_what_was_signed() -> None:
    state = lifecycle.cancel(lifecycle.sign(job(0, 1, 2), 1))
    assert statuses(state) == [SIGNED, Status.CANCELLED, Status.CANCELLED]
    assert state.status is JobStatus.FAILED


def test_a_job_that_all_signed_cannot_be_cancelled() -> None:
    with pytest.raises(IllegalStepError) as refused:
        lifecycle.cancel(lifecycle.sign(job(0), 1))
    assert refused.value.status is SIGNED


def test_a_job_that_ended_cannot_be_cancelled() -> None:
    with pytest.raises(IllegalStepError) as refused:
        lifecycle.cancel(lifecycle.end(job(0, 0), 1, Status.REJECTED))
    assert refused.value.status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("status", [Status.RESERVED, Status.CONTACT_INFORMATION_MISSING])
@pytest.mark.parametrize("number", [2, 3])
def test_one_who_cannot_be_reached_ends_it_whose_ever_turn_it_is(number: int, status: Status) -> None:
    state = lifecycle.end_unreached(lifecycle.sign(job(0, 0, 1), 1), number, status)
    assert state[1].status is SIGNED
    assert state[number].status is status
    assert state[5 - number].status is Status.NOT_APPLICABLE
    assert state.status is JobStatus.FAILED


def test_one_who_has_signed_or_ended_was_reached() -> None:
    going_on = lifecycle.sign(job(0, 0), 1)
    for state in (going_on, lifecycle.cancel(going_on)):
        assert not state.is_waiting(1)
        with pytest.raises(IllegalStepError, match="no longer waits"):
            lifecycle.end_unreached(state, 1, Status.RESERVED)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, Step]:
    number = draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["sign", "sign", "sign", "sign", "reject", "block", "reserve", "cancel"]))
    made: dict[str, Step] = {
        "sign": lambda state: lifecycle.sign(state, number),
        "reject": lambda state: lifecycle.end(state, number, Status.REJECTED),
        "block": lambda state: lifecycle.end(state, number, Status.BLOCKED),
        "reserve": lambda state: lifecycle.end_unreached(state, number, Status.RESERVED),
        "cancel": lifecycle.cancel,
    }
    return kind, made[kind]


@given(st.lists(st.integers(0, 3), min_size=5, max_size=5), st.lists(steps(), max_size=25))
def test_any_sequence_of_steps_keeps_the_rules_of_a_job(orders: list[int], sequence: list[tuple[str, Step]]) -> None:
    state = job(*orders)
    for kind, step in sequence:
        try:
            after = step(state)
        except IllegalStepError:
            continue
        assert_a_legal_step(kind, state, after)
        assert_sound(after)
        state = after


def assert_a_legal_step(kind: str, before: JobState, after: JobState) -> None:
    """Only who waited changed, in a job that was going on, and to what the step says."""
    assert before.status is JobStatus.IN_PROGRESS
    changed = {
        new.number: new.status
        for old, new in zip(before.signers, after.signers, strict=True)
        if old.status is not new.status
    }
    assert changed
    assert all(before[number].status is WAITING for number in changed)
    made = sorted(changed.values())
    if kind == "sign":
        assert made == [SIGNED]
        assert set(changed) <= before.turn
    elif kind == "cancel":
        assert set(made) == {Status.CANCELLED}
    else:
        ending = {"reject": Status.REJECTED, "block": Status.BLOCKED, "reserve": Status.RESERVED}[kind]
        assert made.count(ending) == 1
        assert set(made) <= {ending, Status.NOT_APPLICABLE}
        if kind != "reserve":
            assert {number for number, status in changed.items() if status is ending} <= before.turn


def assert_sound(state: JobState) -> None:
    """What holds of every job at every time."""
    going_on = state.status is JobStatus.IN_PROGRESS
    waiting = {each.number for each in state.signers if each.status is WAITING}
    assert state.all_signed == (going_on and not waiting)
    assert bool(state.turn) == bool(going_on and waiting)
    if not going_on:
        assert not waiting
    for number in state.turn:
        assert all(each.status is SIGNED for each in state.signers if each.order < state[number].order)
    for signed in (each for each in state.signers if each.status is SIGNED):
        assert all(each.status is SIGNED for each in state.signers if each.order < signed.order)
