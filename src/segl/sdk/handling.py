"""The loop over a queue's status changes: polls when it may, hands out one change at a time, confirms what was handled.

Each change is handled at least once: one whose handler failed, or that could not be confirmed, is told again later.
"""

import logging
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from segl.sdk.changes import JobStatusChange
from segl.sdk.errors import (
    ClientCertificateError,
    NoAnswerError,
    RateLimitedError,
    TooEagerPollingError,
    UnexpectedResponseError,
    UntrustedServerError,
)
from segl.sdk.exchange import Request, Wait, backoff
from segl.sdk.jobs import Sender
from segl.sdk.operations import PortalOperations
from segl.sdk.transport import do, do_async, resume

if TYPE_CHECKING:
    import asyncio
    import signal

logger = logging.getLogger("segl.sdk")

_SHORTEST_WAIT = 1.0
"""Seconds; after an empty queue, whatever the clocks say."""
_BLOCKED = 30.0
"""Seconds that a sender is blocked who called too often."""


class Handle(NamedTuple):
    """A step: have a change handled, and tell whether it was (true) or its handler failed."""

    change: JobStatusChange


def handling(calls: PortalOperations, sender: Sender | None) -> Generator[Request | Wait | Handle, Any, None]:
    """The loop as steps, without an end. It may be left at each `Wait`.

    Raises what waiting does not mend: the server is not the one meant, our certificate is not accepted, or the service
    refuses the poll.
    """
    failures = 0
    while True:
        try:
            change = yield from calls.get_status_change(sender)
        except TooEagerPollingError as error:
            pause = max(error.seconds_until_next_poll, _SHORTEST_WAIT)
        except (NoAnswerError, UnexpectedResponseError) as error:
            if _lasts(error):
                raise
            pause = max(backoff(failures), _BLOCKED if isinstance(error, RateLimitedError) else 0)
            failures += 1
            logger.warning("Polling again in %.0f s: %s", pause, error)
        else:
            pause, failed = yield from _handled(calls, change, failures)
            failures = failures + 1 if failed else 0
        yield Wait(pause)


def _handled(
    calls: PortalOperations, change: JobStatusChange, failures: int
) -> Generator[Request | Wait | Handle, Any, tuple[float, bool]]:
    """Have a change handled and confirm it. How long to wait afterwards, and whether it failed."""
    if change.told is None:
        return max(change.seconds_until_next_poll, _SHORTEST_WAIT), False
    if not (yield Handle(change)):
        return backoff(failures), True
    try:
        yield from calls.confirm(change.confirmation_reference)
    except (NoAnswerError, UnexpectedResponseError) as error:
        logger.warning(
            "The change of job %s was handled but not confirmed; it will be told again: %s",
            change.signature_job_id,
            error,
        )
        return backoff(failures), True
    return 0, False


def _lasts(error: NoAnswerError | UnexpectedResponseError) -> bool:
    if isinstance(error, NoAnswerError):
        return isinstance(error, (UntrustedServerError, ClientCertificateError))
    return 400 <= error.status < 500 and not isinstance(error, RateLimitedError)


def handle(
    http: httpx.Client,
    loop: Generator[Request | Wait | Handle, Any, None],
    handler: Callable[[JobStatusChange], object],
    stop: threading.Event,
) -> None:
    """Drive the loop until it is to stop, by the event or by a signal."""
    with _told_by_signals(stop.set):
        step = next(loop)
        while not (isinstance(step, Wait) and stop.wait(step.seconds)):
            match step:
                case Handle(change):
                    step = loop.send(_succeeds(handler, change))
                case Wait():
                    step = next(loop)
                case _:
                    step = resume(loop, do(http, step))
        loop.close()


async def handle_async(
    http: httpx.AsyncClient,
    loop: Generator[Request | Wait | Handle, Any, None],
    handler: Callable[[JobStatusChange], Awaitable[object]],
    stop: "asyncio.Event | None",
) -> None:
    """Drive the loop until it is to stop, by the event or by a signal."""
    import asyncio

    stop = stop or asyncio.Event()
    running = asyncio.get_running_loop()
    with _told_by_signals(lambda: running.call_soon_threadsafe(stop.set)):
        step = next(loop)
        while not (isinstance(step, Wait) and await _comes(stop, step.seconds)):
            match step:
                case Handle(change):
                    step = loop.send(await _succeeds_async(handler, change))
                case Wait():
                    step = next(loop)
                case _:
                    step = resume(loop, await do_async(http, step))
        loop.close()


def _succeeds(handler: Callable[[JobStatusChange], object], change: JobStatusChange) -> bool:
    try:
        handler(change)
    except Exception:  # whatever the program's handler raises: the loop goes on
        logger.exception(_FAILED, change.signature_job_id)
        return False
    return True


async def _succeeds_async(handler: Callable[[JobStatusChange], Awaitable[object]], change: JobStatusChange) -> bool:
    try:
        await handler(change)
    except Exception:  # whatever the program's handler raises: the loop goes on
        logger.exception(_FAILED, change.signature_job_id)
        return False
    return True


_FAILED = "The change of job %s was not handled and is not confirmed; it will be told again"


async def _comes(event: "asyncio.Event", seconds: float) -> bool:
    """Whether the event comes within so many seconds."""
    import asyncio

    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


@contextmanager
def _told_by_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Meanwhile the first SIGINT or SIGTERM calls `stop`; the next one does what it did before.

    Signals come to the main thread alone; in others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def told(_number: int, _frame: FrameType | None) -> None:
        _restore(before)
        stop()

    for number in before:
        signal.signal(number, told)
    try:
        yield
    finally:
        _restore(before)


def _restore(handlers: "dict[signal.Signals, Any]") -> None:
    import signal

    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
