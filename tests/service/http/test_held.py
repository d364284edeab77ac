"""What a request holds from when its body is there until it is answered, and how others wait for it."""

import asyncio
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import pytest

from segl.service.http import held, shares
from segl.service.http.asgi import Answer, Scope, plain
from segl.service.http.bodies import WholeBodies
from segl.service.http.held import HeldByAnotherError
from service.http.test_bodies import Client, answered, done


class Key:
    """What one request at a time can hold; `events` are what happened to it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.asked = threading.Event()
        self.kept = threading.Event()
        self._holder: bytes | None = None

    def arrive(self, scope: Scope) -> "Key | Answer | None":
        content = bytes(scope["segl.body"])
        if content == b"refuse":
            return plain(HTTPStatus.UNPROCESSABLE_ENTITY, "refused")
        if content == b"nothing":
            return None
        if self._holder:
            self.asked.set()
            raise HeldByAnotherError
        self._holder = content
        self.events.append(f"held for {content.decode()}")
        return self

    def keep(self) -> None:
        self.events.append("kept")
        self.kept.set()

    def release(self) -> None:
        assert self._holder
        self.events.append(f"released by {self._holder.decode()}")
        self._holder = None


class Service:
    """A listener with one place, whose application answers when it is told to."""

    def __init__(self) -> None:
        self.key = Key()
        self.goes_on = threading.Event()
        self.begun = threading.Event()
        self.listener = WholeBodies(
            self._work, name="api", threads=4, places=1, share=1, arrival=self.key.arrive, long_of=lambda _: "a"
        )

    def _work(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.key.events.append(f"begun {environ['asgi.scope']['segl.body'].tobytes().decode()}")
        self.begun.set()
        self.goes_on.wait(60)
        return done(environ, start_response)

    def request(self, content: bytes) -> "tuple[Client, asyncio.Task[Any]]":
        client = Client()
        client.send(content, more=False)
        return client, asyncio.create_task(answered(self.listener, client.receive))


async def until(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0)


def test_a_request_waits_until_another_has_been_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "ASKED_EVERY_SECONDS", 0)

    async def run() -> None:
        service = Service()
        _, first = service.request(b"one")
        await until(service.begun)
        _, repeat = service.request(b"two")
        await until(service.key.asked)
        service.goes_on.set()
        assert [(await each)[0] for each in (first, repeat)] == [200, 200]
        assert service.key.events == [
            *("held for one", "begun one", "released by one"),
            *("held for two", "begun two", "released by two"),
        ]

    asyncio.run(run())


def test_who_waits_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "ASKED_EVERY_SECONDS", 0)
    monkeypatch.setattr(shares, "LONGEST_WAIT_SECONDS", 0)

    async def run() -> None:
        service = Service()
        service.key.arrive({"segl.body": b"elsewhere"})
        client, waiting = service.request(b"one")
        await until(service.key.asked)
        service.goes_on.set()
        assert (await service.request(b"nothing")[1])[0] == 200
        client.leave()
        assert await waiting is None

    asyncio.run(run())


def test_a_request_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "LONGEST_WAIT_SECONDS", 0)

    async def run() -> None:
        service = Service()
        service.key.arrive({"segl.body": b"elsewhere"})
        status, headers, content = await service.request(b"one")[1]
        assert (status, headers[b"retry-after"]) == (503, b"10")
        assert content == b"The same request came before and is still being handled: send it again later."

    asyncio.run(run())


def test_what_is_held_is_kept_while_the_request_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "KEPT_EVERY_SECONDS", 0)

    async def run() -> None:
        service = Service()
        _, request = service.request(b"one")
        await until(service.key.kept)
        service.goes_on.set()
        assert (await request)[0] == 200
        assert service.key.events[-1] == "released by one"

    asyncio.run(run())


def test_a_request_that_gets_no_place_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "LONGEST_WAIT_SECONDS", 0)

    async def run() -> None:
        service = Service()
        async with service.listener._places.place_for("a", Client().receive, is_large=False):
            assert (await service.request(b"one")[1])[0] == 503
        assert service.key.events == ["held for one", "released by one"]

    asyncio.run(run())


def test_a_request_that_is_refused_on_arrival_does_not_begin() -> None:
    async def run() -> None:
        service = Service()
        assert (await service.request(b"refuse")[1])[::2] == (422, b"refused")
        assert service.key.events == []

    asyncio.run(run())
