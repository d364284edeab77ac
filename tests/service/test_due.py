"""Due work: claims, leases, fences, backoff, wake-ups; on both databases."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from builders import NOW, due_rows, in_threads
from segl.service import clock, due
from segl.service.due import LeaseLostError, claim, extend, finish, postpone, release_all, retry
from segl.service.store.models import Due, Notification
from segl.service.store.transactions import write

pytestmark = pytest.mark.usefixtures("database")

MILLISECOND = timedelta(milliseconds=1)
SHORT = 40 * MILLISECOND


def row(key: int) -> Notification:
    return Notification.objects.get(pk=key)


def keys(rows: list[Notification]) -> list[int]:
    return [each.pk for each in rows]


def pass_by(time: timedelta) -> None:
    """So much time passes for the leases."""
    Notification.objects.filter(lease_until__gt=0).update(lease_until=F("lease_until") - time // MILLISECOND)


def end_leases() -> None:
    Notification.objects.update(lease_until=0)


def test_the_longest_due_comes_first() -> None:
    made = due_rows(3, apart=-timedelta(hours=1))
    assert keys(claim(Notification, limit=2)) == [made[2], made[1]]
    assert keys(claim(Notification, limit=2)) == [made[0]]


def test_rows_due_at_the_same_time_come_in_the_order_they_were_made() -> None:
    made = due_rows(4)
    assert keys(claim(Notification, limit=3)) == made[:3]


def test_no_more_than_the_limit_are_claimed() -> None:
    due_rows(3)
    assert len(claim(Notification)) == 1
    assert len(claim(Notification, limit=5)) == 2
    assert claim(Notification, limit=5) == []


def test_rows_that_are_not_due_are_not_claimed() -> None:
    later, never = due_rows(2)
    Notification.objects.filter(pk=later).update(due_at=clock.now() + timedelta(minutes=1))
    Notification.objects.filter(pk=never).update(due_at=None)
    assert claim(Notification, limit=5) == []


def test_rows_fall_due_by_the_business_clock() -> None:
    due_rows(1, at=clock.now() + timedelta(days=30))
    assert claim(Notification) == []
    clock.move(timedelta(days=30, seconds=1))
    assert len(claim(Notification)) == 1


def test_a_row_is_due_exactly_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = due_rows(1, at=NOW)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert keys(claim(Notification)) == made


def test_a_claim_can_be_restricted_to_columns_with_a_value() -> None:
    first, second = due_rows(2)
    other = due_rows(1)[0]
    assert keys(claim(Notification, limit=9, signer=row(other).signer_id)) == [other]
    assert keys(claim(Notification, limit=9, id=second, signer=row(first).signer_id)) == [second]


def test_a_claimed_row_counts_the_attempt_and_carries_its_fence() -> None:
    made = due_rows(1)[0]
    claimed = claim(Notification)[0]
    assert (claimed.attempts, claimed.fence) == (1, 1)
    assert (row(made).attempts, row(made).fence) == (1, 1)


def test_a_row_is_claimed_again_only_when_its_lease_has_ended() -> None:
    made = due_rows(1)
    claim(Notification, lease=timedelta(minutes=10))
    assert claim(Notification) == []
    pass_by(timedelta(minutes=9))
    assert claim(Notification) == []
    pass_by(timedelta(minutes=1))
    again = claim(Notification)
    assert keys(again) == made
    assert (again[0].attempts, again[0].fence) == (2, 2)


def test_moving_the_business_clock_ends_no_lease() -> None:
    due_rows(1)
    claim(Notification)
    clock.move(timedelta(days=365))
    assert claim(Notification) == []


def test_an_extended_lease_holds_longer() -> None:
    due_rows(1)
    claimed = claim(Notification, lease=timedelta(minutes=1))[0]
    pass_by(timedelta(seconds=30))
    extend(claimed, timedelta(minutes=10))
    pass_by(timedelta(minutes=9))
    assert claim(Notification) == []
    pass_by(timedelta(minutes=1))
    assert len(claim(Notification)) == 1


def test_a_lease_is_kept_as_long_as_the_block_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    due_rows(1)
    claimed = claim(Notification)[0]
    extended = threading.Semaphore(0)

    def extend_for_long(row: Notification, lease: timedelta) -> None:
        assert lease == SHORT
        extend(row, timedelta(minutes=10))
        extended.release()

    monkeypatch.setattr(due, "extend", extend_for_long)
    with due.kept(claimed, SHORT):
        pass_by(timedelta(minutes=11))
        while extended.acquire(blocking=False):
            pass
        for _ in range(2):  # the first may have been under way
            assert extended.acquire(timeout=10)
        assert claim(Notification) == []
    pass_by(timedelta(minutes=10))
    assert len(claim(Notification)) == 1


def test_nothing_extends_a_lease_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    due_rows(1)
    claimed = claim(Notification)[0]
    extending, left = threading.Event(), threading.Event()

    def extend(_row: Notification, _lease: timedelta) -> None:
        extending.set()
        left.wait()

    monkeypatch.setattr(due, "extend", extend)
    with due.kept(claimed, SHORT):
        assert extending.wait(10)
        left.set()
    assert "lease" not in {each.name for each in threading.enumerate()}


def test_keeping_a_lease_goes_on_after_a_moment_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    due_rows(1)
    claimed = claim(Notification)[0]
    errors, extended = iter([OperationalError("the database is down for a moment")]), threading.Semaphore(0)

    def extend(_row: Notification, _lease: timedelta) -> None:
        extended.release()
        for error in errors:
            raise error

    monkeypatch.setattr(due, "extend", extend)
    with due.kept(claimed, SHORT):
        for _ in range(3):
            assert extended.acquire(timeout=10)


def test_a_finished_row_is_never_due_again() -> None:
    made = due_rows(1)[0]
    finish(claim(Notification)[0], sent_at=clock.now())
    assert row(made).due_at is None
    assert row(made).sent_at is not None
    assert claim(Notification) == []


def test_a_finished_row_can_be_due_again_later() -> None:
    due_rows(1)
    finish(claim(Notification)[0], due_at=clock.now() + timedelta(hours=1))
    assert claim(Notification) == []
    clock.move(timedelta(hours=1))
    assert claim(Notification)[0].attempts == 1


@pytest.mark.parametrize(
    "outcome", [finish, extend, lambda late: retry(late, "failed"), lambda late: postpone(late, "down")]
)
def test_an_outcome_with_an_old_fence_changes_nothing(outcome: object) -> None:
    made = due_rows(1)[0]
    late = claim(Notification)[0]
    end_leases()
    claim(Notification)
    before = Notification.objects.filter(pk=made).values().get()
    with pytest.raises(LeaseLostError, match="claimed by another worker"):
        outcome(late)  # type: ignore[operator]
    assert Notification.objects.filter(pk=made).values().get() == before


@pytest.mark.parametrize("second", [finish, extend, lambda late: retry(late, "failed")])
@pytest.mark.parametrize("first", [finish, lambda claimed: retry(claimed, "failed")])
def test_a_claim_has_one_outcome(first: object, second: object) -> None:
    made = due_rows(1)[0]
    claimed = claim(Notification)[0]
    first(claimed)  # type: ignore[operator]
    before = Notification.objects.filter(pk=made).values().get()
    with pytest.raises(LeaseLostError):
        second(claimed)  # type: ignore[operator]
    assert Notification.objects.filter(pk=made).values().get() == before


def test_an_outcome_after_the_lease_counts_when_nobody_else_has_claimed_the_row() -> None:
    made = due_rows(1)[0]
    late = claim(Notification, lease=SHORT)[0]
    time.sleep(0.06)
    finish(late)
    assert row(made).due_at is None


def test_what_followed_from_a_late_outcome_is_undone_with_it() -> None:
    made = due_rows(1)[0]
    late = claim(Notification)[0]
    end_leases()
    claim(Notification)
    with pytest.raises(LeaseLostError), write():
        Notification.objects.filter(pk=made).update(last_error="what followed")
        finish(late)
    assert row(made).last_error == ""


def test_a_failed_row_is_due_again_after_a_backoff_and_says_why() -> None:
    made = due_rows(1)[0]
    before = clock.now()
    retry(claim(Notification)[0], "The mail server is down.")
    failed = row(made)
    assert failed.last_error == "The mail server is down."
    assert failed.due_at is not None
    assert before + due.FIRST_BACKOFF / 2 <= failed.due_at <= clock.now() + due.FIRST_BACKOFF
    assert claim(Notification) == []
    clock.move(due.FIRST_BACKOFF)
    assert claim(Notification)[0].attempts == 2


def test_a_long_error_is_cut_and_what_no_database_stores_is_left_out() -> None:
    made = due_rows(1)[0]
    retry(claim(Notification)[0], "\0" + "x" * 1000)
    assert row(made).last_error == "x" * 500


@pytest.mark.parametrize("attempts", range(1, due.MAX_ATTEMPTS + 1))
def test_the_backoff_doubles_with_jitter_up_to_the_longest(attempts: int) -> None:
    full = min(due.FIRST_BACKOFF * 2 ** (attempts - 1), due.LONGEST_BACKOFF)
    backoffs = [due.backoff(attempts) for _ in range(200)]
    assert all(full / 2 <= each <= full for each in backoffs)
    assert max(backoffs) - min(backoffs) > full / 4


def test_the_backoff_is_bounded_after_any_number_of_attempts() -> None:
    assert due.backoff(1_000_000) <= due.LONGEST_BACKOFF


def test_a_row_is_parked_after_the_last_attempt_and_stays_parked() -> None:
    made = due_rows(1)[0]
    for _ in range(due.MAX_ATTEMPTS):
        assert row(made).parked_at is None
        retry(claim(Notification)[0], "It never works.")
        clock.move(due.LONGEST_BACKOFF)
    parked = row(made)
    assert parked.parked_at is not None
    assert parked.attempts == due.MAX_ATTEMPTS
    clock.move(timedelta(days=365))
    assert claim(Notification) == []


def test_released_rows_are_tried_as_often_as_new_ones(woken: list[str]) -> None:
    one, other = due_rows(2)
    for _ in range(due.MAX_ATTEMPTS):
        clock.move(due.LONGEST_BACKOFF)
        for claimed in claim(Notification, limit=2):
            retry(claimed, "It never works.")
    waiting = due_rows(1)
    Notification.objects.filter(pk=other).update(due_at=None)  # The job has ended.
    assert [each.pk for each in due.parked(Notification)] == [one]
    due.release_parked(Notification)
    assert (list(due.parked(Notification)), woken) == ([], ["woken"])
    assert sorted((each.pk, each.attempts) for each in claim(Notification, limit=9)) == [(one, 1), (*waiting, 1)]


def test_a_row_that_waits_for_another_service_is_never_parked_and_backs_off() -> None:
    made = due_rows(1)[0]
    for attempt in range(1, 3 * due.MAX_ATTEMPTS):
        before = clock.now()
        claimed = claim(Notification)[0]
        assert claimed.attempts == min(attempt, due.MAX_ATTEMPTS - due.SPARE_ATTEMPTS + 1)
        postpone(claimed, "The register is down.")
        waiting = row(made)
        assert (waiting.parked_at, waiting.last_error) == (None, "The register is down.")
        assert waiting.due_at is not None
        shortest = due.FIRST_BACKOFF * 2 ** (claimed.attempts - 1) / 2
        assert before + shortest <= waiting.due_at <= clock.now() + due.LONGEST_BACKOFF
        clock.move(due.LONGEST_BACKOFF)


@pytest.mark.parametrize("fails", [lambda row: retry(row, "Once."), lambda row: release_all(Notification)])
def test_a_failure_of_another_kind_after_a_long_wait_does_not_park_a_row(fails: Callable[[Due], None]) -> None:
    made = due_rows(1)[0]
    for _ in range(2 * due.MAX_ATTEMPTS):
        postpone(claim(Notification)[0], "The register is down.")
        clock.move(due.LONGEST_BACKOFF)
    for _ in range(due.SPARE_ATTEMPTS - 1):
        fails(claim(Notification)[0])
        clock.move(due.LONGEST_BACKOFF)
    assert row(made).parked_at is None
    assert claim(Notification)[0].attempts <= due.MAX_ATTEMPTS


def test_a_success_resets_the_attempts() -> None:
    due_rows(1)
    retry(claim(Notification)[0], "Once.")
    clock.move(due.FIRST_BACKOFF)
    finish(claim(Notification)[0], due_at=clock.now())
    claimed = claim(Notification)[0]
    assert (claimed.attempts, claimed.last_error) == (1, "")


def test_a_row_can_be_hidden_for_some_business_time() -> None:
    made = due_rows(1)
    claimed = claim(Notification, hide_for=timedelta(minutes=10))
    assert keys(claimed) == made
    assert claim(Notification) == []
    clock.move(timedelta(minutes=10))
    assert keys(claim(Notification)) == made


def test_all_leases_can_be_ended_at_once() -> None:
    made = due_rows(2)
    claim(Notification, limit=2)
    due.release_all(Notification)
    assert keys(claim(Notification, limit=2)) == made


def test_a_worker_whose_lease_was_ended_is_late() -> None:
    due_rows(1)
    late = claim(Notification)[0]
    due.release_all(Notification)
    claim(Notification)
    with pytest.raises(LeaseLostError):
        finish(late)


def test_parallel_workers_never_get_the_same_row() -> None:
    made = due_rows(40)
    claims = in_threads(*[lambda: [each for _ in range(5) for each in claim(Notification, limit=2)]] * 4)
    assert sorted(key for each in claims for key in keys(each)) == made


def test_workers_are_woken_when_the_transaction_commits_and_not_before(woken: list[str]) -> None:
    with write():
        due.wake_on_commit()
        assert woken == []
    assert woken == ["woken"]


def test_a_transaction_that_is_undone_wakes_nobody(woken: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), write():
        due.wake_on_commit()
        raise ZeroDivisionError
    assert woken == []


def test_a_waker_that_fails_neither_undoes_nor_hides_the_commit(
    woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise BrokenPipeError

    made = due_rows(1)[0]
    monkeypatch.setattr(due, "_wakers", [broken, lambda: woken.append("woken")])
    with write():
        Notification.objects.filter(pk=made).update(last_error="committed")
        due.wake_on_commit()
    assert row(made).last_error == "committed"
    assert woken == ["woken"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_other_processes_are_woken_through_the_database(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(f"LISTEN {due.CHANNEL}")
        with write():
            due.wake_on_commit()
            assert list(other.notifies(timeout=0.1)) == []
        assert [each.channel for each in other.notifies(timeout=5, stop_after=1)] == [due.CHANNEL]


class Outcomes:
    """Counts outcomes in a table, in the transaction that records them."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE outcome (row_id bigint)")

    @staticmethod
    def record(done: Notification) -> None:
        with write():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO outcome VALUES (%s)", [done.pk])
            finish(done)

    @staticmethod
    def recorded() -> Counter[int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT row_id FROM outcome")
            return Counter(each for (each,) in cursor.fetchall())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_workers_who_die_fail_and_come_late_record_each_outcome_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "FIRST_BACKOFF", timedelta(milliseconds=5))
    monkeypatch.setattr(due, "LONGEST_BACKOFF", timedelta(milliseconds=20))
    monkeypatch.setattr(due, "MAX_ATTEMPTS", 1000)
    made = due_rows(50)
    outcomes = Outcomes()
    seen: Counter[str] = Counter()
    give_up_at = time.monotonic() + 30

    def worker(number: int) -> None:
        luck = random.Random(f"{seed} {number}")
        while Notification.objects.exclude(due_at=None).exists() and time.monotonic() < give_up_at:
            for claimed in claim(Notification, limit=luck.randint(1, 4), lease=SHORT):
                seen[fate := work(claimed, luck)] += 1
                if fate == "died":
                    break  # with all that it had claimed

    def work(claimed: Notification, luck: random.Random) -> str:
        fate = luck.choice(["done", "done", "done", "died", "failed", "slow"])
        if fate == "died":
            return fate
        if fate == "slow":
            time.sleep(SHORT.total_seconds() * luck.uniform(0.5, 2))
        try:
            if fate == "failed":
                retry(claimed, "failed")
            else:
                outcomes.record(claimed)
        except LeaseLostError:
            return "late"
        return fate

    in_threads(*[lambda number=number: worker(number) for number in range(6)])
    assert outcomes.recorded() == dict.fromkeys(made, 1)
    assert {"done", "died", "failed"} <= seen.keys(), seen


class Workers(RuleBasedStateMachine):
    """Workers against a model of the rows: who holds which fence, and what was recorded of each row."""

    outcomes: Outcomes

    def __init__(self) -> None:
        super().__init__()
        Notification.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM outcome")
        self.rows = {key: SimpleNamespace(claims=0, holder=None, leased=False, done=False) for key in due_rows(3)}
        self.held: list[Notification] = []

    @rule(limit=st.integers(1, 3))
    def somebody_claims(self, limit: int) -> None:
        free = [key for key, each in self.rows.items() if not each.leased and not each.done]
        claimed = claim(Notification, limit=limit)
        assert keys(claimed) == free[:limit]
        for each in claimed:
            state = self.rows[each.pk]
            state.holder, state.leased = each.fence, True
            self.held.append(each)

    @rule()
    def all_leases_end(self) -> None:
        end_leases()
        for each in self.rows.values():
            each.leased = False

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def somebody_dies(self, data: st.DataObject) -> None:
        self.held.remove(data.draw(st.sampled_from(self.held)))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def somebody_keeps_a_lease(self, data: st.DataObject) -> None:
        claimed = data.draw(st.sampled_from(self.held))
        if self._counts(claimed, lambda: extend(claimed)):
            self.rows[claimed.pk].leased = True

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def somebody_is_done(self, data: st.DataObject) -> None:
        claimed = data.draw(st.sampled_from(self.held))
        if self._counts(claimed, lambda: self.outcomes.record(claimed)):
            self.rows[claimed.pk].__dict__.update(holder=None, leased=False, done=True)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def somebody_fails(self, data: st.DataObject) -> None:
        claimed = data.draw(st.sampled_from(self.held))
        if self._counts(claimed, lambda: retry(claimed, "failed")):
            self.rows[claimed.pk].__dict__.update(holder=None, leased=False)
            Notification.objects.filter(pk=claimed.pk).update(due_at=NOW - timedelta(days=365))

    def _counts(self, claimed: Notification, record: object) -> bool:
        """Whether the outcome counted, as it must if and only if this was the last claim of the row."""
        holds = self.rows[claimed.pk].holder == claimed.fence
        if holds:
            record()  # type: ignore[operator]
        else:
            with pytest.raises(LeaseLostError):
                record()  # type: ignore[operator]
        return holds

    @invariant()
    def each_outcome_is_recorded_once(self) -> None:
        assert self.outcomes.recorded() == {key: 1 for key, each in self.rows.items() if each.done}

    @invariant()
    def no_row_is_lost(self) -> None:
        waiting = set(Notification.objects.exclude(due_at=None).values_list("pk", flat=True))
        assert waiting == {key for key, each in self.rows.items() if not each.done}


def test_any_sequence_of_claims_and_outcomes_keeps_each_outcome_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "MAX_ATTEMPTS", 1000)
    Workers.outcomes = Outcomes()
    bounds = settings(
        max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(Workers, settings=bounds)


@pytest.fixture(autouse=True)
def _threads_have_ended() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() <= before
