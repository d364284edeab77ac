"""The loop over a queue's status changes: polls when it may, hands out one change at a time, confirms what was handled.

Each change is handled at least once: one whose handler failed, or that could not be confirmed, is told again later.
"""

import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import httpx

from segl.core.errors import InvalidInput
from segl.core.type_checks import check_kind
from segl.sdk.errors import (
    ClientCertificateError,
    ClientError,
    NoAnswerError,
    RateLimitedError,
    TooEagerPollingError,
    UnexpectedResponseError,
    UntrustedServerError,
)
from segl.sdk.exchange import PASSING, Operation, Request, Wait, backoff
from segl.sdk.functions import check_callable, check_done, check_plain
from segl.sdk.references import ConfirmationReference
from segl.sdk.senders import Sender
from segl.sdk.transport import do, do_async, resume

if TYPE_CHECKING:
    import asyncio


class Change(Protocol):
    """A status change of whichever flow; `told` is None when the queue was empty."""

    @property
    def told(self) -> object | None: ...
    @property
    def signature_job_id(self) -> int | None: ...
    @property
    def confirmation_reference(self) -> ConfirmationReference: ...
    @property
    def seconds_until_next_poll(self) -> float: ...


T = TypeVar("T")
Changed = TypeVar("Changed", bound=Change)
Changed_co = TypeVar("Changed_co", bound=Change, covariant=True)
logger = logging.getLogger("segl.sdk")

_SHORTEST_WAIT = 1.0
"""Seconds; after an empty queue, whatever the clocks say."""
_LONGEST_PAUSE = 3600.0
"""Seconds; as above."""
_LOOK_FOR_SIGNALS = 0.5
"""Seconds; see `_Signals`."""
_BLOCKED = 30.0
"""Seconds that a sender is blocked who called too often."""


class Calls(Protocol[Changed_co]):
    """The calls of a flow that has a queue of status changes."""

    def get_status_change(self, sender: Sender | None) -> Operation[Changed_co]: ...
    def confirm(self, reference: ConfirmationReference) -> Operation[None]: ...


class Handle(NamedTuple, Generic[Changed]):
    """A step: have a change handled, and tell whether it was (true) or its handler failed."""

    change: Changed


class Pause(NamedTuple):
    """A step: let so many seconds pass, with no change in hand."""

    seconds: float


Step = Request | Wait | Handle[Changed] | Pause
Loop = Generator[Step[Changed], Any, None]


def handling(calls: Calls[Changed], sender: Sender | None) -> Loop[Changed]:
    """The loop as steps, without an end. It may be left at each `Pause`: no change is in hand then.

    Raises what waiting does not mend: the server is not the one meant, our certificate is not accepted, or the service
    refuses the poll.
    """
    failures = 0
    while True:
        try:
            change = yield from _leavable(calls.get_status_change(sender))
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
        yield Pause(min(pause, _LONGEST_PAUSE))


def _handled(
    calls: Calls[Changed], change: Changed, failures: int
) -> Generator[Step[Changed], Any, tuple[float, bool]]:
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


def _leavable(operation: Operation[T]) -> Generator[Request | Pause, Any, T]:
    """The operation's steps, with its waits as such at which the loop may be left."""
    try:
        step = next(operation)
        while True:
            try:
                outcome = yield Pause(step.seconds) if isinstance(step, Wait) else step
            except ClientError as error:
                step = operation.throw(error)
            else:
                step = operation.send(outcome)
    except StopIteration as end:
        result: T = end.value
        return result


def _lasts(error: NoAnswerError | UnexpectedResponseError) -> bool:
    if isinstance(error, NoAnswerError):
        return isinstance(error, (UntrustedServerError, ClientCertificateError))
    return 400 <= error.status < 500 and not (error.status in PASSING or isinstance(error, RateLimitedError))


def handle(
    http: httpx.Client, loop: Loop[Changed], handler: Callable[[Changed], object], stop: threading.Event | None
) -> None:
    """Drive the loop until it is to stop, by the event or by a signal."""
    check_plain(handler, "The handler")
    stop, signalled = stop or threading.Event(), list[bool]()
    check_kind("stop", stop, threading.Event, write="a threading.Event")
    with _signals.telling(lambda: signalled.append(True)), closing(loop):
        step: Step[Changed] = Pause(0)
        while True:
            match step:
                case Handle(change):
                    step = loop.send(_succeeds(handler, change))
                case Pause(seconds):
                    if _comes(stop, signalled, seconds):
                        return
                    step = next(loop)
                case _:
                    step = resume(loop, do(http, step))


async def handle_async(
    http: httpx.AsyncClient,
    loop: Loop[Changed],
    handler: Callable[[Changed], Awaitable[object]],
    stop: "asyncio.Event | None",
) -> None:
    """Drive the loop until it is to stop, by the event or by a signal."""
    import asyncio

    check_callable(handler, "The handler")
    stop = stop or asyncio.Event()
    check_kind("stop", stop, asyncio.Event, write="an asyncio.Event")
    running = asyncio.get_running_loop()
    with _signals.telling(lambda: running.call_soon_threadsafe(stop.set)), closing(loop):
        step: Step[Changed] = Pause(0)
        while True:
            match step:
                case Handle(change):
                    step = loop.send(await _succeeds_async(handler, change))
                case Pause(seconds):
                    if await _comes_async(stop, seconds):
                        return
                    step = next(loop)
                case _:
                    step = resume(loop, await do_async(http, step))


def _succeeds(handler: Callable[[Changed], object], change: Changed) -> bool:
    try:
        result = handler(change)
    except Exception:  # whatever the program's handler raises: the loop goes on
        logger.exception(_FAILED, change.signature_job_id)
        return False
    check_done(result, "The handler")
    return True


async def _succeeds_async(handler: Callable[[Changed], Awaitable[object]], change: Changed) -> bool:
    try:
        result = handler(change)
        if inspect.isawaitable(result):
            await result
            return True
    except Exception:  # whatever the program's handler raises: the loop goes on
        logger.exception(_FAILED, change.signature_job_id)
        return False
    raise InvalidInput("The handler gave nothing to await: make it an `async def`, or give it to a PortalClient.")


_FAILED = "The change of job %s was not handled and is not confirmed; it will be told again"


def _comes(stop: threading.Event, signalled: list[bool], seconds: float) -> bool:
    """Whether the event or a signal comes within so many seconds."""
    until = time.monotonic() + seconds
    while not (signalled or stop.is_set()):
        left = until - time.monotonic()
        if left <= 0:
            return False
        stop.wait(min(left, _LOOK_FOR_SIGNALS))
    return True


async def _comes_async(event: "asyncio.Event", seconds: float) -> bool:
    """Whether the event comes within so many seconds."""
    import asyncio

    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


class _Signals:
    """SIGINT and SIGTERM, for all loops of the process: the first one stops them, the next does what it did before."""

    def __init__(self) -> None:
        self._stops: list[Callable[[], object]] = []
        self._before: dict[int, Any] = {}

    @contextmanager
    def telling(self, stop: Callable[[], object]) -> Iterator[None]:
        """Meanwhile a signal calls `stop`.

        Signals come to the main thread alone; in others this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._stops.append(stop)
        self._install()
        try:
            yield
        finally:
            self._stops.remove(stop)
            if not self._stops:
                self._restore()

    def _install(self) -> None:
        import signal

        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != self._come:
                self._before[number] = signal.signal(number, self._come)

    def _restore(self) -> None:
        import signal

        for number, handler in self._before.items():
            if signal.getsignal(number) == self._come:
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _come(self, number: int, frame: FrameType | None) -> None:
        """Nothing here may take a lock, which what was interrupted may hold."""
        import signal

        self._restore()
        for stop in self._stops:
            stop()
        theirs = self._before[number]
        if number == signal.SIGTERM and callable(theirs):  # that of SIGINT would break off what is to be finished
            theirs(number, frame)  # a server that the loop runs beside is to end too


_signals = _Signals()
