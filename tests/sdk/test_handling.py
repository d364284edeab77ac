"""The loop over status changes, sync and async: nothing is lost, and nothing confirmed that was not handled."""

import asyncio
import logging
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from certificates import Authority
from segl.sdk import ClientError, InvalidInput, JobStatusChange, UnexpectedResponseError
from segl.sdk.exchange import Response
from segl.sdk.handling import Pause, handle, handle_async, handling
from segl.sdk.portal.operations import PortalOperations
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
    """A handler that records what it handled, and fails with the given probability."""

    def __init__(self, *, failing: float = 0, seed: int = 0) -> None:
        self.jobs: list[int] = []
        self.failures = 0
        self._failing, self._random = failing, random.Random(seed)

    def __call__(self, change: JobStatusChange) -> None:
        if self._random.random() < self._failing:
            self.failures += 1
            raise ValueError("The program's own error.")
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


def test_a_handlers_failure_is_logged(run: Loop, caplog: pytest.LogCaptureFixture) -> None:
    failing = iter([True])

    def handler(change: JobStatusChange) -> None:
        if next(failing, False):
            raise ValueError("The program's own error.")

    run(Queue(1), handler)

    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.getMessage() == "The change of job 1 was not handled and is not confirmed; it will be delivered again"
    assert record.exc_info


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_poll_that_is_refused_ends_the_loop(run: Loop, status: int) -> None:
    queue = Queue(1)
    queue.refusal = status

    with pytest.raises(UnexpectedResponseError) as error:
        run(queue, Handled())
    assert error.value.status == status


def test_a_change_that_cannot_be_confirmed_does_not_end_the_loop(run: Loop) -> None:
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
        signal.raise_signal(number)
        handled(change)

    run(queue, handler)

    assert handled.jobs == queue.confirmed == [1]
    assert signal.getsignal(number) == before


def test_the_second_signal_ends_it_at_once(calls: PortalOperations) -> None:
    queue, handled = Queue(3), Handled()

    def handler(change: JobStatusChange) -> None:
        for _ in range(2):  # which cannot merge into one: each has come when `raise_signal` returns
            signal.raise_signal(signal.SIGINT)
        handled(change)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored when we run in the background
    try:
        with without_waiting(), pytest.raises(KeyboardInterrupt):
            _sync(calls)(queue, handler)
    finally:
        signal.signal(signal.SIGINT, before)
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


async def _not_called(change: JobStatusChange) -> None:
    raise AssertionError(change)


def _generator(change: JobStatusChange) -> Iterator[None]:
    yield


class _Callable:
    async def __call__(self, change: JobStatusChange) -> None:
        raise AssertionError(change)


@pytest.mark.parametrize(
    "handler",
    [_not_called, _generator, _Callable(), partial(_not_called)],
    ids=["async", "generator", "object", "partial"],
)
def test_a_handler_that_would_do_nothing_is_refused_before_the_first_poll(
    calls: PortalOperations, handler: Handler
) -> None:
    queue = Queue(1)

    with pytest.raises(InvalidInput, match="give a plain function"):
        _sync(calls)(queue, handler)
    assert queue.delivered == []


@pytest.mark.parametrize("handler", [None, 5])
def test_what_is_no_function_is_refused_before_the_first_poll(run: Loop, calls: PortalOperations, handler: Any) -> None:
    async def run_async() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(queue)) as http:
            await handle_async(http, handling(calls, None), handler, None)

    queue = Queue(1)
    for loop in (lambda: _sync(calls)(queue, handler), lambda: asyncio.run(run_async())):
        with pytest.raises(InvalidInput, match="give a function"):
            loop()
    assert queue.delivered == []


def test_the_event_has_to_be_of_the_loops_kind(calls: PortalOperations) -> None:
    async def run_async() -> None:
        async with httpx.AsyncClient() as http:
            await handle_async(http, handling(calls, None), _not_called, threading.Event())  # type: ignore[arg-type]

    with pytest.raises(InvalidInput, match=r"write an asyncio\.Event"):
        asyncio.run(run_async())
    with httpx.Client() as http, pytest.raises(InvalidInput, match=r"write a threading\.Event"):
        handle(http, handling(calls, None), lambda _: None, True)  # type: ignore[arg-type]


def test_a_change_whose_handler_did_nothing_is_not_confirmed(calls: PortalOperations) -> None:
    queue = Queue(1)

    with without_waiting(), pytest.raises(InvalidInput, match="returned a coroutine, so nothing was done"):
        _sync(calls)(queue, lambda change: _not_called(change))  # noqa: PLW0108 - which hides what it calls
    assert (queue.delivered, queue.confirmed) == ([1], [])


def test_an_async_loop_requires_a_handler_to_await(calls: PortalOperations) -> None:
    queue = Queue(1)

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(queue)) as http:
            await handle_async(http, handling(calls, None), lambda change: None, None)  # type: ignore[arg-type, return-value]

    with pytest.raises(InvalidInput, match="make it an `async def`"):
        asyncio.run(run())
    assert queue.confirmed == []


def test_one_signal_stops_all_loops_of_a_program(calls: PortalOperations) -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def loop(queue: Queue) -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(queue)) as http:
            await handle_async(http, handling(calls, None), _handled, None)

    async def _handled(change: JobStatusChange) -> None:
        await asyncio.sleep(0)

    async def run() -> None:
        queues, polled = [Queue(jobs) for jobs in (0, 0, 2)], [asyncio.Event() for _ in range(3)]
        for queue, event in zip(queues, polled, strict=True):
            queue.when_empty = event.set
        loops = [asyncio.create_task(loop(queue)) for queue in queues]
        async with asyncio.timeout(10):
            await asyncio.gather(*[event.wait() for event in polled])
            signal.raise_signal(signal.SIGTERM)
            await asyncio.gather(*loops)

    asyncio.run(run())
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_programs_own_handler_of_sigterm_runs_too(run: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    try:
        run(Queue(3), lambda _: signal.raise_signal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == [signal.SIGTERM]


class _Interrupted(threading.Event):
    """A signal comes while the event's lock is held."""

    def wait(self, timeout: float | None = None) -> bool:
        with self._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)
        return super().wait(timeout)


def test_a_signal_while_the_loop_waits_does_not_hang_it(calls: PortalOperations) -> None:
    with httpx.Client(transport=httpx.MockTransport(Queue(0))) as http:
        handle(http, handling(calls, None), lambda _: None, _Interrupted())


def test_a_loop_that_is_stopped_before_it_starts_handles_nothing(calls: PortalOperations) -> None:
    queue, stop = Queue(1), threading.Event()
    stop.set()

    with httpx.Client(transport=httpx.MockTransport(queue)) as http:
        handle(http, handling(calls, None), lambda _: None, stop)
    assert queue.delivered == []


@pytest.mark.parametrize("status", [408, 425])
def test_a_temporary_refusal_does_not_end_the_loop(calls: PortalOperations, status: int) -> None:
    loop = handling(replace(calls, retries=0), None)
    next(loop)

    assert isinstance(loop.send(Response(status, {}, b"")), Pause)


@pytest.mark.parametrize("permitted", ["9999-12-31T23:59:59Z", "2400-01-01T00:00:00+01:00"])
def test_no_service_makes_the_loop_wait_for_days(calls: PortalOperations, permitted: str) -> None:
    loop = handling(calls, None)
    next(loop)

    assert loop.send(Response(204, {"x-next-permitted-poll-time": permitted}, b"")) == Pause(3600)
