"""What requests compete for, in shares, so that no caller takes it from all others: room for bodies, and places.

A caller is named by a string: an organization, a session, an address. Both are for one event loop.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from segl.service.http.asgi import Receive

LARGE_AT_ONCE, LARGE_OF_A_CALLER = 2, 1
"""How many requests with large bodies are processed at once; others wait on disk and take no memory."""

WAITING_OF_A_CALLER = 32
WAITING = 256
LONGEST_WAIT_SECONDS = 20
"""How long a request waits for a place: shorter than clients wait for an answer."""


class NoRoomError(Exception):
    """The caller has its whole share already."""


class NoPlaceError(Exception):
    """Too many requests wait for a place, or this one has waited too long."""


class ClientLeftError(Exception):
    """The client disconnected before its request began."""


class Room:
    """At most so many bytes of unfinished and stored request bodies of each caller."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken_by(self, caller: str) -> Iterator[Callable[[int], None]]:
        """Yield a function that says how many bytes a body takes now; they are free again after the block.

        It raises `NoRoomError` if that is more than is left.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if size > mine and self._taken[caller] + size - mine > self._most:
                raise NoRoomError
            self._taken[caller] += size - mine
            mine = size

        try:
            yield take
        finally:
            take(0)
            if not self._taken[caller]:
                del self._taken[caller]


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """A request that waits for a place until it is decided whether it begins."""

    caller: str
    is_large: bool
    begins: asyncio.Future[bool]


@dataclass(slots=True)
class _Used:
    """How many of `most` are in use; one caller has at most `share` of them."""

    most: int
    share: int
    by: Counter[str] = field(default_factory=Counter)

    def has_one_for(self, caller: str) -> bool:
        return self.by.total() < self.most and self.by[caller] < self.share

    def change(self, caller: str, by: int) -> None:
        self.by[caller] += by
        if not self.by[caller]:
            del self.by[caller]


class Places:
    """Places for requests that may take seconds, which wait for one without a thread.

    A caller has at most `share` of them, and those who wait get turns in rotation, one request of each at a time. Of
    requests with large bodies there are also at most `LARGE_AT_ONCE`, and `LARGE_OF_A_CALLER`.
    """

    def __init__(self, places: int, share: int) -> None:
        self._places, self._large = _Used(places, share), _Used(LARGE_AT_ONCE, LARGE_OF_A_CALLER)
        self._waiting: dict[str, deque[_Turn]] = {}  # in the order of the rotation

    @asynccontextmanager
    async def place_for(self, caller: str, receive: Receive, *, is_large: bool) -> AsyncIterator[None]:
        """Wait for a place, and keep it for the block; `receive` says whether the client has left.

        Raises:
            NoPlaceError, ClientLeftError: The request did not begin.
        """
        turn = _Turn(caller, is_large, asyncio.get_running_loop().create_future())
        self._enqueue(turn)
        try:
            if not turn.begins.done():
                await _decided(turn, receive)
            if not (turn.begins.done() and turn.begins.result()):
                raise NoPlaceError
            yield
        finally:
            self._leave(turn)

    def _enqueue(self, turn: _Turn) -> None:
        """Give the request a place or let it wait; if too many wait, refuse the last one of the longest queue."""
        self._waiting.setdefault(turn.caller, deque()).append(turn)
        self._fill()
        longest = max(self._waiting.values(), key=len, default=deque[_Turn]())
        if len(longest) > WAITING_OF_A_CALLER or sum(map(len, self._waiting.values())) > WAITING:
            refused = longest[-1]
            self._dequeue(refused)
            refused.begins.set_result(False)

    def _leave(self, turn: _Turn) -> None:
        if not turn.begins.done():
            self._dequeue(turn)
        elif turn.begins.result():
            self._count(turn, -1)
        self._fill()

    def _fill(self) -> None:
        """Give places to those whose turn it is."""
        while turn := next(filter(self._may_begin, [each[0] for each in self._waiting.values()]), None):
            self._dequeue(turn)
            if more := self._waiting.pop(turn.caller, None):
                self._waiting[turn.caller] = more  # after all others
            self._count(turn, +1)
            turn.begins.set_result(True)

    def _may_begin(self, turn: _Turn) -> bool:
        return self._places.has_one_for(turn.caller) and (not turn.is_large or self._large.has_one_for(turn.caller))

    def _dequeue(self, turn: _Turn) -> None:
        self._waiting[turn.caller].remove(turn)
        if not self._waiting[turn.caller]:
            del self._waiting[turn.caller]

    def _count(self, turn: _Turn, by: int) -> None:
        self._places.change(turn.caller, by)
        if turn.is_large:
            self._large.change(turn.caller, by)


async def _decided(turn: _Turn, receive: Receive) -> None:
    leaving = asyncio.ensure_future(receive())
    try:
        either: set[asyncio.Future[Any]] = {turn.begins, leaving}
        done, _ = await asyncio.wait(either, timeout=LONGEST_WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
    if leaving in done:
        raise ClientLeftError
