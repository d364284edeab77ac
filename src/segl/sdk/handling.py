"""The loop over a queue's status changes: polls when permitted, hands out one change at a time, confirms it afterwards.

Each change is handled at least once: if its handler failed or it could not be confirmed, it is delivered again later.
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
from segl.sdk.callbacks import check_callable, check_done, check_plain
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
from segl.sdk.references import ConfirmationReference
from segl.sdk.senders import Sender
from segl.sdk.transport import do, do_async, resume

if TYPE_CHECKING:
    import asyncio


class Change(Protocol):
    """A status change of any flow; `message` is None if the queue was empty."""

    @property
    def message(self) -> object | None: ...
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
"""Seconds to wait at least after an empty queue, whatever the clocks say."""
_LONGEST_PAUSE = 3600.0
"""Seconds to wait at most."""
_LOOK_FOR_SIGNALS = 0.5
"""Seconds; see `_Signals`."""
_BLOCKED = 30.0
"""Seconds for which a sender that called too often is blocked."""


class Calls(Protocol[Changed_co]):
    """The calls of a flow that has a queue of status changes."""

    def get_status_change(self, sender: Sender | None) -> Operation[Changed_co]: ...
    def confirm(self, reference: ConfirmationReference) -> Operation[None]: ...


class Handle(NamedTuple, Generic[Changed]):
    """A step: have a change handled. Its outcome is True, or False if the handler failed."""

    change: Changed


class Pause(NamedTuple):
    """A step: wait so many seconds, while no change is being handled."""

    seconds: float


Step = Request | Wait | Handle[Changed] | Pause
Loop = Generator[Step[Changed], Any, None]


def handling(calls: Calls[Changed], sender: Sender | None) -> Loop[Changed]:
    """Yield the steps of the loop, which never ends by itself. It may be left at any `Pause`, with no change in hand.

    Raises errors that waiting does not fix: the server is not the one expected, our certificate is not accepted, or the
    service refuses the poll.
    """
    failures = 0
    while True:
        try:
            change = yield from _interruptible(calls.get_status_change(sender))
        except TooEagerPollingError as error:
            pause = max(error.seconds_until_next_poll, _SHORTEST_WAIT)
        except (NoAnswerError, UnexpectedResponseError) as error:
            if _is_permanent(error):
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
    """Have a change handled and confirm it; return how long to wait afterwards (seconds), and whether it failed."""
    if change.message is None:
        return max(change.seconds_until_next_poll, _SHORTEST_WAIT), False
    if not (yield Handle(change)):
        return backoff(failures), True
    try:
        yield from calls.confirm(change.confirmation_reference)
    except (NoAnswerError, UnexpectedResponseError) as error:
        logger.warning(
            "The change of job %s was handled but not confirmed; it will be delivered again: %s",
            change.signature_job_id,
            error,
        )
        return backoff(failures), True
    return 0, False


def _interruptible(operation: Operation[T]) -> Generator[Request | Pause, Any, T]:
    """Yield the operation's steps, with a `Pause` for each `Wait`, so that the loop may be left there."""
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


def _is_permanent(error: NoAnswerError | UnexpectedResponseError) -> bool:
    if isinstance(error, NoAnswerError):
        return isinstance(error, (UntrustedServerError, ClientCertificateError))
    return 400 <= error.status < 500 and not (error.status in PASSING or isinstance(error, RateLimitedError))


def handle(
    http: httpx.Client, loop: Loop[Changed], handler: Callable[[Changed], object], stop: threading.Event | None
) -> None:
    """Drive the loop until the event or a signal stops it."""
    check_plain(handler, "The handler")
    stop, signalled = stop or threading.Event(), list[bool]()
    check_kind("stop", stop, threading.Event, write="a threading.Event")
    with _signals.calling(lambda: signalled.append(True)), closing(loop):
        step: Step[Changed] = Pause(0)
        while True:
            match step:
                case Handle(change):
                    step = loop.send(_succeeds(handler, change))
                case Pause(seconds):
                    if _stopped_within(stop, signalled, seconds):
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
    """Drive the loop until the event or a signal stops it."""
    import asyncio

    check_callable(handler, "The handler")
    stop = stop or asyncio.Event()
    check_kind("stop", stop, asyncio.Event, write="an asyncio.Event")
    running = asyncio.get_running_loop()
    with _signals.calling(lambda: running.call_soon_threadsafe(stop.set)), closing(loop):
        step: Step[Changed] = Pause(0)
        while True:
            match step:
                case Handle(change):
                    step = loop.send(await _succeeds_async(handler, change))
                case Pause(seconds):
                    if await _stopped_within_async(stop, seconds):
                        return
                    step = next(loop)
                case _:
                    step = resume(loop, await do_async(http, step))


def _succeeds(handler: Callable[[Changed], object], change: Changed) -> bool:
    try:
        result = handler(change)
    except Exception:  # the loop goes on, whatever the program's handler raises
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
    except Exception:  # the loop goes on, whatever the program's handler raises
        logger.exception(_FAILED, change.signature_job_id)
        return False
    raise InvalidInput("The handler returned nothing to await: make it an `async def`, or give it to a PortalClient.")


_FAILED = "The change of job %s was not handled and is not confirmed; it will be delivered again"


def _stopped_within(stop: threading.Event, signalled: list[bool], seconds: float) -> bool:
    """Wait for the event or a signal, so many seconds at most; return whether it came."""
    until = time.monotonic() + seconds
    while not (signalled or stop.is_set()):
        left = until - time.monotonic()
        if left <= 0:
            return False
        stop.wait(min(left, _LOOK_FOR_SIGNALS))
    return True


async def _stopped_within_async(event: "asyncio.Event", seconds: float) -> bool:
    """Wait for the event, so many seconds at most; return whether it came."""
    import asyncio

    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


class _Signals:
    """SIGINT and SIGTERM for all loops of the process: the first one stops them, the next does what it did before."""

    def __init__(self) -> None:
        self._stops: list[Callable[[], object]] = []
        self._before: dict[int, Any] = {}

    @contextmanager
    def calling(self, stop: Callable[[], object]) -> Iterator[None]:
        """In the block, a signal calls `stop`.

        Only the main thread receives signals; in others this does nothing.
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
            if signal.getsignal(number) != self._received:
                self._before[number] = signal.signal(number, self._received)

    def _restore(self) -> None:
        import signal

        for number, handler in self._before.items():
            if signal.getsignal(number) == self._received:
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _received(self, number: int, frame: FrameType | None) -> None:
        """Nothing here may take a lock: the interrupted code may hold it."""
        import signal

        self._restore()
        for stop in self._stops:
            stop()
        theirs = self._before[number]
        if number == signal.SIGTERM and callable(theirs):  # SIGINT's would interrupt the change that is being handled
            theirs(number, frame)  # for instance of a server in the same program, which has to stop too


_signals = _Signals()
