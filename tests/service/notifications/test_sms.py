"""The first text message to a signer, and who gets one."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from builders import KARI, create, person
from configured import configured
from segl.core.protocol import Availability, ContactInformation, Email, Notifications, PersonalIdentificationNumber
from segl.core.protocol import Signer as AskedSigner
from segl.core.protocol import Sms as SmsNumber
from segl.sandbox.stand_ins.outbox import sent_messages
from segl.service import clock, due
from segl.service.configuration import Sms
from segl.service.jobs.codes import enter_code, send_new_code
from segl.service.notifications.sms import HttpSmsGateway
from segl.service.store.models import Notification
from segl.service.work.perform import perform

NUMBER = "999999999"
HTTP = "segl.service.notifications.sms.HttpSmsGateway"
BOTH = AskedSigner(ContactInformation(Email("ola@example.com"), SmsNumber(NUMBER)))


@pytest.fixture(autouse=True)
def outbox(store: str, tmp_path: Path) -> Iterator[None]:
    with configured(folder=tmp_path), override_settings(EMAIL_BACKEND="segl.sandbox.stand_ins.outbox.EmailBackend"):
        yield


def send_all() -> None:
    for row in due.claim(Notification, limit=10):
        assert perform(row)


def test_one_with_a_mobile_number_alone_gets_link_and_code() -> None:
    create(AskedSigner(ContactInformation(sms=SmsNumber(NUMBER))), title="Om din sykdom", nonsensitive_title="Et brev")
    send_all()
    [message] = sent_messages()
    assert (message.channel, message.to, message.subject) == ("sms", NUMBER, "")
    assert "Nordvik kommune ber deg om å signere «Et brev»" in message.text
    assert "sykdom" not in message.text
    [link] = message.links
    code = message.text.rpartition(" ")[2]
    assert enter_code(token=link.rpartition("/")[2], code=code).sms == NUMBER


def test_one_who_logs_in_gets_neither_code_nor_number() -> None:
    create(AskedSigner(PersonalIdentificationNumber(KARI), Notifications(sms=SmsNumber("+47 99 99 99 99"))))
    send_all()
    [message] = sent_messages()
    assert (message.to, message.links) == ("+47 99 99 99 99", ["http://127.0.0.1:8080/"])
    assert KARI not in message.text


@pytest.mark.parametrize(("seconds", "channels"), [(24 * 3600, ["email", "sms"]), (24 * 3600 + 1, ["email"])])
def test_one_with_both_is_told_by_sms_at_once_only_when_a_day_or_less_is_left(
    seconds: int, channels: list[str]
) -> None:
    create(BOTH, availability=Availability(available_seconds=seconds))
    send_all()
    assert [each.channel for each in sent_messages()] == channels


def test_a_new_code_comes_the_same_way() -> None:
    create(AskedSigner(ContactInformation(sms=SmsNumber(NUMBER))))
    send_all()
    send_new_code(token=sent_messages()[0].links[0].rpartition("/")[2])
    send_all()
    first, second = sent_messages()
    assert {first.channel, second.channel} == {"sms"}
    assert first.links != second.links


def test_without_a_gateway_those_with_both_are_told_by_mail_alone() -> None:
    with configured(sms=Sms()):
        create(BOTH, person(sms=NUMBER), availability=Availability(available_seconds=60))
        send_all()
    assert [each.channel for each in sent_messages()] == ["email", "email"]


@dataclass
class Gateway:
    """A gateway over HTTP: what it was sent, and how it answers."""

    url: str = ""
    status: int = 202
    messages: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Message] = field(default_factory=list)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """The service sends its text messages through this one."""
    told = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            told.headers.append(self.headers)
            self.send_response(told.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}/messages"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with configured(sms=Sms(HTTP, told.url, "Segl", "hush")):
                yield told
        finally:
            server.shutdown()
            thread.join()


def test_a_gateway_over_http_is_sent_number_text_and_sender(gateway: Gateway) -> None:
    create(AskedSigner(ContactInformation(sms=SmsNumber("+47 99 99 99 99"))), nonsensitive_title="Et brev ☂")
    send_all()
    [message] = gateway.messages
    assert message.keys() == {"to", "text", "from"}
    assert (message["to"], message["from"]) == ("+47 99 99 99 99", "Segl")
    assert "Nordvik kommune ber deg om å signere «Et brev ☂»" in message["text"]
    assert gateway.headers[0]["Content-Type"] == "application/json"
    assert gateway.headers[0]["Authorization"] == "Bearer hush"
    assert Notification.objects.get().sent_at is not None


def test_a_gateway_without_a_token_is_sent_none(gateway: Gateway) -> None:
    with configured(sms=Sms(HTTP, gateway.url, "Segl")):
        HttpSmsGateway().send(NUMBER, "Hei")
    assert "Authorization" not in gateway.headers[0]


def test_a_message_that_the_gateway_does_not_take_is_sent_again(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.status = 503
    create(AskedSigner(ContactInformation(sms=SmsNumber(NUMBER))))
    [row] = due.claim(Notification)
    assert not perform(row)
    failed = Notification.objects.get()
    assert failed.last_error == "The SMS gateway answered with HTTP status 503 (Service Unavailable)."
    assert NUMBER not in caplog.text
    gateway.status = 200
    clock.move(due.FIRST_DELAY)
    send_all()
    assert len(gateway.messages) == 2
    assert Notification.objects.get().sent_at is not None


@pytest.mark.parametrize(
    ("status", "parked"),
    [(400, True), (422, True), (401, False), (403, False), (404, False), (429, False), (500, False)],
)
def test_only_a_message_that_the_gateway_refuses_for_good_is_given_up(
    gateway: Gateway, status: int, parked: bool
) -> None:
    gateway.status = status
    create(AskedSigner(ContactInformation(sms=SmsNumber(NUMBER))))
    for _ in range(due.MAX_ATTEMPTS):
        assert not perform(due.claim(Notification)[0])
        clock.move(due.LONGEST_DELAY)
    assert (Notification.objects.get().parked_at is not None) == parked
    gateway.status = 202
    assert [perform(each) for each in due.claim(Notification)] == [True] * (not parked)


def test_a_gateway_that_is_away_raises_an_oserror_that_says_so(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        away = f"http://127.0.0.1:{free.getsockname()[1]}"
    with (
        configured(sms=Sms(HTTP, away, "Segl")),
        pytest.raises(OSError, match="SMS gateway did not answer"),
    ):
        HttpSmsGateway().send(NUMBER, "Hei")
