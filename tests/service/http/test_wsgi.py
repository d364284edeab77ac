"""The way of a request into a thread, and of its response back, as a WSGI application and an ASGI server see it."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from io import BytesIO
from typing import Any

import pytest

from segl.service.http.wsgi import AT_ONCE_BYTES, Threads, environ

SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1", "headers": []}
KNOWN: ContextVar[str] = ContextVar("known", default="")


class Client:
    """Collects what is sent; leaves, if it is to, once it has this many bytes of the body."""

    def __init__(self, leaves_after: float = float("inf")) -> None:
        self.messages: list[dict[str, Any]] = []
        self.leaves_after = leaves_after
        self.left = asyncio.Event()

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.messages)

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if len(self.body) >= self.leaves_after:
            self.left.set()
        await asyncio.sleep(0)  # as a server that waits for the client


class Pieces:
    """A response's body, which knows in which threads it was read and closed."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.threads: list[str] = []

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.threads.append(threading.current_thread().name)
            yield piece

    def close(self) -> None:
        self.threads.append(f"closed in {threading.current_thread().name}")


def answered(application: Callable[..., Iterable[bytes]], client: Client, **scope: Any) -> Client:
    async def answer() -> None:
        threads = Threads(application, 1)
        try:
            await threads.answer({**SCOPE, **scope}, BytesIO(), client.receive, client.send)
        finally:
            await threads.run(lambda: None)  # the only thread has done all that it was given, such as closing a body

    asyncio.run(answer())
    return client


def responding(body: Iterable[bytes]) -> Callable[..., Iterable[bytes]]:
    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("201 Created", [("Content-Type", "a/b")])
        return body

    return application


def test_a_small_response_is_one_message_for_head_and_body() -> None:
    client = answered(responding([b"a", b"", b"b" * (AT_ONCE_BYTES - 1)]), Client())
    head, body = client.messages
    assert head == {"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"a/b")]}
    assert (body["body"], body["more_body"]) == (b"a" + b"b" * (AT_ONCE_BYTES - 1), False)


@pytest.mark.parametrize("sizes", [[1_000_000], [100_000] * 10, [1] * 100_000, [0], []])
def test_a_response_of_any_size_arrives_whole_and_in_pieces(sizes: list[int]) -> None:
    body = Pieces(bytes([number % 256]) * size for number, size in enumerate(sizes))
    client = answered(responding(body), Client())
    assert client.body == b"".join(bytes([number % 256]) * size for number, size in enumerate(sizes))
    assert max(len(each.get("body", b"")) for each in client.messages) <= AT_ONCE_BYTES
    assert [each["more_body"] for each in client.messages[1:]] == [*[True] * (len(client.messages) - 2), False]
    assert {*body.threads} - {"WSGI_0"} == {"closed in WSGI_0"}


def test_a_response_stops_when_its_client_leaves() -> None:
    body = Pieces(bytes(AT_ONCE_BYTES) for _ in range(1000))
    client = answered(responding(body), Client(leaves_after=1_000_000))
    assert len(client.body) < 2_000_000
    assert len(body.threads) < 50
    assert body.threads[-1] == "closed in WSGI_0"


@pytest.mark.parametrize("before", [b"", bytes(2 * AT_ONCE_BYTES)])
def test_a_body_that_fails_is_closed_and_its_error_raised(before: bytes) -> None:
    def failing() -> Iterator[bytes]:
        yield before
        raise ZeroDivisionError

    body, client = Pieces(failing()), Client()
    with pytest.raises(ZeroDivisionError):
        answered(responding(body), client)
    assert body.threads[-1] == "closed in WSGI_0"
    assert client.body == before


def test_what_is_written_is_part_of_the_body() -> None:
    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"written, ")
        return [b"returned"]

    assert answered(application, Client()).body == b"written, returned"


def failing_late(before: bytes) -> Callable[..., Iterable[bytes]]:
    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield before
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Internal Server Error", [], sys.exc_info())
        yield b"It failed."

    return application


def test_an_error_takes_the_place_of_what_was_not_sent() -> None:
    client = answered(failing_late(b"all is well"), Client())
    assert (client.messages[0]["status"], client.body) == (500, b"It failed.")
    with pytest.raises(ZeroDivisionError):
        answered(failing_late(bytes(AT_ONCE_BYTES + 1)), Client())


def test_an_application_that_starts_no_response_or_two_has_an_error() -> None:
    with pytest.raises(RuntimeError, match="did not call start_response"):
        answered(lambda *_: [], Client())

    def twice(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    with pytest.raises(RuntimeError, match="twice"):
        answered(twice, Client())


def test_a_thread_stops_when_the_server_gives_the_request_up() -> None:
    entered, resumed = threading.Event(), threading.Event()

    def waiting() -> Iterator[bytes]:
        entered.set()
        resumed.wait()
        yield bytes(AT_ONCE_BYTES + 1)
        yield b"never read"

    body = Pieces(waiting())

    async def give_up() -> None:
        client = Client()
        threads = Threads(responding(body), 1)
        request = asyncio.ensure_future(threads.answer(SCOPE, BytesIO(), client.receive, client.send))
        await asyncio.to_thread(entered.wait)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        resumed.set()
        await threads.run(lambda: None)  # after the response, in the only thread
        assert client.messages == []

    asyncio.run(give_up())
    assert body.threads == ["WSGI_0", "closed in WSGI_0"]


def test_a_client_that_is_slow_to_take_a_response_keeps_no_thread() -> None:
    class Slow(Client):
        def __init__(self) -> None:
            super().__init__()
            self.taking, self.goes_on = asyncio.Event(), asyncio.Event()

        async def send(self, message: dict[str, Any]) -> None:
            await super().send(message)
            if message["type"] == "http.response.body":
                self.taking.set()
                await self.goes_on.wait()

    async def answer() -> bytes:
        client = Slow()
        threads = Threads(responding(bytes(AT_ONCE_BYTES + 1) for _ in range(3)), 1)
        request = asyncio.ensure_future(threads.answer(SCOPE, BytesIO(), client.receive, client.send))
        await client.taking.wait()
        await threads.run(lambda: None)  # in the only thread
        client.goes_on.set()
        await request
        return client.body

    assert asyncio.run(answer()) == bytes(3 * (AT_ONCE_BYTES + 1))


def test_a_thread_has_the_context_of_its_request() -> None:
    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield KNOWN.get().encode()

    async def answer() -> bytes:
        KNOWN.set("known")
        client = Client()
        await Threads(application, 1).answer(SCOPE, BytesIO(), client.receive, client.send)
        return client.body

    assert asyncio.run(answer()) == b"known"


def test_the_environment_is_that_of_pep_3333() -> None:
    headers = [
        (b"host", b"segl"),
        (b"content-type", b"a/b"),
        (b"content-length", b"2"),
        (b"x-twice", b"1"),
        (b"x-twice", "ø".encode("latin-1")),
    ]
    scope = SCOPE | {
        "path": "/æ",
        "query_string": b"a=%20",
        "headers": headers,
        "scheme": "https",
        "server": ("::1", 8443),
        "client": ("10.0.0.1", 4711),
    }
    body = BytesIO(b"ab")
    made = environ(scope, body)
    assert (
        made.items()
        >= {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/Ã¦",
            "QUERY_STRING": "a=%20",
            "SERVER_NAME": "::1",
            "SERVER_PORT": "8443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "10.0.0.1",
            "HTTP_HOST": "segl",
            "CONTENT_TYPE": "a/b",
            "CONTENT_LENGTH": "2",
            "HTTP_X_TWICE": "1,ø",
            "wsgi.url_scheme": "https",
            "wsgi.version": (1, 0),
        }.items()
    )
    assert (made["asgi.scope"], made["wsgi.input"]) == (scope, body)


def test_a_header_is_known_by_its_own_name_and_cookies_are_one_list() -> None:
    headers = [
        (b"content-type", b"a/b"),
        (b"content_type", b"c/d; charset*=x''y"),
        (b"content_length", b"5"),
        (b"x_one", b"1"),
        (b"cookie", b"a=1; b=2"),
        (b"cookie", b"c=3"),
    ]
    made = environ(SCOPE | {"headers": headers}, BytesIO())
    assert {name: value for name, value in made.items() if name.startswith(("HTTP_", "CONTENT_"))} == {
        "CONTENT_TYPE": "a/b",
        "HTTP_COOKIE": "a=1; b=2; c=3",
    }
