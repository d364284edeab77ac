"""The worker's loop: it does what falls due, wakes at once, survives failures, and stops cleanly."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import OperationalError, connection, connections

from builders import NOW, due_rows
from segl.service import clock, due
from segl.service import worker as room
from segl.service.due import finish
from segl.service.store.models import Channel, Due, Lookup, Notification, Sealing, Signer, Signing, StatusChange
from segl.service.store.transactions import write
from segl.service.work import kinds
from segl.service.work import perform as perform_room
from segl.service.work.kinds import WORK
from segl.service.worker import Worker

pytestmark = pytest.mark.usefixtures("store")

LONG = 10.0


class Running:
    """A worker in a thread, and what it has done."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.work: Callable[[Due], None] = finish
        self.worker = Worker()
        self.falls_asleep = threading.Event()
        self.worker._sleep = self._sleep  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def start_and_find_nothing(self) -> None:
        """Start, and let it look until it has nothing to do but to sleep."""
        self.start()
        assert self.falls_asleep.wait(LONG)

    def stop(self) -> None:
        self.worker.stop()
        self._thread.join(LONG)
        assert not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def do(self, row: Due) -> None:
        self.work(row)
        self.done.append(row.pk)

    def _sleep(self) -> None:
        self.falls_asleep.set()
        Worker._sleep(self.worker)

    def _run(self) -> None:
        try:
            self.worker.run()
        finally:
            connections.close_all()


def eventually(happened: Callable[[], object]) -> None:
    """Wait until it has happened."""
    begin = time.monotonic()
    while not happened():
        assert time.monotonic() - begin < LONG, "it did not happen"
        time.sleep(0.005)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, woken: list[str]) -> Iterator[Running]:
    """A worker that is not started yet; it does notifications by finishing them."""
    running = Running()
    # Its threads close their connections after each piece of work, since nothing does so when they end.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    monkeypatch.setattr(perform_room, "WORK", dict.fromkeys((Signing, Sealing, Notification, Lookup), running.do))
    yield running
    if running.is_alive:
        running.stop()


@pytest.fixture
def sleepy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is not woken sleeps for much longer than a test takes."""
    monkeypatch.setattr(room, "LONGEST_SLEEP", timedelta(minutes=5))


def test_what_is_due_is_done(running: Running) -> None:
    made = due_rows(5)
    running.start()
    eventually(lambda: sorted(running.done) == made)
    assert not Notification.objects.exclude(due_at=None).exists()


@pytest.mark.usefixtures("sleepy")
def test_it_wakes_at_once_when_something_falls_due(running: Running) -> None:
    running.start_and_find_nothing()
    with write():
        made = due_rows(1)
        due.wake_on_commit()
    eventually(lambda: running.done == made)


@pytest.mark.usefixtures("sleepy")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_it_wakes_at_once_when_another_process_made_something_due(running: Running, database_url: str) -> None:
    made = due_rows(3, at=NOW + timedelta(days=10_000))
    running.start_and_find_nothing()
    with psycopg.connect(database_url, autocommit=True) as other:
        for number, key in enumerate(made, 1):
            other.execute("UPDATE notification SET due_at = now() - interval '1 day' WHERE id = %s", [key])
            other.execute(f"NOTIFY {due.CHANNEL}")
            eventually(lambda number=number: len(running.done) == number)


@pytest.mark.usefixtures("sleepy")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_notification_while_it_looks_is_not_lost(
    running: Running, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process makes due just after the worker has looked, and before it sleeps."""
    made = due_rows(1, at=NOW + timedelta(days=10_000))
    real = due.claim
    looked = []

    def claim_and_then(model: type[Due], **options: int) -> list[Due]:
        rows = real(model, **options)
        if model is Lookup:  # the last
            looked.append(model)
            if len(looked) == 2:
                with psycopg.connect(database_url, autocommit=True) as other:
                    other.execute("UPDATE notification SET due_at = now() - interval '1 day'")
                    other.execute(f"NOTIFY {due.CHANNEL}")
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")  # the notification arrives with its answer
        return rows

    monkeypatch.setattr(due, "claim", claim_and_then)
    running.start()
    eventually(lambda: looked)
    running.worker.wake()
    eventually(lambda: running.done == made)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_notifications_through_the_database_do_not_pile_up(running: Running, database_url: str) -> None:
    seen: list[int] = []
    real = Worker._sleep

    def sleep(self: Worker) -> None:
        backlog = connection.connection._notifies_backlog if connection.connection else ()
        seen.append(len(backlog or ()))
        real(self)

    Worker._sleep = sleep  # type: ignore[method-assign]
    try:
        running.start()
        with psycopg.connect(database_url, autocommit=True) as other:
            for _ in range(20):
                other.execute(f"NOTIFY {due.CHANNEL}")
                time.sleep(0.02)
        eventually(lambda: len(seen) > 5)
    finally:
        Worker._sleep = real  # type: ignore[method-assign]
    assert max(seen) <= 5


def test_it_does_no_more_at_once_than_its_lane_allows(running: Running) -> None:
    at_once: list[int] = []
    together = threading.Barrier(kinds.MAIL.parallel)
    lock = threading.Lock()
    count = 0

    def work(row: Due) -> None:
        nonlocal count
        with lock:
            count += 1
            at_once.append(count)
        together.wait(20)
        with lock:
            count -= 1
        finish(row)

    running.work = work
    due_rows(8)
    running.start()
    eventually(lambda: len(running.done) == 8)
    assert max(at_once) == kinds.MAIL.parallel


def test_a_slow_piece_of_work_does_not_hold_up_the_others(running: Running) -> None:
    made = due_rows(6)
    released = threading.Event()

    def work(row: Due) -> None:
        if row.pk == made[0]:
            assert released.wait(LONG)
        finish(row)

    running.work = work
    running.start()
    eventually(lambda: sorted(running.done) == made[1:])
    released.set()
    eventually(lambda: sorted(running.done) == made)


def test_messages_and_lookups_that_take_long_hold_up_nothing_else(running: Running) -> None:
    """Each waits for a server: the mail server, the gateway, the register."""
    texts, mails = due_rows(3), [due_rows(1)[0] for _ in range(3)]
    signers = Signer.objects.filter(notifications__in=mails)
    with write():
        Notification.objects.filter(pk__in=texts).update(channel=Channel.SMS)
        Lookup.objects.bulk_create(Lookup(signer=each, sms=False, due_at=NOW) for each in signers)
    released = threading.Event()
    waiting: list[str] = []

    def work(row: Due) -> None:
        if not isinstance(row, Sealing):
            waiting.append(getattr(row, "channel", row._meta.db_table))
            assert released.wait(LONG)
        finish(row)

    running.work = work
    running.start()
    eventually(lambda: sorted(waiting) == ["email", "email", "lookup", "sms"])
    with write():
        seals = [Sealing.objects.create(job=each.job, due_at=NOW).pk for each in signers.select_related("job")]
        due.wake_on_commit()
    eventually(lambda: sorted(running.done) == seals)
    released.set()
    eventually(lambda: len(running.done) == 12)


def test_there_is_a_lane_for_every_kind_of_due_row() -> None:
    assert {*WORK} == {*Due.__subclasses__()} - {StatusChange}  # which senders claim by polling
    channels = [each.only["channel"] for each in kinds.KINDS if each.model is Notification]
    assert sorted(channels) == sorted(Channel)


def test_a_failure_is_tried_again(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "FIRST_BACKOFF", timedelta(milliseconds=10))
    tries: list[int] = []

    def work(row: Due) -> None:
        tries.append(row.pk)
        if len(tries) < 3:
            raise OSError
        finish(row)

    running.work = work
    made = due_rows(1)
    running.start()
    eventually(lambda: running.worker.wake() or running.done == made)
    assert tries == made * 3


def test_stopping_lets_running_work_end_and_starts_no_more(running: Running) -> None:
    begun, released = threading.Event(), threading.Event()

    def work(row: Due) -> None:
        begun.set()
        assert released.wait(LONG)
        finish(row)

    running.work = work
    due_rows(10)
    running.start()
    assert begun.wait(LONG)
    running.worker.stop()
    time.sleep(0.1)
    assert running.is_alive
    released.set()
    running.stop()
    assert 1 <= len(running.done) <= kinds.MAIL.parallel
    assert not Notification.objects.exclude(lease_until=0).exists()


@pytest.mark.usefixtures("sleepy")
def test_stopping_a_sleeping_worker_takes_no_time(running: Running) -> None:
    running.start_and_find_nothing()
    running.stop()


def test_it_survives_a_database_that_is_down(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LONGEST_SLEEP", timedelta(milliseconds=20))
    real = due.claim
    fails = [OperationalError("down")] * 3

    def claim(model: type[Due], **options: int) -> list[Due]:
        if fails:
            raise fails.pop()
        return real(model, **options)

    monkeypatch.setattr(due, "claim", claim)
    made = due_rows(1)
    running.start()
    eventually(lambda: running.done == made)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_it_survives_a_broken_connection(running: Running, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LONGEST_SLEEP", timedelta(milliseconds=100))
    running.start_and_find_nothing()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    connections.close_all()
    made = due_rows(1)
    eventually(lambda: running.done == made)


@pytest.mark.parametrize("error", [OSError("the store is down"), OperationalError("the database is down")])
def test_it_survives_a_sweep_that_fails(running: Running, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep() -> int:
        raise error

    monkeypatch.setattr(room.documents, "sweep", sweep)
    monkeypatch.setattr(room, "LONGEST_SLEEP", timedelta(milliseconds=20))
    running.start_and_find_nothing()
    made = due_rows(1)
    eventually(lambda: running.done == made)


def test_it_sweeps_when_it_begins_and_once_an_hour(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[str] = []
    monkeypatch.setattr(room.documents, "sweep", lambda: swept.append("documents"))
    monkeypatch.setattr(room.reserving, "sweep", lambda: swept.append("reservations"))
    monkeypatch.setattr(room, "LONGEST_SLEEP", timedelta(milliseconds=20))
    running.start()
    eventually(lambda: len(swept) == 2)
    time.sleep(0.2)
    assert swept == ["documents", "reservations"]
    later = clock.wall() + room.SWEEP_EVERY
    monkeypatch.setattr(room.clock, "wall", lambda: later)
    eventually(lambda: len(swept) == 4)
