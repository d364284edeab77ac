"""What a message to a signer may say, and that it is recorded as sent."""

from datetime import timedelta

import pytest

from builders import KARI, contact, create, everything, organization, person, signed
from segl.service import clock, due
from segl.service.due import LeaseLostError
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.notifying import begin_notification, complete_notification
from segl.service.jobs.security_codes import enter_code
from segl.service.store.models import Job, Link, Notification

pytestmark = pytest.mark.usefixtures("store")


def claimed(job: Job) -> Notification:
    return due.claim(Notification, signer=job.signers.get().pk)[0]


def test_a_signer_addressed_by_contact_information_gets_a_link_and_a_code() -> None:
    message = begin_notification(claimed(create(contact("ola@example.com"), nonsensitive_title="Et brev")))
    assert message is not None
    assert (message.to, message.sender_name, message.nonsensitive_title) == (
        "ola@example.com",
        "Nordvik kommune",
        "Et brev",
    )
    assert message.link is not None
    assert enter_code(token=message.link.token, code=message.link.code).email == "ola@example.com"


def test_a_signer_who_logs_in_gets_no_link() -> None:
    message = begin_notification(claimed(create(person(KARI))))
    assert message is not None
    assert message.link is None
    assert not Link.objects.exists()


def test_an_insecure_channel_gets_neither_title_nor_number() -> None:
    message = begin_notification(claimed(create(person(KARI), title="Om din sykdom")))
    assert "sykdom" not in repr(message)
    assert KARI not in repr(message)


def test_the_repr_of_a_message_hides_its_link() -> None:
    message = begin_notification(claimed(create(contact())))
    assert message is not None
    assert message.link is not None
    assert message.link.token not in repr(message)


def test_a_message_that_was_sent_is_not_sent_again() -> None:
    notification = claimed(create())
    begin_notification(notification)
    complete_notification(notification)
    assert Notification.objects.get().sent_at is not None
    assert due.claim(Notification) == []


def test_each_attempt_has_a_new_link() -> None:
    job = create(contact())
    first = begin_notification(claimed(job))
    due.release_all(Notification)
    second = begin_notification(claimed(job))
    assert first is not None
    assert second is not None
    assert first.link != second.link


def test_nothing_is_sent_to_a_signer_who_has_signed() -> None:
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
    due.retry(notification, "The mail server is down.")
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


def test_nothing_is_sent_past_the_deadline() -> None:
    notification = claimed(create(contact()))
    clock.move(timedelta(days=31))
    assert begin_notification(notification) is None
    assert not Link.objects.exists()
