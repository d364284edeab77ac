"""What a request holds from when its body is there until it is answered, such as the key that its repeats wait for.

No request waits for it with a place or a thread.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from segl.service.http.asgi import Answer, Receive, Scope
from segl.service.http.shares import ClientLeftError
from segl.service.http.wsgi import Threads

ASKED_EVERY_SECONDS = 1
LONGEST_WAIT_SECONDS = 20
"""How long a request waits for what another one holds; it may have to wait for a place too."""
KEPT_EVERY_SECONDS = 10
"""A third of the lease (`segl.service.due.LEASE`): two failures lose nothing."""


class Held(Protocol):
    """What a request holds; both are called in a thread and raise nothing."""

    def keep(self) -> None:
        """Hold it for longer; called every `KEPT_EVERY_SECONDS`."""
        ...

    def release(self) -> None:
        """Hold it no longer."""
        ...


Arrival = Callable[[Scope], Held | Answer | None]
"""Called in a thread when a long request's body is there. Returns what it holds, if anything, or a refusal.

It raises `HeldByAnotherError` if the request has to wait, and is called again.
"""


class HeldByAnotherError(Exception):
    """Another request holds what this one needs."""


class RefusedOnArrivalError(Exception):
    """The request is refused with this `answer`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


@asynccontextmanager
async def held(arrival: Arrival, scope: Scope, receive: Receive, threads: Threads) -> AsyncIterator[None]:
    """Hold what the request needs during the block; `receive` says whether the client has left.

    Raises:
        HeldByAnotherError: Another request held it for too long.
        RefusedOnArrivalError, ClientLeftError: The request did not begin.
    """
    found = await _arrived(arrival, scope, receive, threads)
    if found is None:
        yield
        return
    over = asyncio.Event()
    keeping = asyncio.create_task(_keep(found, over, threads))
    try:
        yield
    finally:
        over.set()
        await keeping
        await threads.run(found.release)


async def _arrived(arrival: Arrival, scope: Scope, receive: Receive, threads: Threads) -> Held | None:
    loop = asyncio.get_running_loop()
    until = loop.time() + LONGEST_WAIT_SECONDS
    leaving = asyncio.ensure_future(receive())
    try:
        while True:
            try:
                found = await threads.run(arrival, scope)
            except HeldByAnotherError:
                if loop.time() >= until:
                    raise
                await asyncio.wait({leaving}, timeout=ASKED_EVERY_SECONDS)
                if leaving.done():
                    raise ClientLeftError from None
            else:
                break
    finally:
        leaving.cancel()
    if isinstance(found, Answer):
        raise RefusedOnArrivalError(found)
    return found


async def _keep(held: Held, over: asyncio.Event, threads: Threads) -> None:
    while not over.is_set():
        try:
            async with asyncio.timeout(KEPT_EVERY_SECONDS):
                await over.wait()
        except TimeoutError:
            await threads.run(held.keep)
