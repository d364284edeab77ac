"""Signers reached through the contact register: when they are looked up, and what follows."""

from datetime import timedelta
from typing import Any

import pytest

from builders import (
    KARI,
    OLA,
    agreed,
    contact,
    create,
    everything,
    identity,
    in_threads,
    organization,
    person,
    signed,
    status_of,
    version_of,
)
from configured import configured
from segl.core.protocol import Availability, NotificationsUsingLookup, PersonalIdentificationNumber
from segl.core.protocol import Signer as RequestedSigner
from segl.service import clock, due
from segl.service.configuration import Sms
from segl.service.due import LeaseLostError
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.finding import signers_of_person
from segl.service.jobs.looking_up import begin_lookup, complete_lookup, postpone_lookup
from segl.service.jobs.signing import begin_signature, complete_signature
from segl.service.store import documents
from segl.service.store.models import Job, Lookup, Notification

pytestmark = pytest.mark.usefixtures("store")

A_DAY = timedelta(days=1)
MOBILE = "+4799999999"
BOTH = {"email": "k@example.com", "mobile": MOBILE}
RESERVED, MISSING = "RESERVED", "CONTACT_INFORMATION_MISSING"


def looked_up(number: str = KARI, *, sms: bool = False, **more: Any) -> RequestedSigner:
    return RequestedSigner(PersonalIdentificationNumber(number), NotificationsUsingLookup(sms=sms), **more)


def claimed(job: Job, number: int = 1) -> Lookup:
    [row] = due.claim(Lookup, signer=job.signers.get(number=number).pk)
    return row


def answer(
    job: Job, number: int = 1, *, is_reserved: bool = False, email: str = "kari@example.com", mobile: str = ""
) -> None:
    """The register is asked and answers this."""
    row = claimed(job, number)
    assert begin_lookup(row) is not None
    complete_lookup(row, is_reserved=is_reserved, email=email, mobile=mobile)


def planned(job: Job) -> list[tuple[int, str, str]]:
    """The first notifications that are due or sent: number, channel, address."""
    rows = (
        Notification.objects.filter(signer__job=job).exclude(due_at=None, sent_at=None).order_by("signer__number", "pk")
    )
    return [
        (each.signer.number, each.channel, each.signer.email if each.channel == "email" else each.signer.sms)
        for each in rows.select_related("signer")
    ]


def test_a_signer_is_looked_up_at_once_and_then_notified(woken: list[str]) -> None:
    job = create(looked_up())
    assert woken == ["woken"]
    assert planned(job) == []
    row = claimed(job)
    task = begin_lookup(row)
    assert task is not None
    assert task.personal_identification_number == KARI
    assert KARI not in repr(task)
    complete_lookup(row, is_reserved=False, email="kari@example.com", mobile=MOBILE)
    assert planned(job) == [(1, "email", "kari@example.com")]
    assert Notification.objects.get().due_at <= clock.now()  # type: ignore[operator]  # it has one
    assert woken == ["woken", "woken"]
    assert due.claim(Lookup) == []
    assert status_of(job) == ("IN_PROGRESS", ["WAITING"])
    assert version_of(job) == 0


def test_a_signer_of_a_job_for_later_is_looked_up_at_once_too(woken: list[str]) -> None:
    job = create(looked_up(), availability=Availability(activation_time=clock.now() + A_DAY))
    assert woken == ["woken"]
    answer(job)
    assert planned(job) == []


@pytest.mark.parametrize(
    ("sms", "found", "seconds", "expected"),
    [
        (False, BOTH, 60, [(1, "email", "k@example.com")]),
        (True, BOTH, 86_400, [(1, "email", "k@example.com"), (1, "sms", MOBILE)]),
        # As for every signer who has both: if there is time for a reminder, the text message is that reminder.
        (True, BOTH, 86_401, [(1, "email", "k@example.com")]),
        (True, {"email": "k@example.com", "mobile": ""}, 60, [(1, "email", "k@example.com")]),
        (True, {"email": "", "mobile": MOBILE}, 90_000, [(1, "sms", MOBILE)]),
        (True, {"email": "no address", "mobile": MOBILE}, 60, [(1, "sms", MOBILE)]),
        (True, {"email": "k@example.com", "mobile": "none"}, 60, [(1, "email", "k@example.com")]),
    ],
)
def test_how_a_signer_is_notified(
    sms: bool, found: dict[str, str], seconds: int, expected: list[tuple[int, str, str]]
) -> None:
    job = create(looked_up(sms=sms), availability=Availability(available_seconds=seconds))
    answer(job, **found)  # type: ignore[arg-type]  # texts alone
    assert planned(job) == expected


@pytest.mark.parametrize(
    ("sms", "gateway", "found", "status"),
    [
        (True, True, {"is_reserved": True, "email": "k@example.com", "mobile": MOBILE}, RESERVED),
        (True, True, {"is_reserved": True, "email": "", "mobile": ""}, RESERVED),
        (True, True, {"email": "", "mobile": ""}, MISSING),
        (True, True, {"email": "no address", "mobile": "no number"}, MISSING),
        (False, True, {"email": "", "mobile": MOBILE}, MISSING),
        (True, False, {"email": "", "mobile": MOBILE}, MISSING),
    ],
)
def test_a_signer_who_cannot_be_notified_ends_the_job(
    sms: bool, gateway: bool, found: dict[str, Any], status: str
) -> None:
    job = create(looked_up(sms=sms), contact(), person(OLA, order=1))
    with configured(sms=Sms("gateway" if gateway else "")):
        answer(job, **found)
    assert status_of(job) == ("FAILED", [status, "NOT_APPLICABLE", "NOT_APPLICABLE"])
    assert version_of(job) == 1
    assert planned(job) == []


def test_a_signer_of_a_later_group_ends_the_job_too_and_what_was_signed_stays_signed() -> None:
    job = create(person(KARI), person(OLA), looked_up(order=1))
    signed(job)
    answer(job, 3, is_reserved=True)
    assert status_of(job) == ("FAILED", ["SIGNED", "NOT_APPLICABLE", RESERVED])


def test_other_jobs_are_looked_up_after_one_has_ended() -> None:
    job, other = create(looked_up()), create(looked_up())
    answer(job, is_reserved=True)
    answer(other)
    assert planned(other) == [(1, "email", "kari@example.com")]


def test_a_job_that_ended_looks_nobody_up() -> None:
    job = create(looked_up(), looked_up(OLA))
    answer(job, is_reserved=True)
    assert due.claim(Lookup) == []
    other = create(looked_up(), looked_up(OLA))
    row = claimed(other)
    cancel_job(sender=organization(), job_id=other.pk)
    assert due.claim(Lookup) == []
    due.retry(row, "The register is down.")
    clock.move(A_DAY)
    row = claimed(other)
    assert begin_lookup(row) is None
    assert Lookup.objects.get(pk=row.pk).due_at is None


def test_an_answer_to_a_job_that_ended_meanwhile_changes_nothing() -> None:
    job = create(looked_up())
    row = claimed(job)
    begin_lookup(row)
    cancel_job(sender=organization(), job_id=job.pk)
    complete_lookup(row, is_reserved=True, email="", mobile="")
    assert status_of(job) == ("FAILED", ["CANCELLED"])
    assert version_of(job) == 1
    assert due.claim(Lookup) == []


def test_the_answer_about_a_signer_who_has_signed_changes_nothing() -> None:
    job = create(looked_up(), looked_up(OLA))
    assert [each.job for each in signers_of_person(personal_identification_number=KARI)] == [job]
    row = claimed(job)
    begin_lookup(row)
    signed(job)
    complete_lookup(row, is_reserved=True, email="", mobile="")
    assert status_of(job) == ("IN_PROGRESS", ["SIGNED", "WAITING"])
    assert planned(job) == []


def test_a_signer_past_the_deadline_is_not_looked_up() -> None:
    job = create(looked_up())
    clock.move(timedelta(days=31))
    assert begin_lookup(claimed(job)) is None


class TestLater:
    """The first notification comes later than the job: the register is asked before, and again then."""

    @pytest.fixture(params=["a later activation", "a later group"])
    def job(self, request: pytest.FixtureRequest) -> Job:
        if request.param == "a later group":
            return create(person(OLA), looked_up(order=1))
        return create(contact(), looked_up(), availability=Availability(activation_time=clock.now() + A_DAY))

    def let_in(self, job: Job) -> None:
        """The signer's turn comes."""
        if job.signers.get(number=1).personal_identification_number:
            signed(job, who=identity(OLA))
        else:
            clock.move(A_DAY)

    def test_the_signer_is_notified_by_the_second_answer(self, job: Job, woken: list[str]) -> None:
        answer(job, 2, email="old@example.com")
        assert due.claim(Lookup) == []
        self.let_in(job)
        answer(job, 2, email="new@example.com")
        assert [each for each in planned(job) if each[0] == 2] == [(2, "email", "new@example.com")]
        assert due.claim(Lookup) == []

    @pytest.mark.parametrize("found", [{"is_reserved": True}, {"email": ""}])
    def test_a_signer_who_can_no_longer_be_notified_ends_the_job(self, job: Job, found: dict[str, Any]) -> None:
        answer(job, 2)
        self.let_in(job)
        answer(job, 2, **found)
        assert status_of(job)[0] == "FAILED"
        assert status_of(job)[1][1] == (RESERVED if "is_reserved" in found else MISSING)

    def test_the_first_answer_counts_when_there_is_no_second(self, job: Job) -> None:
        answer(job, 2, email="old@example.com")
        self.let_in(job)
        row = claimed(job, 2)
        begin_lookup(row)
        postpone_lookup(row, "The contact register did not answer.")
        assert [each for each in planned(job) if each[0] == 2] == [(2, "email", "old@example.com")]
        assert due.claim(Lookup) == []

    def test_one_answer_is_enough_when_the_register_was_down_until_then(self, job: Job) -> None:
        row = claimed(job, 2)
        self.let_in(job)
        complete_lookup(row, is_reserved=False, email="k@example.com", mobile="")
        assert [each for each in planned(job) if each[0] == 2] == [(2, "email", "k@example.com")]
        assert due.claim(Lookup) == []


def test_nobody_is_notified_of_a_job_that_ended_while_the_register_was_down() -> None:
    job = create(looked_up(), availability=Availability(activation_time=clock.now() + A_DAY))
    answer(job)
    clock.move(A_DAY)
    row = claimed(job)
    cancel_job(sender=organization(), job_id=job.pk)
    postpone_lookup(row, "The contact register did not answer.")
    assert planned(job) == []


def test_without_an_answer_the_signer_waits_for_one_however_long_it_takes() -> None:
    job = create(looked_up())
    for _ in range(2 * due.MAX_ATTEMPTS):
        row = claimed(job)
        assert begin_lookup(row) is not None
        postpone_lookup(row, "The contact register did not answer.")
        assert due.claim(Lookup) == []
        clock.move(due.LONGEST_BACKOFF)
    assert Lookup.objects.get().parked_at is None
    assert Lookup.objects.get().last_error == "The contact register did not answer."
    assert (planned(job), status_of(job), version_of(job)) == ([], ("IN_PROGRESS", ["WAITING"]), 0)
    answer(job)
    assert planned(job) == [(1, "email", "kari@example.com")]


@pytest.mark.parametrize("is_reserved", [True, False])
def test_a_worker_that_lost_its_lease_records_nothing(is_reserved: bool) -> None:
    job = create(looked_up())
    late = claimed(job)
    begin_lookup(late)
    due.release_all(Lookup)
    claimed(job)
    before = everything()
    with pytest.raises(LeaseLostError):
        complete_lookup(late, is_reserved=is_reserved, email="kari@example.com", mobile="")
    with pytest.raises(LeaseLostError):
        postpone_lookup(late, "The contact register did not answer.")
    assert everything() == before


def test_answers_at_the_same_time_end_a_job_once() -> None:
    job = create(*(looked_up() for _ in range(4)))
    rows = [claimed(job, number) for number in range(1, 5)]
    outcomes = in_threads(
        *[lambda row=row: complete_lookup(row, is_reserved=True, email="", mobile="") for row in rows]
    )
    assert outcomes == [None] * 4
    assert sorted(status_of(job)[1]) == ["NOT_APPLICABLE"] * 3 + [RESERVED]
    assert version_of(job) == 1


def test_an_answer_while_the_turn_comes_is_followed_by_one_message() -> None:
    """Whichever comes first: the answer sees the turn, or the turn causes another lookup."""
    job = create(person(OLA), looked_up(order=1))
    signing, row = agreed(job, who=identity(OLA)), claimed(job, 2)
    task = begin_signature(signing)
    assert task is not None
    stored = documents.put(task.key, b"<xades/>")
    in_threads(
        lambda: complete_signature(signing, stored),
        lambda: complete_lookup(row, is_reserved=False, email="k@example.com", mobile=""),
    )
    for again in due.claim(Lookup):
        complete_lookup(again, is_reserved=False, email="k@example.com", mobile="")
    assert [each for each in planned(job) if each[0] == 2] == [(2, "email", "k@example.com")]
