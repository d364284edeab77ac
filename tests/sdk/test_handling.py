"""The loop over status changes, sync and async: nothing is lost, and nothing confirmed that was not handled."""

import asyncio
import logging
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from certificates import Authority
from segl.sdk import ClientError, JobStatusChange, UnexpectedResponseError
from segl.sdk.handling import handle, handle_async, handling
from segl.sdk.operations import PortalOperations
from status_queues import FAULTS, ROOT, SENDER, Queue, without_waiting

Handler = Callable[[JobStatusChange], object]
Loop = Callable[[Queue, Handler], None]


@pytest.fixture(scope="module")
def calls() -> PortalOperations:
    return PortalOperations(ROOT, Authority.root().organization("123456789"), SENDER, retries=2)


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest, calls: PortalOperations) -> Iterator[Loop]:
    """Runs the loop until the queue is empty."""
    with without_waiting():
        yield _sync(calls) if request.param == "sync" else _async(calls)


def _sync(calls: PortalOperations) -> Loop:
    def run(queue: Queue, handler: Handler) -> None:
        stop = threading.Event()
        queue.when_empty = stop.set
        with httpx.Client(transport=httpx.MockTransport(queue)) as http:
            handle(http, handling(calls, None), handler, stop)

    return run


def _async(calls: PortalOperations) -> Loop:
    async def run(queue: Queue, handler: Handler) -> None:
        async def awaited(change: JobStatusChange) -> None:
            await asyncio.sleep(0)
            handler(change)

        stop = asyncio.Event()
        queue.when_empty = stop.set
        async with httpx.AsyncClient(transport=httpx.MockTransport(queue)) as http:
            await handle_async(http, handling(calls, None), awaited, stop)

    return lambda queue, handler: asyncio.run(run(queue, handler))


class Handled:
    """A handler that notes what it handled, and fails as often as it is told to."""

    def __init__(self, *, failing: float = 0, seed: int = 0) -> None:
        self.jobs: list[int] = []
        self.failures = 0
        self._failing, self._random = failing, random.Random(seed)

    def __call__(self, change: JobStatusChange) -> None:
        if self._random.random() < self._failing:
            self.failures += 1
            raise ValueError("The program's own trouble.")
        assert change.signature_job_id
        self.jobs.append(change.signature_job_id)


def test_changes_are_handled_one_by_one_and_confirmed(run: Loop) -> None:
    queue, handled = Queue(5), Handled()

    run(queue, handled)

    assert handled.jobs == queue.confirmed == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("fault", sorted({*FAULTS} - {"none"}))
def test_each_fault_is_survived(run: Loop, fault: str) -> None:
    queue, handled = Queue(50, faults=(fault, "none")), Handled()

    run(queue, handled)

    assert {*handled.jobs} == {*queue.confirmed} == {*range(1, 51)}


def test_a_thousand_failures_of_the_handler_lose_nothing(run: Loop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "segl.sdk")
    queue, handled = Queue(100, faults=FAULTS, seed=3), Handled(failing=0.95, seed=4)
    confirmed_early: list[int] = []

    def handler(change: JobStatusChange) -> None:
        confirmed_early.extend({*queue.confirmed} - {*handled.jobs})
        handled(change)

    run(queue, handler)

    assert handled.failures > 1000
    assert {*handled.jobs} == {*queue.confirmed} == {*range(1, 101)}
    assert confirmed_early == []


def test_a_change_whose_handler_failed_is_told_in_the_log(run: Loop, caplog: pytest.LogCaptureFixture) -> None:
    failing = iter([True])

    def handler(change: JobStatusChange) -> None:
        if next(failing, False):
            raise ValueError("The program's own trouble.")

    run(Queue(1), handler)

    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.getMessage() == "The change of job 1 was not handled and is not confirmed; it will be told again"
    assert record.exc_info


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_poll_that_is_refused_ends_the_loop(run: Loop, status: int) -> None:
    queue = Queue(1)
    queue.refusal = status

    with pytest.raises(UnexpectedResponseError) as error:
        run(queue, Handled())
    assert error.value.status == status


def test_a_change_that_cannot_be_confirmed_is_no_end(run: Loop) -> None:
    queue, handled = Queue(2), Handled()
    queue.unknown = {1}

    with pytest.raises(Enough):
        run(queue, lambda change: enough(change, handled))
    assert handled.jobs == [1, 2, 1]


class Enough(BaseException):
    """The test has seen what it wants: not an error of a handler."""


def enough(change: JobStatusChange, handled: Handled) -> None:
    if len(handled.jobs) == 3:
        raise Enough
    handled(change)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_change_in_hand_be_finished(run: Loop, number: signal.Signals) -> None:
    queue, handled = Queue(3), Handled()
    before = signal.getsignal(number)

    def handler(change: JobStatusChange) -> None:
        os.kill(os.getpid(), number)
        handled(change)

    run(queue, handler)

    assert handled.jobs == queue.confirmed == [1]
    assert signal.getsignal(number) == before


def test_the_second_signal_ends_it_at_once(calls: PortalOperations) -> None:
    queue, handled = Queue(3), Handled()

    def handler(change: JobStatusChange) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        handled(change)

    with without_waiting(), pytest.raises(KeyboardInterrupt):
        _sync(calls)(queue, handler)
    assert handled.jobs == queue.confirmed == []


def test_the_loop_runs_in_other_threads_too(calls: PortalOperations) -> None:
    queue, handled, failed = Queue(3), Handled(), []

    def loop() -> None:
        try:
            _sync(calls)(queue, handled)
        except ClientError as error:
            failed.append(error)

    with without_waiting():
        thread = threading.Thread(target=loop)
        thread.start()
        thread.join(10)
    assert not thread.is_alive()
    assert (handled.jobs, failed) == ([1, 2, 3], [])
