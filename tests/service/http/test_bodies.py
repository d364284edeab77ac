"""Bodies that cannot be stored, that come too slowly or are too many; long requests of many callers."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import IO, Any

import pytest

from segl.service.http import bodies, shares
from segl.service.http.bodies import MEMORY_BYTES, BodyLimits, WholeBodies

SCOPE = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "http_version": "1.1", "headers": []}
CHUNKED = [(b"transfer-encoding", b"chunked")]
Messages = list[dict[str, Any]]


def done(_: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"done"]


async def answered(application: WholeBodies, receive: Callable[[], Awaitable[dict[str, Any]]], **scope: Any) -> Any:
    """The response's status, headers and body; None if there is none."""
    sent: Messages = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application({**SCOPE, **scope}, receive, send)
    if not sent:
        return None
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(each["body"] for each in sent[1:])


def chunked_from(address: str) -> dict[str, Any]:
    return {"headers": CHUNKED, "client": (address, 1)}


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def full_disk(**_: Any) -> IO[bytes]:
    return Path("/dev/full").open("w+b")


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_body_that_finds_no_room_may_be_sent_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    monkeypatch.setattr(bodies, "SpooledTemporaryFile", full_disk)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(size), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    application = WholeBodies(lambda *_: [], name="api", threads=4, places=1, share=1)
    asyncio.run(application({"type": "http", "headers": []}, receive, send))
    start, *rest = sent
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"10")
    assert b"".join(each["body"] for each in rest) == b"The service cannot store the request now: send it again later."
    assert "No space left on device" in caplog.text


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time is what a test says."""

    now = 0.0

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("piece", "seconds", "pieces", "status"),
    [
        (1, 2, 29, 200),
        (1, 2, 500, 408),  # it could be held for ever
        (50_000, 1, 300, 200),
        (40_000, 1, 300, 200),
        (40_000, 1, 310, 408),
    ],
)
def test_a_whole_body_has_a_time_limit_by_its_length(piece: int, seconds: int, pieces: int, status: int) -> None:
    left, loop = pieces, Clock()

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        loop.now += seconds
        return {"type": "http.request", "body": bytes(piece), "more_body": left > 0}

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        application = WholeBodies(done, name="pages", threads=4, places=1, share=1)
        found, headers, content = runner.run(answered(application, receive, headers=CHUNKED))
    assert found == status
    if status == 408:
        assert headers[b"connection"] == b"close"
        assert content.endswith(b"bytes of the request body have arrived: send it faster.")


class Client:
    """A client whose messages a test sends."""

    def __init__(self, *pieces: bytes) -> None:
        self._messages = asyncio.Queue[dict[str, Any]]()
        for each in pieces:
            self.send(each, more=True)

    async def receive(self) -> dict[str, Any]:
        return await self._messages.get()

    def send(self, piece: bytes, *, more: bool) -> None:
        self._messages.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})


def test_an_address_has_room_for_few_bodies_that_are_arriving() -> None:
    async def run() -> None:
        limits = BodyLimits(of_a_caller=3 * bodies.MEMORY_BYTES)
        application = WholeBodies(done, name="pages", threads=4, places=1, share=1, limits=limits)
        clients = [Client(b"a") for _ in range(3)]
        arriving = [asyncio.create_task(answered(application, each.receive, **chunked_from("a"))) for each in clients]
        await settled()
        another = Client(b"a")
        another.send(b"b", more=False)
        status, headers, content = await answered(application, another.receive, **chunked_from("a"))
        assert (status, headers[b"retry-after"]) == (503, b"10")
        assert b"send fewer at a time, and this one again later" in content
        for address in ("b", "a"):
            another = Client(b"a")
            another.send(b"b", more=False)
            assert (await answered(application, another.receive, **chunked_from(address)))[0] == 200
            clients[0].leave()
            clients[1].send(b"b", more=False)
            assert [await arriving[0], (await arriving[1])[0]] == [None, 200]
        clients[2].leave()
        await arriving[2]

    asyncio.run(run())


def test_stored_bodies_take_room_until_they_are_answered() -> None:
    begun, ended = threading.Event(), threading.Event()

    def waiting(_: Any, start_response: Any) -> Iterable[bytes]:
        begun.set()
        ended.wait()
        return done(_, start_response)

    async def run() -> None:
        application = WholeBodies(
            waiting, name="api", threads=4, places=1, share=1, limits=BodyLimits(of_a_caller=1_000_000)
        )
        sending = Client()
        sending.send(bytes(600_000), more=False)
        working = asyncio.create_task(answered(application, sending.receive, **chunked_from("a")))
        await asyncio.to_thread(begun.wait)
        declared = {"headers": [(b"content-length", b"600000")], "client": ("a", 1)}
        refused = Client(bytes(100))
        refused.send(bytes(599_900), more=False)
        assert (await answered(application, refused.receive, **declared))[0] == 503
        ended.set()
        assert (await working)[0] == 200
        accepted = Client(bytes(100))
        accepted.send(bytes(599_900), more=False)
        assert (await answered(application, accepted.receive, **declared))[0] == 200

    asyncio.run(run())


class Working:
    """An application that works on each request until it is told to end, and listeners' view of it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended = threading.Event()
        self.listener = WholeBodies(
            self._work, name="api", threads=8, places=5, share=2, long_of=lambda scope: scope["path"][:2]
        )

    def _work(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.begun.append(environ["PATH_INFO"])
        self.ended.wait()
        return done(environ, start_response)

    def request(self, path: str) -> "tuple[Client, asyncio.Task[Any]]":
        client = Client()
        client.send(b"", more=False)
        return client, asyncio.create_task(answered(self.listener, client.receive, path=path))


def test_one_caller_leaves_places_and_threads_to_others() -> None:
    async def run() -> None:
        working = Working()
        requests = [working.request(f"/{caller}/{number}") for caller in "abc" for number in range(25)]
        await settled()
        while len(working.begun) < 5:
            await asyncio.sleep(0)
        assert sorted(each[:2] for each in working.begun) == ["/a", "/a", "/b", "/b", "/c"]
        for client, _ in requests:  # who waits is dropped; what has begun is finished
            client.leave()
        await settled()
        working.ended.set()
        answers = await asyncio.gather(*(task for _, task in requests))
        assert len(working.begun) == len([each for each in answers if each]) == 5

    asyncio.run(run())


def test_a_long_request_is_admitted_before_it_takes_a_place() -> None:
    def admission(scope: Any) -> None:
        scope["who"] = "known"

    seen = []

    def long_of(scope: Any) -> str | None:
        seen.append(scope.get("who"))
        return "caller"

    async def run() -> None:
        client = Client()
        client.send(b"all", more=False)
        application = WholeBodies(done, name="api", threads=4, places=1, share=1, admission=admission, long_of=long_of)
        assert (await answered(application, client.receive))[0] == 200

    asyncio.run(run())
    assert seen[-1] == "known"


def test_a_request_that_gets_no_place_is_over_with_its_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its body was received; who waits for more of it holds up the next request on the connection."""
    monkeypatch.setattr(shares, "LONGEST_WAIT_SECONDS", 0)

    async def run() -> None:
        application = WholeBodies(done, name="api", threads=1, places=1, share=1, long_of=lambda scope: "a")
        client, asked = Client(), 0
        client.send(b"all", more=False)

        async def receive() -> dict[str, Any]:
            nonlocal asked
            asked += asyncio.current_task() is request
            if asked > 1:
                client.leave()  # instead of a wait
            return await client.receive()

        async with application._places.place_for("a", Client().receive, is_large=False):
            request = asyncio.create_task(answered(application, receive))
            assert (await request)[0] == 503
        assert asked == 1

    asyncio.run(run())


@pytest.mark.parametrize(("pieces", "others"), [([bytes(MEMORY_BYTES)] * 9, 200), ([bytes(1_000_000)], 503)])
def test_a_place_is_free_while_the_client_takes_a_response_that_is_not_in_memory(
    pieces: list[bytes], others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "LONGEST_WAIT_SECONDS", 0)

    def responding(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return iter(pieces)

    async def run() -> None:
        application = WholeBodies(responding, name="pages", threads=1, places=1, share=1, long_of=lambda scope: "a")
        clients = [Client() for _ in range(2)]
        taking, goes_on = asyncio.Event(), asyncio.Event()

        async def slowly(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                taking.set()
                await goes_on.wait()

        for each in clients:
            each.send(b"", more=False)
        slow = asyncio.create_task(application({**SCOPE}, clients[0].receive, slowly))
        await taking.wait()
        assert (await answered(application, clients[1].receive))[0] == others
        goes_on.set()
        await slow

    asyncio.run(run())
