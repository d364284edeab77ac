"""Pieces of work: what fails is tried again and parked in the end, and the operator sees no secrets."""

import errno
import logging
import smtplib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import OperationalError

from builders import KARI, agreed, agreement, contact, create, everything, identity, person, signed, status_of
from segl.core.errors import SeglError
from segl.service import clock, due, outages
from segl.service.due import LeaseLostError
from segl.service.jobs.errors import NotOpenError
from segl.service.notifications import UnavailableError
from segl.service.rendering import RenderingUnavailableError
from segl.service.store.documents import StoreAwayError
from segl.service.store.models import Due, Job, Notification, Sealing, Signing
from segl.service.work import notify as notify_room
from segl.service.work import perform as perform_room
from segl.service.work.perform import perform, sign_now

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Due], None]], None]:
    """Replaces what every piece of work does."""

    def put(work: Callable[[Due], None]) -> None:
        monkeypatch.setattr(perform_room, "WORK", dict.fromkeys((Notification, Signing, Sealing), work))

    return put


def failing(error: Exception) -> Callable[[Due], None]:
    def work(_row: Due) -> None:
        raise error

    return work


def claimed() -> Notification:
    create(contact("hemmelig@example.com"))
    return due.claim(Notification)[0]


def test_a_message_is_sent_and_recorded(mailbox: list[EmailMessage]) -> None:
    assert perform(claimed())
    assert [each.to for each in mailbox] == [["hemmelig@example.com"]]
    assert Notification.objects.get().sent_at is not None


def test_our_own_errors_are_recorded_with_their_text(does: Callable[..., None]) -> None:
    does(failing(SeglError("The document was changed.")))
    before = clock.now()
    assert not perform(claimed())
    row = Notification.objects.get()
    assert row.last_error == "The document was changed."
    assert row.due_at is not None
    assert row.due_at > before
    assert row.lease_until == 0


def test_other_errors_are_recorded_with_their_type_only(
    does: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """A mail server repeats the address in its errors, a database the values."""
    does(failing(smtplib.SMTPRecipientsRefused({"hemmelig@example.com": (550, b"No such user")})))
    with caplog.at_level(logging.DEBUG):
        assert not perform(claimed())
    row = Notification.objects.get()
    assert row.last_error == "SMTPRecipientsRefused"
    assert "SMTPRecipientsRefused" in caplog.text
    assert "test_perform.py" in caplog.text
    assert "hemmelig" not in caplog.text


def test_no_log_names_addresses_links_codes_or_numbers(
    mailbox: list[EmailMessage], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = []

    def refused(**message: str) -> None:
        messages.append(message)
        raise OSError(f"cannot send {message}")

    monkeypatch.setattr(notify_room.notifications, "send_first_notification", refused)
    create(contact("hemmelig@example.com"), person(KARI, email="hemmelig@example.com"))
    with caplog.at_level(logging.DEBUG):
        for row in due.claim(Notification, limit=2):
            assert not perform(row)
    assert len(messages) == 2
    secrets = {"hemmelig@example.com", KARI, *(each["link"] for each in messages), messages[0]["code"] or "-"}
    texts = caplog.text + str([each.last_error for each in Notification.objects.all()])
    assert not [each for each in secrets if each in texts]


def test_a_lost_lease_is_not_a_failure(does: Callable[..., None]) -> None:
    row = claimed()
    before = everything()
    does(failing(LeaseLostError("another worker")))
    assert not perform(row)
    assert everything() == before


def test_a_failure_after_the_lease_was_lost_changes_nothing(does: Callable[..., None]) -> None:
    row = claimed()
    due.release_all(Notification)
    due.claim(Notification)
    before = everything()
    does(failing(OSError()))
    assert not perform(row)
    assert everything() == before


def test_a_failure_after_the_outcome_does_not_revive_the_work(does: Callable[..., None]) -> None:
    def done_and_then_failing(row: Due) -> None:
        due.finish(row)
        raise OSError

    does(done_and_then_failing)
    perform(claimed())
    assert Notification.objects.get().due_at is None


def test_what_never_works_is_parked_and_logged(does: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    does(failing(OSError()))
    perform(claimed())
    for _ in range(due.MAX_ATTEMPTS - 1):
        clock.move(due.LONGEST_BACKOFF)
        assert not perform(due.claim(Notification)[0])
    row = Notification.objects.get()
    assert row.parked_at is not None
    assert f"notification {row.pk} is parked after {due.MAX_ATTEMPTS} attempts: OSError" in caplog.text
    clock.move(timedelta(days=1))
    assert due.claim(Notification) == []


OUTAGES = {
    "store": StoreAwayError("the document store failed (No space left on device)"),
    "database": OperationalError("the connection was lost\nDETAIL: hush"),
    "system": OSError(errno.ENOSPC, "No space left on device"),
    "mail": UnavailableError("The mail server cannot be reached."),
    "rendering": RenderingUnavailableError("no rendering process was free"),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_what_meets_an_outage_is_never_parked(
    does: Callable[..., None], caplog: pytest.LogCaptureFixture, outage: str
) -> None:
    does(failing(OUTAGES[outage]))
    perform(claimed())
    for _ in range(3 * due.MAX_ATTEMPTS):
        clock.move(due.LONGEST_BACKOFF)
        assert not perform(due.claim(Notification)[0])
    row = Notification.objects.get()
    assert row.parked_at is None
    assert row.attempts <= due.MAX_ATTEMPTS - due.SPARE_ATTEMPTS
    assert row.last_error == outages.reason(OUTAGES[outage])
    assert all(each.endswith(f": {row.last_error}") for each in caplog.messages)


def test_what_kills_its_process_each_time_is_parked_too(does: Callable[..., None]) -> None:
    done: list[Due] = []
    does(done.append)
    create(contact())
    for _ in range(due.MAX_ATTEMPTS):
        due.claim(Notification)  # and the process dies
        due.release_all(Notification)
    assert not perform(due.claim(Notification)[0])
    row = Notification.objects.get()
    assert row.parked_at is not None
    assert row.last_error == "Each attempt ended without an outcome: the process died during it."
    assert done == []


def test_the_lease_is_kept_while_the_work_goes_on(does: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(due, "kept", lambda row: kept.append(row) or __import__("contextlib").nullcontext())
    does(lambda row: None)
    row = claimed()
    assert perform(row)
    assert kept == [row]


class TestSignNow:
    @pytest.fixture
    def job(self, does: Callable[..., None]) -> Job:
        return create()

    def sign(self, job: Job) -> bool:
        return sign_now(job_id=job.pk, number=1, identity=identity(), agreement=agreement())

    def test_a_signature_that_fails_is_made_by_a_worker_later(self, job: Job, does: Callable[..., None]) -> None:
        does(failing(OSError()))
        assert self.sign(job) is False
        assert status_of(job) == ("IN_PROGRESS", ["WAITING"])
        clock.move(due.FIRST_BACKOFF)
        assert len(due.claim(Signing)) == 1

    def test_the_error_of_a_signer_who_may_not_sign_is_raised(self, job: Job) -> None:
        agreed(job)
        with pytest.raises(NotOpenError):
            self.sign(job)

    def test_a_seal_that_fails_does_not_fail_the_signature(self, job: Job, does: Callable[..., None]) -> None:
        from segl.service.jobs.signing import begin_signature, complete_signature
        from segl.service.store import documents

        def sign_but_never_seal(row: Due) -> None:
            if not isinstance(row, Signing):
                raise OSError
            task = begin_signature(row)
            assert task is not None
            complete_signature(row, documents.put(task.key, b"<xades/>"))

        does(sign_but_never_seal)
        assert self.sign(job) is True
        assert status_of(job) == ("IN_PROGRESS", ["SIGNED"])
        assert Sealing.objects.get().last_error == "OSError"

    def test_a_seal_that_a_worker_has_claimed_is_left_to_it(self, job: Job) -> None:
        signed(job)
        due.claim(Sealing)
        assert due.claim(Sealing, job=job.pk) == []


@pytest.fixture
def mailbox() -> list[EmailMessage]:
    """The messages that were sent."""
    mail.outbox = []
    return mail.outbox
