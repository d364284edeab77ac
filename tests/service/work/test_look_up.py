"""Looking signers up, from the due row to the register's answer over HTTP and back."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection

from builders import KARI, create, status_of
from registers import RunningRegister, running_register
from segl.core.protocol import NotificationsUsingLookup, PersonalIdentificationNumber
from segl.core.protocol import Signer as RequestedSigner
from segl.sandbox.faults.pending import Fault, Faults
from segl.sandbox.pki import SandboxPki
from segl.service import clock, configuration, due
from segl.service.notifications import contact_register
from segl.service.notifications.contact_register import ContactDetails
from segl.service.store.models import Job, Lookup, Notification
from segl.service.work.kinds import WORK
from segl.service.work.perform import perform

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def register(tmp_path: Path, pki: SandboxPki, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningRegister]:
    """The service looks people up in this register."""
    with running_register(tmp_path, pki) as running:
        monkeypatch.setattr(contact_register, "_current", running.client())
        yield running


@pytest.fixture
def mailbox() -> list[EmailMessage]:
    mail.outbox = []
    return mail.outbox


def looked_up_job() -> Job:
    return create(RequestedSigner(PersonalIdentificationNumber(KARI), NotificationsUsingLookup()))


def do_everything() -> None:
    for model in (Lookup, Notification):
        for row in due.claim(model, limit=10):
            assert perform(row)


def test_the_worker_looks_up() -> None:
    assert Lookup in WORK


def test_a_signer_is_notified_at_the_registered_address(register: RunningRegister, mailbox: list[EmailMessage]) -> None:
    register.edit(personer=[{"personidentifikator": KARI, "kontaktinformasjon": {"epostadresse": "kari@example.com"}}])
    looked_up_job()
    do_everything()
    assert [each.to for each in mailbox] == [["kari@example.com"]]
    assert KARI not in mailbox[0].message().as_string()


def test_a_reserved_signer_is_not_notified(register: RunningRegister, mailbox: list[EmailMessage]) -> None:
    register.edit(personer=[{"personidentifikator": KARI, "reservasjon": "JA"}])
    job = looked_up_job()
    do_everything()
    assert mailbox == []
    assert status_of(job) == ("FAILED", ["RESERVED"])


def test_a_register_that_is_down_is_asked_again(
    register: RunningRegister, mailbox: list[EmailMessage], caplog: pytest.LogCaptureFixture
) -> None:
    Faults(configuration.current().folder).add(Fault(fault="register-down"))
    job = looked_up_job()
    with caplog.at_level(logging.DEBUG):
        do_everything()
    waiting = Lookup.objects.get()
    assert waiting.last_error == "The token server answered with HTTP status 503 (Service Unavailable)."
    assert f"lookup {waiting.pk} got no answer (attempt 1): The token server answered with HTTP" in caplog.text
    assert KARI not in caplog.text
    assert (mailbox, status_of(job)) == ([], ("IN_PROGRESS", ["WAITING"]))
    Faults(configuration.current().folder).take_back()
    clock.move(due.FIRST_BACKOFF)
    do_everything()
    assert len(mailbox) == 1


def test_the_register_is_asked_outside_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    within = []

    class Register:
        def look_up(self, personal_identification_number: str) -> ContactDetails:
            within.append(connection.in_atomic_block)
            return ContactDetails(is_reserved=False, email="kari@example.com")

    monkeypatch.setattr(contact_register, "_current", Register())
    looked_up_job()
    do_everything()
    assert within == [False]
