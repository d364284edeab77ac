"""Requests for the same new job that arrive while the first is handled, or after it came to nothing."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import OperationalError, connections

from segl.core.keys import PrivateKey
from segl.core.protocol import ErrorMessage
from segl.service import clock, configuration
from segl.service.config import listeners
from segl.service.http import held
from segl.service.http.bodies import WholeBodies
from segl.service.jobs import reserving
from segl.service.rendering import children
from segl.service.sender_api import packages
from segl.service.store.models import Job, Notification, Reservation
from service.http.test_bodies import Client, answered
from service.sender_api.portal.test_views import JOBS, MULTIPART, body, package

THREADS = 4
PUBLIC, BROKER = "123456789", "318602352"
Keys = dict[str, PrivateKey]
Answer = tuple[int, dict[bytes, bytes], bytes]


class Service:
    """The API's listener without a network, and a gate before the inspection of documents."""

    def __init__(self, key: PrivateKey) -> None:
        with socket.socket() as bound:
            given = listeners._api(bound, configuration.current())
        self.application = WholeBodies(
            given.application,
            name=given.name,
            threads=THREADS,
            places=2,
            share=2,
            error_answer=given.error_answer,
            admission=given.admission,
            arrival=given.arrival,
            caller=given.caller,
            long_of=given.long_of,
        )
        self._certificate = key.certificate.public_bytes(Encoding.DER)
        self.inspecting, self.gate = threading.Event(), threading.Event()

    def sent(self, content: bytes, later: timedelta = timedelta()) -> "asyncio.Task[Answer]":
        """Send a request with the key `k`, whose first byte arrives so much later than now."""
        client = Client()
        client.send(content, more=False)
        head = {
            "method": "POST",
            "path": JOBS,
            "client": ("10.0.0.1", 1),
            "headers": [
                (b"host", b"127.0.0.1:8443"),
                (b"content-type", MULTIPART.encode()),
                (b"content-length", b"%d" % len(content)),
                (b"idempotency-key", b'"k"'),
            ],
            "segl.peer_certificate": self._certificate,
            "segl.received_at": clock.wall() + later,
        }
        return asyncio.create_task(answered(self.application, client.receive, **head))

    def end(self) -> None:
        """End the threads, each of which has a connection to the database."""
        pool, all_idle = self.application._threads._pool, threading.Barrier(THREADS)

        def close() -> None:
            all_idle.wait(60)
            connections.close_all()

        for closed in [pool.submit(close) for _ in range(THREADS)]:
            closed.result()
        pool.shutdown()

    def answer(self, content: bytes, later: timedelta = timedelta()) -> Answer:
        """The answer to one request."""

        async def run() -> Answer:
            return await self.sent(content, later)

        return asyncio.run(run())


@pytest.fixture
def service(api: Any, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    made, inspect = Service(keys[PUBLIC]), packages.inspect

    def gated(sender: str, pdfs: Any) -> Any:
        made.inspecting.set()
        assert made.gate.wait(60)
        return inspect(sender, pdfs)

    monkeypatch.setattr(packages, "inspect", gated)
    monkeypatch.setattr(held, "ASKED_EVERY_SECONDS", 0)
    yield made
    made.end()


def code(answer: Answer) -> tuple[int, str]:
    return answer[0], ErrorMessage.from_xml(answer[2]).code


LATE = timedelta(seconds=31)
"""When a client repeats what it had no answer to: its package is then too old by far."""


def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a request waits for another one."""
    found, reserve = threading.Event(), reserving.reserve

    def watched(**given: Any) -> Reservation:
        try:
            return reserve(**given)
        except reserving.UnderWayError:
            found.set()
            raise

    monkeypatch.setattr(reserving, "reserve", watched)
    return found


def both(service: Service, content: bytes, waits: threading.Event) -> list[Answer]:
    """The answers to a request and to its repeat, which comes while the first is handled."""

    async def run() -> list[Answer]:
        first = service.sent(content)
        await asyncio.to_thread(service.inspecting.wait, 60)
        repeat = service.sent(content, LATE)
        await asyncio.to_thread(waits.wait, 60)
        service.gate.set()
        return [await first, await repeat]

    return asyncio.run(run())


def test_a_repeat_gets_the_job_of_the_request_that_is_under_way(
    service: Service, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, repeat = both(service, body(package(keys[PUBLIC])), waiting(monkeypatch))
    assert (first[0], repeat[0], repeat[2]) == (200, 200, first[2])
    assert (Job.objects.count(), Notification.objects.count()) == (1, 1)
    assert not Reservation.objects.exists()


def test_a_repeat_gets_the_refusal_of_the_request_that_is_under_way(
    service: Service, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = body(package(keys[PUBLIC], files={"0001_dokument.pdf": b"%PDF-1.7 broken"}))
    first, repeat = both(service, sent, waiting(monkeypatch))
    assert code(first) == code(repeat) == (400, "INVALID_DOCUMENT")
    assert not Reservation.objects.exists()


def test_another_request_with_the_key_is_refused_at_once(service: Service, keys: Keys) -> None:
    async def run() -> tuple[Answer, Answer]:
        first = service.sent(body(package(keys[PUBLIC])))
        await asyncio.to_thread(service.inspecting.wait, 60)
        other = await service.sent(body(package(keys[PUBLIC])))
        service.gate.set()
        return await first, other

    first, other = asyncio.run(run())
    assert (first[0], code(other)) == (200, (422, "IDEMPOTENCY_KEY_REUSED"))


def test_a_repeat_does_not_wait_for_ever(service: Service, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "LONGEST_WAIT_SECONDS", 0)

    async def run() -> tuple[Answer, Answer]:
        sent = body(package(keys[PUBLIC]))
        first = service.sent(sent)
        await asyncio.to_thread(service.inspecting.wait, 60)
        repeat = await service.sent(sent)
        service.gate.set()
        return await first, repeat

    first, repeat = asyncio.run(run())
    assert (first[0], code(repeat), repeat[1][b"retry-after"]) == (200, (503, "SERVICE_UNAVAILABLE"), b"10")


def test_a_repeat_takes_over_from_a_process_that_was_killed(
    service: Service, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = body(package(keys[PUBLIC]))
    with monkeypatch.context() as patch:  # The process reserves the key, and does nothing more.
        patch.setattr(reserving, "release", lambda _: None)
        patch.setattr(listeners._Handler, "__call__", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            service.answer(sent)
    Reservation.objects.update(lease_until=clock.shared())
    service.gate.set()
    assert service.answer(sent, LATE)[0] == 200
    assert not Reservation.objects.exists()


def test_a_request_that_could_not_be_handled_may_be_sent_again_later(
    service: Service, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its package was fresh when it first arrived."""
    service.gate.set()
    sent = body(package(keys[PUBLIC]))
    with monkeypatch.context() as patch, ExitStack() as turns:
        patch.setattr(children, "LONGEST_WAIT_SECONDS", 0)
        for _ in range(configuration.current().rendering.children):
            turns.enter_context(children.turn())
        assert code(service.answer(sent)) == (503, "SERVICE_UNAVAILABLE")
    assert service.answer(sent, LATE)[0] == 200


def test_a_refused_request_frees_its_key(service: Service, keys: Keys) -> None:
    service.gate.set()
    assert code(service.answer(body(package(keys[BROKER])))) == (400, "ASICE_VALIDATION_FAILED")
    assert not Reservation.objects.exists()
    assert service.answer(body(package(keys[PUBLIC])))[0] == 200


def test_a_repeat_of_an_old_job_reserves_nothing(service: Service, keys: Keys) -> None:
    service.gate.set()
    sent = body(package(keys[PUBLIC]))
    first = service.answer(sent)
    assert service.answer(sent, LATE)[2] == first[2]
    assert not Reservation.objects.exists()


def test_a_refusal_is_answered_though_the_reservation_cannot_be_deleted(
    service: Service, keys: Keys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(reserving, "forget", away)
    assert code(service.answer(body(package(keys[BROKER])))) == (400, "ASICE_VALIDATION_FAILED")
    assert "A reservation could not be changed: the database failed" in caplog.text
