"""What a message to a signer may say, and that it is recorded as sent."""

from datetime import timedelta

import pytest

from builders import KARI, contact, create, everything, organization, person, signed
from segl.service import clock, due
from segl.service.due import LeaseLostError
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.codes import enter_code
from segl.service.jobs.notifying import begin_notification, complete_notification
from segl.service.store.models import Job, Link, Notification

pytestmark = pytest.mark.usefixtures("store")


def claimed(job: Job) -> Notification:
    return due.claim(Notification, signer=job.signers.get().pk)[0]


def test_one_addressed_by_contact_information_gets_a_link_and_a_code() -> None:
    letter = begin_notification(claimed(create(contact("ola@example.com"), nonsensitive_title="Et brev")))
    assert letter is not None
    assert (letter.to, letter.sender_name, letter.nonsensitive_title) == (
        "ola@example.com",
        "Nordvik kommune",
        "Et brev",
    )
    assert letter.link is not None
    assert enter_code(token=letter.link.token, code=letter.link.code).email == "ola@example.com"


def test_one_who_logs_in_gets_no_link() -> None:
    letter = begin_notification(claimed(create(person(KARI))))
    assert letter is not None
    assert letter.link is None
    assert not Link.objects.exists()


def test_an_insecure_channel_gets_neither_title_nor_number() -> None:
    letter = begin_notification(claimed(create(person(KARI), title="Om din sykdom")))
    assert "sykdom" not in repr(letter)
    assert KARI not in repr(letter)


def test_a_letter_does_not_show_its_link() -> None:
    letter = begin_notification(claimed(create(contact())))
    assert letter is not None
    assert letter.link is not None
    assert letter.link.token not in repr(letter)


def test_a_message_that_was_sent_is_not_sent_again() -> None:
    notification = claimed(create())
    begin_notification(notification)
    complete_notification(notification)
    assert Notification.objects.get().sent_at is not None
    assert due.claim(Notification) == []


def test_each_try_has_a_link_of_its_own() -> None:
    job = create(contact())
    first = begin_notification(claimed(job))
    due.release_all(Notification)
    second = begin_notification(claimed(job))
    assert first is not None
    assert second is not None
    assert first.link != second.link


def test_nothing_is_sent_to_one_who_has_signed() -> None:
    job = create()
    notification = claimed(job)
    signed(job)
    assert begin_notification(notification) is None
    assert Notification.objects.get().due_at is None
    assert Notification.objects.get().sent_at is None


def test_nothing_is_sent_of_a_job_that_ended_while_its_message_failed() -> None:
    job = create(contact())
    notification = claimed(job)
    cancel_job(sender=organization(), job_id=job.pk)
    due.retry(notification, "The mail server is away.")
    assert begin_notification(Notification.objects.get()) is None
    assert not Link.objects.exists()


def test_a_worker_that_lost_its_lease_records_nothing() -> None:
    job = create(contact())
    late = claimed(job)
    begin_notification(late)
    due.release_all(Notification)
    claimed(job)
    before = everything()
    with pytest.raises(LeaseLostError):
        complete_notification(late)
    assert everything() == before


def test_nothing_is_sent_to_one_whose_time_is_over() -> None:
    notification = claimed(create(contact()))
    clock.move(timedelta(days=31))
    assert begin_notification(notification) is None
    assert not Link.objects.exists()
