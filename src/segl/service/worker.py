"""The loop: claims what is due and does it, woken when something falls due, until it is stopped."""

import logging
import os
import select
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db import DatabaseError, close_old_connections, connection

from segl.service import clock, due, outages, throttling
from segl.service.http.health import watched
from segl.service.jobs import reserving
from segl.service.store import documents
from segl.service.store.models import Due
from segl.service.work.kinds import KINDS, LANES, Lane
from segl.service.work.perform import perform

logger = logging.getLogger(__name__)

LONGEST_SLEEP = timedelta(seconds=2)
SWEEP_EVERY = timedelta(hours=1)


class Bell:
    """Wakes the loop from any thread; a file descriptor that `poll` can wait on."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def fileno(self) -> int:
        """The end that becomes readable."""
        return self._read

    def ring(self) -> None:
        """Wake the loop; ringing again before it woke changes nothing."""
        with suppress(BlockingIOError):  # thousands of rings are yet unread
            os.write(self._write, b"!")

    def silence(self) -> None:
        """Forget the rings so far."""
        with suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass


class Worker:
    """Claims due rows of every kind and does their work, a few at a time."""

    def __init__(self) -> None:
        self._bell = Bell()
        self._stopping = threading.Event()
        self._swept_at = clock.wall() - SWEEP_EVERY
        self._heard: Any = None  # the connection whose notifications ring the bell

    def stop(self) -> None:
        """Let the running pieces of work end, and claim no more."""
        self._stopping.set()
        self._bell.ring()

    def wake(self) -> None:
        """Look at once whether something is due."""
        self._bell.ring()

    def run(self) -> None:
        """Work until `stop`."""
        due.on_wake(self.wake)
        with ThreadPoolExecutor(sum(lane.parallel for lane in LANES), thread_name_prefix="work") as pool:
            running: dict[Future[None], Lane] = {}
            while not self._stopping.is_set():
                self._bell.silence()  # before looking who is done, since that rings
                running = {each: lane for each, lane in running.items() if not each.done()}
                claimed = self._claimed(Counter(running.values()))
                for row, lane in claimed:
                    future = pool.submit(self._work, row)
                    future.add_done_callback(lambda _: self._bell.ring())
                    running[future] = lane
                if not claimed:
                    self._sweep()
                    self._sleep()

    @watched()
    def _claimed(self, running: Counter[Lane]) -> Sequence[tuple[Due, Lane]]:
        claimed: list[tuple[Due, Lane]] = []
        free = {lane: lane.parallel - running[lane] for lane in LANES}
        try:
            for kind in KINDS:
                if free[kind.lane]:
                    rows = due.claim(kind.model, limit=free[kind.lane], **kind.only)
                    claimed += [(row, kind.lane) for row in rows]
                    free[kind.lane] -= len(rows)
        except DatabaseError as error:
            logger.warning("Nothing could be claimed: %s", _described(error))
            close_old_connections()
        return claimed

    def _work(self, row: Due) -> None:
        try:
            perform(row)
        except DatabaseError as error:
            logger.warning("The outcome of %s %s was not recorded: %s", row._meta.db_table, row.pk, _described(error))
        finally:
            close_old_connections()

    def _sweep(self) -> None:
        if clock.wall() - self._swept_at >= SWEEP_EVERY:
            self._swept_at = clock.wall()
            try:
                documents.sweep()
                throttling.sweep()
                reserving.sweep()
                Session.objects.filter(expire_date__lt=clock.shared()).delete()
            except Exception as error:  # the document store or the database is down: the next hour will do
                logger.warning("Nothing was swept: %s", _described(error))

    def _sleep(self) -> None:
        poll = select.poll()
        for descriptor in (self._bell.fileno(), *self._listening()):
            poll.register(descriptor, select.POLLIN)
        poll.poll(LONGEST_SLEEP.total_seconds() * 1000)

    @watched()
    def _listening(self) -> list[int]:
        """The database's socket, if other processes can wake us through it."""
        if connection.vendor != "postgresql":
            return []
        try:
            with connection.cursor() as cursor:
                self._ring_on_notification()
                cursor.execute(f"LISTEN {due.CHANNEL}")
        except DatabaseError:
            close_old_connections()
            return []
        return [connection.connection.fileno()]

    def _ring_on_notification(self) -> None:
        """Ring for each notification, since one that arrives with the answer to a statement is gone from the socket."""
        if connection.connection is not self._heard:
            self._heard = connection.connection
            self._heard.add_notify_handler(lambda _: self._bell.ring())
            self._bell.ring()  # Nothing listened until now: look once more.


def _described(error: Exception) -> str:
    return outages.reason(error) or type(error).__name__
