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
from segl.core.protocol import Signer as RequestedSigner
from segl.core.protocol import Sms as SmsNumber
from segl.sandbox.stand_ins.outbox import sent_messages
from segl.service import clock, due
from segl.service.configuration import Sms
from segl.service.jobs.security_codes import enter_code, send_new_code
from segl.service.notifications.sms import HttpSmsGateway
from segl.service.store.models import Notification
from segl.service.work.perform import perform

NUMBER = "999999999"
HTTP = "segl.service.notifications.sms.HttpSmsGateway"
BOTH = RequestedSigner(ContactInformation(Email("ola@example.com"), SmsNumber(NUMBER)))


@pytest.fixture(autouse=True)
def outbox(store: str, tmp_path: Path) -> Iterator[None]:
    with configured(folder=tmp_path), override_settings(EMAIL_BACKEND="segl.sandbox.stand_ins.outbox.EmailBackend"):
        yield


def send_all() -> None:
    for row in due.claim(Notification, limit=10):
        assert perform(row)


def test_a_signer_with_only_a_mobile_number_gets_link_and_code() -> None:
    create(
        RequestedSigner(ContactInformation(sms=SmsNumber(NUMBER))), title="Om din sykdom", nonsensitive_title="Et brev"
    )
    send_all()
    [message] = sent_messages()
    assert (message.channel, message.to, message.subject) == ("sms", NUMBER, "")
    assert "Nordvik kommune ber deg om å signere «Et brev»" in message.text
    assert "sykdom" not in message.text
    [link] = message.links
    code = message.text.rpartition(" ")[2]
    assert enter_code(token=link.rpartition("/")[2], code=code).sms == NUMBER


def test_a_signer_who_logs_in_gets_neither_code_nor_number() -> None:
    create(RequestedSigner(PersonalIdentificationNumber(KARI), Notifications(sms=SmsNumber("+47 99 99 99 99"))))
    send_all()
    [message] = sent_messages()
    assert (message.to, message.links) == ("+47 99 99 99 99", ["http://127.0.0.1:8080/"])
    assert KARI not in message.text


@pytest.mark.parametrize(("seconds", "channels"), [(24 * 3600, ["email", "sms"]), (24 * 3600 + 1, ["email"])])
def test_a_signer_with_both_gets_an_sms_at_once_only_when_a_day_or_less_is_left(
    seconds: int, channels: list[str]
) -> None:
    create(BOTH, availability=Availability(available_seconds=seconds))
    send_all()
    assert [each.channel for each in sent_messages()] == channels


def test_a_new_code_comes_the_same_way() -> None:
    create(RequestedSigner(ContactInformation(sms=SmsNumber(NUMBER))))
    send_all()
    send_new_code(token=sent_messages()[0].links[0].rpartition("/")[2])
    send_all()
    first, second = sent_messages()
    assert {first.channel, second.channel} == {"sms"}
    assert first.links != second.links


def test_without_a_gateway_signers_with_both_get_mail_only() -> None:
    with configured(sms=Sms()):
        create(BOTH, person(sms=NUMBER), availability=Availability(available_seconds=60))
        send_all()
    assert [each.channel for each in sent_messages()] == ["email", "email"]


@dataclass
class Gateway:
    """A gateway over HTTP: what it received, and how it answers."""

    url: str = ""
    status: int = 202
    messages: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Message] = field(default_factory=list)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """The service sends its text messages through this one."""
    running = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            running.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            running.headers.append(self.headers)
            self.send_response(running.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running.url = f"http://127.0.0.1:{server.server_port}/messages"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with configured(sms=Sms(HTTP, running.url, "Segl", "hush")):
                yield running
        finally:
            server.shutdown()
            thread.join()


def test_a_gateway_over_http_gets_number_text_and_sender(gateway: Gateway) -> None:
    create(RequestedSigner(ContactInformation(sms=SmsNumber("+47 99 99 99 99"))), nonsensitive_title="Et brev ☂")
    send_all()
    [message] = gateway.messages
    assert message.keys() == {"to", "text", "from"}
    assert (message["to"], message["from"]) == ("+47 99 99 99 99", "Segl")
    assert "Nordvik kommune ber deg om å signere «Et brev ☂»" in message["text"]
    assert gateway.headers[0]["Content-Type"] == "application/json"
    assert gateway.headers[0]["Authorization"] == "Bearer hush"
    assert Notification.objects.get().sent_at is not None


def test_a_gateway_without_a_token_gets_none(gateway: Gateway) -> None:
    with configured(sms=Sms(HTTP, gateway.url, "Segl")):
        HttpSmsGateway().send(NUMBER, "Hei")
    assert "Authorization" not in gateway.headers[0]


def test_a_message_that_the_gateway_does_not_accept_is_sent_again(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.status = 503
    create(RequestedSigner(ContactInformation(sms=SmsNumber(NUMBER))))
    [row] = due.claim(Notification)
    assert not perform(row)
    failed = Notification.objects.get()
    assert failed.last_error == "The SMS gateway answered with HTTP status 503 (Service Unavailable)."
    assert NUMBER not in caplog.text
    gateway.status = 200
    clock.move(due.FIRST_BACKOFF)
    send_all()
    assert len(gateway.messages) == 2
    assert Notification.objects.get().sent_at is not None


@pytest.mark.parametrize(
    ("status", "parked"),
    [(400, True), (422, True), (401, False), (403, False), (404, False), (429, False), (500, False)],
)
def test_only_a_message_that_the_gateway_rejects_for_good_is_given_up(
    gateway: Gateway, status: int, parked: bool
) -> None:
    gateway.status = status
    create(RequestedSigner(ContactInformation(sms=SmsNumber(NUMBER))))
    for _ in range(due.MAX_ATTEMPTS):
        assert not perform(due.claim(Notification)[0])
        clock.move(due.LONGEST_BACKOFF)
    assert (Notification.objects.get().parked_at is not None) == parked
    gateway.status = 202
    assert [perform(each) for each in due.claim(Notification)] == [True] * (not parked)


def test_a_gateway_that_is_down_raises_an_oserror_that_says_so(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        down = f"http://127.0.0.1:{free.getsockname()[1]}"
    with (
        configured(sms=Sms(HTTP, down, "Segl")),
        pytest.raises(OSError, match="SMS gateway did not answer"),
    ):
        HttpSmsGateway().send(NUMBER, "Hei")
