"""The first text message to a signer, and who gets one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from builders import KARI, create, person
from segl.core.protocol import Availability, ContactInformation, Email, Notifications, PersonalIdentificationNumber, Sms
from segl.core.protocol import Signer as AskedSigner
from segl.sandbox.outbox import sent_messages
from segl.service import due
from segl.service.jobs.links import enter_code, send_new_code
from segl.service.store.models import Notification
from segl.service.work.perform import perform

NUMBER = "999999999"
BOTH = AskedSigner(ContactInformation(Email("ola@example.com"), Sms(NUMBER)))


@pytest.fixture(autouse=True)
def outbox(store: str, tmp_path: Path) -> Iterator[None]:
    with override_settings(SEGL_FOLDER=tmp_path, EMAIL_BACKEND="segl.sandbox.outbox.EmailBackend"):
        yield


def send_all() -> None:
    for row in due.claim(Notification, limit=10):
        assert perform(row)


def test_one_with_a_mobile_number_alone_gets_link_and_code() -> None:
    create(AskedSigner(ContactInformation(sms=Sms(NUMBER))), title="Om din sykdom", nonsensitive_title="Et brev")
    send_all()
    [message] = sent_messages()
    assert (message.channel, message.to, message.subject) == ("sms", NUMBER, "")
    assert "Nordvik kommune ber deg om å signere «Et brev»" in message.text
    assert "sykdom" not in message.text
    [link] = message.links
    code = message.text.rpartition(" ")[2]
    assert enter_code(token=link.rpartition("/")[2], code=code).sms == NUMBER


def test_one_who_logs_in_gets_neither_code_nor_number() -> None:
    create(AskedSigner(PersonalIdentificationNumber(KARI), Notifications(sms=Sms("+47 99 99 99 99"))))
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
    create(AskedSigner(ContactInformation(sms=Sms(NUMBER))))
    send_all()
    send_new_code(token=sent_messages()[0].links[0].rpartition("/")[2])
    send_all()
    first, second = sent_messages()
    assert {first.channel, second.channel} == {"sms"}
    assert first.links != second.links


def test_without_a_gateway_those_with_both_are_told_by_mail_alone() -> None:
    with override_settings(SEGL_SMS_GATEWAY=""):
        create(BOTH, person(sms=NUMBER), availability=Availability(available_seconds=60))
        send_all()
    assert [each.channel for each in sent_messages()] == ["email", "email"]
