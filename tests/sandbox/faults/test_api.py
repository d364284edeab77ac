"""What a fault does to a call: the service behind it is an application that notes what it was asked to do."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api_answers import assert_valid
from segl.core.protocol import ErrorMessage
from segl.sandbox.faults.api import WithFaults
from segl.sandbox.faults.pending import Fault, Faults
from segl.service import configuration

JOBS = "/api/123456789/portal/signature-jobs"
Messages = list[dict[str, Any]]


class Service:
    """Does what it is asked to and answers how often it has done it; a queue is empty for whom `is_empty` says."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.is_empty = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.done.append(f"{scope['method']} {scope['path']}")
        await send({"type": "http.response.start", "status": 204 if self.is_empty else 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(self.done)).encode()})


class Connection:
    """One call over a connection that may be dropped; the body comes in two pieces."""

    def __init__(self, method: str, path: str, query: bytes = b"") -> None:
        self.scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": []}
        self.scope["segl.abort"] = self.drop
        self.to_come: Messages = [{"type": "http.request", "body": b"x", "more_body": more} for more in (True, False)]
        self.sent: Messages = []
        self.is_dropped = False

    def drop(self) -> None:
        self.is_dropped = True
        self.to_come.append({"type": "http.disconnect"})

    async def receive(self) -> dict[str, Any]:
        return self.to_come.pop(0)

    async def send(self, message: dict[str, Any]) -> None:
        assert not self.is_dropped
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(each["body"] for each in self.sent[1:])


class Api:
    """The service behind the faults."""

    def __init__(self, folder: Path) -> None:
        self.service = Service()
        self.faults = Faults(folder)
        self._application = WithFaults(self.service, self.faults)

    def ask(self, **fault: Any) -> None:
        self.faults.add(Fault.requested(fault))

    def call(self, method: str = "GET", path: str = JOBS, query: bytes = b"") -> Connection:
        connection = Connection(method, path, query)
        asyncio.run(self._application(connection.scope, connection.receive, connection.send))
        return connection


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.mark.parametrize(
    ("calls", "method", "path"),
    [
        ("create", "POST", JOBS),
        ("poll", "GET", JOBS),
        ("confirm", "POST", f"{JOBS}/17/complete"),
        ("cancel", "POST", f"{JOBS}/17/cancel"),
        ("delete", "DELETE", f"{JOBS}/17/documents"),
        ("xades", "GET", f"{JOBS}/17/xades/1"),
        ("pades", "GET", f"{JOBS}/17/pades"),
        ("poll", "GET", f"/api/{JOBS.removeprefix('/api')}"),
    ],
)
def test_each_call_is_known_by_its_name(api: Api, calls: str, method: str, path: str) -> None:
    for each in ("create", "poll", "confirm", "cancel", "delete", "xades", "pades"):
        api.ask(fault="500", calls=each)

    assert api.call(method, path).status == 500
    assert calls not in [each.calls for each in api.faults.pending()]
    assert api.call(method, path).status == 200


@pytest.mark.parametrize("path", ["/api/123456789", f"{JOBS}/17/anything"])
def test_any_call_is_every_call_of_the_sender(api: Api, path: str) -> None:
    api.ask(fault="500", organization="123456789")

    assert api.call("GET", path.replace("123456789", "310248711")).status == 200
    assert api.call("GET", path).status == 500


def test_other_requests_than_a_senders_calls_are_left_alone(api: Api) -> None:
    api.ask(fault="500")

    assert api.call("POST", "/web/portal/signature-jobs/17/devmodesign").status == 200
    assert api.call("GET", "/api/nobody").status == 200


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("500", 500, "INTERNAL_ERROR"), ("503", 503, "SERVICE_UNAVAILABLE")]
)
def test_a_failure_has_the_apis_error_document_and_nothing_is_done(
    api: Api, fault: str, status: int, code: str
) -> None:
    api.ask(fault=fault)
    answer = api.call("POST")

    assert (answer.status, answer.headers.get("retry-after")) == (status, "10" if fault == "503" else None)
    assert answer.headers["content-type"] == "application/xml"
    assert_valid(answer.body)
    message = ErrorMessage.from_xml(answer.body)
    assert (message.code, message.type) == (code, "SERVER")
    assert api.service.done == []
    assert answer.to_come == [], "the body was not received, so a client that still sends it sees a reset"


def test_a_poll_that_is_too_eager_gets_the_next_permitted_time(api: Api) -> None:
    api.ask(fault="too-eager")
    answer = api.call()

    assert answer.status == 429
    ahead = datetime.fromisoformat(answer.headers["x-next-permitted-poll-time"]) - datetime.now(UTC)
    assert timedelta() < ahead <= configuration.current().poll_interval
    assert ErrorMessage.from_xml(answer.body).code == "TOO_EAGER_POLLING"
    assert api.service.done == []


def test_a_blocked_sender_gets_neither_body_nor_poll_time(api: Api) -> None:
    api.ask(fault="rate-limited")
    answer = api.call("POST")

    assert (answer.status, answer.body) == (429, b"")
    assert "dosfilter" in answer.headers
    assert "x-next-permitted-poll-time" not in answer.headers
    assert api.service.done == []


def test_a_connection_is_dropped_before_anything_was_done(api: Api) -> None:
    api.ask(fault="drop-before")
    answer = api.call("POST")

    assert (answer.is_dropped, answer.sent, api.service.done) == (True, [], [])


def test_a_connection_is_dropped_when_everything_was_done(api: Api) -> None:
    api.ask(fault="drop-after")
    answer = api.call("POST")

    assert (answer.is_dropped, answer.sent) == (True, [])
    assert api.service.done == [f"POST {JOBS}"]


def test_a_slow_answer_is_delayed_when_the_work_is_done(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    done_when_waiting = []

    async def sleep(seconds: float) -> None:
        done_when_waiting.append((seconds, len(api.service.done)))

    monkeypatch.setattr(asyncio, "sleep", sleep)
    api.ask(fault="slow", seconds=3)

    assert api.call("POST").status == 200
    assert done_when_waiting == [(3, 1)]


def test_a_delivered_change_is_delivered_again_by_the_next_poll_of_that_queue(api: Api) -> None:
    api.ask(fault="duplicate", times=2)

    delivered = [api.call().body, api.call(query=b"polling_queue=other").body, api.call().body]
    assert delivered == [b"1", b"2", b"1"]
    assert [each.times for each in api.faults.pending()] == [1]
    assert [api.call(query=b"polling_queue=other").body, api.call().body, api.call().body] == [b"2", b"3", b"4"]


def test_an_empty_answer_is_not_repeated(api: Api) -> None:
    api.ask(fault="duplicate")
    api.service.is_empty = True
    assert [api.call().status, api.call().status] == [204, 204]

    api.service.is_empty = False
    assert [api.call().body, api.call().body] == [b"3", b"3"]


def test_a_change_delivered_before_a_duplicate_was_requested_is_not_repeated(api: Api) -> None:
    api.ask(fault="duplicate")
    assert api.call().body == b"1"
    api.faults.take_back()
    api.ask(fault="duplicate")

    assert [api.call().body, api.call().body] == [b"2", b"2"]


def test_a_duplicate_waits_for_other_faults(api: Api) -> None:
    api.ask(fault="500", times=1)
    api.ask(fault="duplicate")

    assert [api.call().status, api.call().body, api.call().body] == [500, b"1", b"1"]
