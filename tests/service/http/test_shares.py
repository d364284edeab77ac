"""Who gets a place, who waits, who is refused; and how much room a caller's bodies have."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from segl.service.http import shares
from segl.service.http.shares import ClientLeftError, NoPlaceError, NoRoomError, Places, Room

HEAVY, OTHER, THIRD = "heavy", "other", "third"


async def nothing() -> dict[str, Any]:
    """What arrives from a client that waits."""
    await asyncio.Event().wait()
    return {}


async def farewell() -> dict[str, Any]:
    return {"type": "http.disconnect"}


class Requests:
    """Requests that keep their places until they are told to end."""

    def __init__(self, places: int, share: int = 1) -> None:
        self.places = Places(places, share)
        self.begun: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def come(self, *names: str, is_large: bool = False, receive: Callable[[], Any] = nothing) -> None:
        """Requests of these names, each of the caller before the hyphen."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._work(name, receive, is_large))
        await settled()

    async def _work(self, name: str, receive: Callable[[], Any], is_large: bool) -> None:
        async with self.places.place_for(name.partition("-")[0], receive, is_large=is_large):
            self.begun.append(name)
            await self.ends[name].wait()

    async def end(self, *names: str) -> list[str]:
        """End these, and return those that began because of it."""
        before = len(self.begun)
        for name in names:
            self.ends[name].set()
            await self.tasks[name]
        await settled()
        return self.begun[before:]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        async def running() -> None:
            await test()
            for each in asyncio.all_tasks() - {asyncio.current_task()}:
                each.cancel()

        asyncio.run(running())

    run.__doc__ = test.__doc__
    return run


def several(caller: str, number: int) -> list[str]:
    return [f"{caller}-{each}" for each in range(number)]


@in_loop
async def test_one_caller_takes_its_share_of_the_places_and_never_more() -> None:
    requests = Requests(5, share=2)
    await requests.come(*several(HEAVY, 25))
    assert requests.begun == several(HEAVY, 2)
    await requests.come(*several(OTHER, 2), f"{THIRD}-0")
    assert requests.begun[2:] == [*several(OTHER, 2), f"{THIRD}-0"]
    assert await requests.end(f"{THIRD}-0") == []


@in_loop
async def test_those_who_wait_get_turns_in_rotation() -> None:
    requests = Requests(1)
    await requests.come(*several(HEAVY, 4))
    await requests.come(*several(OTHER, 2), f"{THIRD}-0")
    order = ["heavy-0"]
    while begun := await requests.end(order[-1]):
        order += begun
    assert order == ["heavy-0", "heavy-1", "other-0", "third-0", "heavy-2", "other-1", "heavy-3"]


@in_loop
async def test_of_the_large_ones_a_caller_has_one_at_a_time() -> None:
    requests = Requests(5, share=2)
    await requests.come(*several(HEAVY, 3), is_large=True)
    await requests.come(f"{OTHER}-0", f"{THIRD}-0", is_large=True)
    await requests.come(f"{OTHER}-1")
    assert requests.begun == ["heavy-0", "other-0", "other-1"]
    assert await requests.end("heavy-0") == ["heavy-1"]
    assert await requests.end("heavy-1") == ["third-0"]


@in_loop
async def test_a_client_that_leaves_while_it_waits_is_passed_over() -> None:
    requests = Requests(1)
    await requests.come(f"{HEAVY}-0")
    await requests.come(f"{OTHER}-0", receive=farewell)
    await requests.come(f"{THIRD}-0")
    with pytest.raises(ClientLeftError):
        await requests.tasks["other-0"]
    assert await requests.end("heavy-0") == ["third-0"]


def test_who_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "LONGEST_WAIT_SECONDS", 0)

    async def wait() -> None:
        requests = Requests(1)
        await requests.come(f"{HEAVY}-0", f"{OTHER}-0")
        with pytest.raises(NoPlaceError):
            await requests.tasks["other-0"]
        assert await requests.end("heavy-0") == []

    in_loop(wait)()


def test_the_queue_of_a_caller_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "WAITING_OF_A_CALLER", 3)

    async def wait() -> None:
        requests = Requests(2)
        await requests.come(*several(HEAVY, 5), f"{OTHER}-0")
        assert requests.begun == ["heavy-0", "other-0"]
        with pytest.raises(NoPlaceError):
            await requests.tasks["heavy-4"]
        assert await requests.end("heavy-0") == ["heavy-1"]

    in_loop(wait)()


def test_of_too_many_who_wait_the_last_one_of_the_longest_queue_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "WAITING", 3)

    async def wait() -> None:
        requests = Requests(1)
        await requests.come(*several(HEAVY, 4), f"{OTHER}-0")
        with pytest.raises(NoPlaceError):
            await requests.tasks["heavy-3"]
        assert await requests.end("heavy-0") == ["heavy-1"]
        assert await requests.end("heavy-1") == ["other-0"]

    in_loop(wait)()


@in_loop
async def test_a_place_is_free_again_when_its_request_fails_or_is_given_up() -> None:
    requests = Requests(1)
    await requests.come(*several(HEAVY, 3))
    requests.tasks["heavy-1"].cancel()
    requests.tasks["heavy-0"].cancel()
    await settled()
    assert requests.begun == ["heavy-0", "heavy-2"]


def test_a_callers_bodies_have_room_together() -> None:
    room = Room(100)
    with room.taken_by(HEAVY) as first, room.taken_by(HEAVY) as second, room.taken_by(OTHER) as others:
        first(60)
        second(40)
        others(100)
        with pytest.raises(NoRoomError):
            second(41)
        first(10)
        second(90)
    with room.taken_by(HEAVY) as third:
        third(100)
