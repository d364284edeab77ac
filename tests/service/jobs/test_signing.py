"""Signers agree, reject and are signed for; those who come late, twice or uninvited change nothing."""

from datetime import timedelta
from hashlib import sha256

import pytest

from builders import (
    KARI,
    OLA,
    agreed,
    agreement,
    contact,
    create,
    create_texts,
    everything,
    identity,
    in_threads,
    laid_out,
    organization,
    person,
    signed,
    status_of,
    stored_names,
    version_of,
)
from clocks import machine
from pdfs import pdf
from segl.core.protocol import AuthenticationLevel, Availability, SignatureType
from segl.service import clock, due, layout
from segl.service.due import LeaseLostError
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.errors import JobError, LevelTooLowError, NoSuchJobError, NotOpenError, NotTheSignerError
from segl.service.jobs.finding import document_of, originals, signer_of, signers_of_person
from segl.service.jobs.signing import agree, begin_signature, check_open, complete_signature, reject
from segl.service.store import documents
from segl.service.store.documents import StoredDocument
from segl.service.store.models import DocumentKind, Job, Notification, Sealing, Signer, Signing

pytestmark = pytest.mark.usefixtures("store")

DAY = timedelta(days=1)


def is_refused(job: Job, reason: str, number: int = 1) -> None:
    """Neither agreeing nor rejecting is possible, for this reason, and trying changes nothing."""
    before = everything()
    with pytest.raises(NotOpenError) as refused:
        agree(job_id=job.pk, number=number, identity=identity(), agreement=agreement())
    assert refused.value.reason == reason
    with pytest.raises(NotOpenError) as refused:
        reject(job_id=job.pk, number=number, identity=identity())
    assert refused.value.reason == reason
    assert everything() == before


def xades(signing: Signing) -> StoredDocument:
    task = begin_signature(signing)
    assert task is not None
    return documents.put(task.key, b"<xades/>")


class TestFind:
    def test_a_person_finds_the_jobs_whose_turn_has_come_newest_first(self) -> None:
        first, second = create(person(KARI)), create(person(KARI, order=0), person(OLA, order=1))
        create(person(KARI), availability=Availability(clock.now() + DAY))
        assert [each.job for each in signers_of_person(personal_identification_number=KARI)] == [second, first]
        assert list(signers_of_person(personal_identification_number=OLA)) == []

    def test_an_empty_number_finds_nothing(self) -> None:
        create(contact())
        assert list(signers_of_person(personal_identification_number="")) == []

    def test_each_document_is_shown_as_it_was_laid_out(self) -> None:
        texts = [("A1", "B1"), ("A2", "B2")]
        pdfs = {text: pdf(text) for each in texts for text in each}
        jobs = [create_texts(*(pdfs[text] for text in each)) for each in texts]
        found = [[layout.contents(each)[0].text for each in originals(job=job)] for job in jobs]
        assert found == [[*each] for each in texts]
        assert layout.laid_out(originals(job=jobs[1])[0]) == laid_out(pdfs["A2"])[0]

    @pytest.mark.parametrize(("job_id", "number"), [(0, 1), (None, 0), (None, 2), (2**40, 1), (None, 2**40)])
    def test_a_signer_that_never_existed_is_unknown(self, job_id: int | None, number: int) -> None:
        job = create()
        with pytest.raises(NoSuchJobError):
            signer_of(job_id=job.pk if job_id is None else job_id, number=number)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("created", "opened"), [(4, 0), (0, -4), (-4, 4), (7200, 0)])
def test_a_job_is_active_at_once_on_each_machine(created: int, opened: int) -> None:
    with machine(timedelta(seconds=created)):
        job = create()
        assert len(due.claim(Notification)) == 1
    with machine(timedelta(seconds=opened)):
        check_open(signer_of(job_id=job.pk, number=1))
        assert [each.job for each in signers_of_person(personal_identification_number=KARI)] == [job]


class TestAgree:
    def test_the_signature_is_claimed_for_the_caller(self) -> None:
        job = create()
        signing = agreed(job)
        assert signing.fence == 1
        assert due.claim(Signing) == []
        assert status_of(job) == ("IN_PROGRESS", ["WAITING"])

    def test_a_worker_takes_over_from_one_who_died(self) -> None:
        agreed(create())
        due.release_all(Signing)
        assert len(due.claim(Signing)) == 1

    def test_what_was_agreed_to_becomes_the_evidence(self) -> None:
        job = create(title="Avtale", contents=[pdf("one"), pdf("two")], titles=["A", "B"])
        signing = agreed(job)
        signing = Signing.objects.get(pk=signing.pk)
        task = begin_signature(signing)
        assert task is not None
        evidence = task.evidence
        assert (evidence.job_id, evidence.job_title, evidence.signer_number) == (job.pk, "Avtale", 1)
        assert (evidence.signer_name, evidence.signer_identity) == ("Kari Nordmann", KARI)
        assert (evidence.method, evidence.provider, evidence.authentication_level) == ("TestID", "Segl test eID", 4)
        assert (evidence.agreement, evidence.ip_address, evidence.user_agent) == (
            "Jeg signerer dokumentet.",
            "192.0.2.7",
            "Firefox",
        )
        assert evidence.login_reference == "login-1"
        assert (evidence.authenticated_at, evidence.agreed_at) == (identity().authenticated_at, signing.agreed_at)
        assert [each.name for each in task.documents] == ["0001_dokument.pdf", "0002_dokument.pdf"]
        shown = [layout.laid_out(each) for each in originals(job=job)]
        assert evidence.shown_sha256 == " ".join(sha256(each).hexdigest() for each in shown)

    def test_the_evidence_holds_the_level_and_the_type_of_the_signature(self) -> None:
        advanced = SignatureType.ADVANCED_SIGNATURE
        job = create(person(KARI, signature_type=advanced), required_authentication=AuthenticationLevel.THREE)
        task = begin_signature(agreed(job, who=identity(level=3)))
        assert task is not None
        assert (task.evidence.authentication_level, task.evidence.signature_type) == (3, advanced)
        assert task.signature_type == advanced

    def test_the_evidence_of_a_signer_addressed_by_contact_information_holds_no_number(self) -> None:
        task = begin_signature(agreed(create(contact()), who=identity(KARI)))
        assert task is not None
        assert task.evidence.signer_identity == "13.09.1972"
        assert KARI not in repr(task.evidence)

    def test_nobody_agrees_twice(self) -> None:
        job = create()
        agreed(job)
        is_refused(job, "signing")

    def test_nobody_agrees_after_signing(self) -> None:
        job = create()
        signed(job)
        is_refused(job, "signed")

    def test_nobody_agrees_to_a_job_that_ended(self) -> None:
        job = create()
        cancel_job(sender=organization(), job_id=job.pk)
        is_refused(job, "cancelled")
        job = create(person(OLA), person(KARI))
        reject(job_id=job.pk, number=1, identity=identity(OLA))
        is_refused(job, "not_applicable", number=2)

    def test_nobody_agrees_before_their_turn(self) -> None:
        job = create(person(OLA, order=1), person(KARI, order=2))
        is_refused(job, "waiting", number=2)

    def test_nobody_agrees_before_the_job_is_active(self) -> None:
        job = create(availability=Availability(clock.now() + DAY))
        is_refused(job, "not_active")
        clock.move(DAY)
        agreed(job)

    def test_nobody_agrees_past_the_deadline(self) -> None:
        job = create(availability=Availability(available_seconds=3600))
        clock.move(timedelta(hours=1))
        is_refused(job, "expired")

    def test_the_time_to_sign_begins_with_the_activation_and_ends_before_the_deadline(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        signer = signer_of(job_id=create().pk, number=1)
        monkeypatch.setattr(clock, "now", lambda: signer.activated_at)
        check_open(signer)
        monkeypatch.setattr(clock, "now", lambda: signer.deadline)
        with pytest.raises(NotOpenError, match="deadline"):
            check_open(signer)

    def test_each_group_has_the_whole_time_from_its_own_activation(self) -> None:
        job = create(person(KARI, order=0), person(OLA, order=1), availability=Availability(available_seconds=3600))
        clock.move(timedelta(minutes=50))
        signed(job)
        clock.move(timedelta(minutes=50))
        check_open(signer_of(job_id=job.pk, number=2))
        assert signed(job, 2, identity(OLA))

    def test_nobody_agrees_for_someone_else(self) -> None:
        job = create(person(KARI))
        before = everything()
        with pytest.raises(NotTheSignerError):
            agreed(job, who=identity(OLA))
        with pytest.raises(NotTheSignerError):
            reject(job_id=job.pk, number=1, identity=identity(OLA))
        assert everything() == before

    def test_anyone_with_an_eid_agrees_for_a_signer_addressed_by_contact_information(self) -> None:
        job = create(contact())
        assert signed(job, who=identity(OLA, name="Ola Nordmann"))
        assert Signer.objects.get(job=job).name == "Ola Nordmann"

    def test_the_level_of_the_log_in_must_be_at_least_that_of_the_job(self) -> None:
        strict, lenient = create(), create(required_authentication=AuthenticationLevel.THREE)
        with pytest.raises(LevelTooLowError, match="level 4"):
            agreed(strict, who=identity(level=3))
        assert not Signing.objects.exists()
        assert signed(lenient, who=identity(level=3))
        assert signed(strict, who=identity(level=4))

    def test_of_agreements_at_the_same_time_one_wins(self) -> None:
        job = create()
        outcomes = in_threads(*[lambda: agreed(job)] * 6)
        assert sum(isinstance(each, Signing) for each in outcomes) == 1
        assert sum(isinstance(each, NotOpenError) and each.reason == "signing" for each in outcomes) == 5
        assert Signing.objects.count() == 1

    def test_agree_and_cancel_at_the_same_time_leave_the_job_consistent(self) -> None:
        sender = organization()
        for _ in range(5):
            job = create()
            outcomes = in_threads(lambda job=job: signed(job), lambda job=job: cancel_job(sender=sender, job_id=job.pk))
            status, signers = status_of(job)
            assert (status, signers) in [("FAILED", ["CANCELLED"]), ("IN_PROGRESS", ["SIGNED"])], outcomes
            made = document_of(job=job, kind=DocumentKind.XADES) is not None
            assert made == (signers == ["SIGNED"]) == Sealing.objects.filter(job=job).exists()

    def test_a_group_that_agrees_at_the_same_time_loses_no_signature(self) -> None:
        numbers = [KARI, OLA, "00000000000", "11111111111"]
        job = create(*map(person, numbers))
        outcomes = in_threads(
            *[lambda n=n, number=number: signed(job, n, identity(number)) for n, number in enumerate(numbers, 1)]
        )
        assert outcomes == [True] * 4
        assert status_of(job) == ("IN_PROGRESS", ["SIGNED"] * 4)
        assert Sealing.objects.filter(job=job).count() == 1
        assert version_of(job) == 3


class TestReject:
    def test_the_job_ends_and_is_put_on_the_senders_queue(self) -> None:
        job = create(person(KARI), person(OLA), contact(order=1))
        reject(job_id=job.pk, number=1, identity=identity())
        assert status_of(job) == ("FAILED", ["REJECTED", "NOT_APPLICABLE", "NOT_APPLICABLE"])
        assert version_of(job) == 1
        assert not Notification.objects.exclude(due_at=None).exists()

    def test_the_signers_of_other_jobs_are_still_notified(self) -> None:
        job, other = create(), create()
        reject(job_id=job.pk, number=1, identity=identity())
        assert [each.signer.job for each in due.claim(Notification, limit=9)] == [other]

    def test_nobody_rejects_twice(self) -> None:
        job = create()
        reject(job_id=job.pk, number=1, identity=identity())
        is_refused(job, "rejected")
        assert version_of(job) == 1

    def test_a_signer_addressed_by_contact_information_needs_no_eid(self) -> None:
        job = create(contact())
        reject(job_id=job.pk, number=1, identity=None)
        assert status_of(job) == ("FAILED", ["REJECTED"])

    def test_a_signer_addressed_by_number_needs_an_eid(self) -> None:
        job = create()
        with pytest.raises(NotTheSignerError, match="Log in"):
            reject(job_id=job.pk, number=1, identity=None)
        assert status_of(job) == ("IN_PROGRESS", ["WAITING"])

    def test_a_signature_of_another_that_is_being_made_no_longer_counts(self) -> None:
        job = create(person(KARI), person(OLA))
        signing = agreed(job)
        made = xades(signing)
        reject(job_id=job.pk, number=2, identity=identity(OLA))
        assert complete_signature(signing, made) is False
        assert status_of(job) == ("FAILED", ["NOT_APPLICABLE", "REJECTED"])
        assert document_of(job=job, kind=DocumentKind.XADES) is None
        assert Signing.objects.get().due_at is None
        assert version_of(job) == 1

    def test_of_agree_and_reject_at_the_same_time_one_wins(self) -> None:
        for _ in range(5):
            job = create()
            outcomes = in_threads(
                lambda job=job: agreed(job),
                lambda job=job: reject(job_id=job.pk, number=1, identity=identity()),
            )
            assert sum(isinstance(each, JobError) for each in outcomes) == 1
            rejected = status_of(job) == ("FAILED", ["REJECTED"])
            assert rejected != Signing.objects.filter(signer__job=job).exists()


class TestComplete:
    def test_a_signature_is_recorded_and_put_on_the_senders_queue(self) -> None:
        job = create(person(KARI), person(OLA))
        assert signed(job)
        assert status_of(job) == ("IN_PROGRESS", ["SIGNED", "WAITING"])
        assert Signer.objects.get(job=job, number=1).name == "Kari Nordmann"
        document = document_of(job=job, kind=DocumentKind.XADES, number=1)
        assert document is not None
        assert documents.read(document) == b"<xades-1/>"
        assert version_of(job) == 1
        assert not Sealing.objects.exists()

    def test_each_signer_has_their_own_time_of_signing(self) -> None:
        job = create(person(KARI), person(OLA))
        times = [clock.now()]
        for number, who in enumerate([KARI, OLA], 1):
            clock.move(DAY)
            signed(job, number, identity(who))
            times.append(clock.now())
        first, second = Signer.objects.filter(job=job).order_by("number").values_list("status_since", flat=True)
        assert times[0] + DAY <= first <= times[1]
        assert times[1] + DAY <= second <= times[2]

    def test_the_others_of_a_group_are_neither_notified_again_nor_given_more_time(self) -> None:
        job = create(person(KARI), person(OLA))
        before = signer_of(job_id=job.pk, number=2).deadline
        clock.move(DAY)
        signed(job)
        assert signer_of(job_id=job.pk, number=2).deadline == before
        assert Notification.objects.filter(signer__number=2).count() == 1

    def test_the_last_signature_makes_the_job_due_for_sealing(self, woken: list[str]) -> None:
        job = create()
        woken.clear()
        signed(job)
        assert woken
        assert [each.job_id for each in due.claim(Sealing)] == [job.pk]

    def test_the_next_group_is_activated_and_notified(self) -> None:
        job = create(person(KARI, order=0), contact(order=1), person(OLA, order=1), contact(order=2))
        signed(job)
        active = Signer.objects.filter(job=job).exclude(activated_at=None).values_list("number", flat=True)
        assert set(active) == {1, 2, 3}
        notified = Notification.objects.filter(signer__job=job).values_list("signer__number", flat=True)
        assert sorted(notified) == [1, 2, 3]

    def test_a_worker_that_lost_its_lease_records_nothing(self) -> None:
        job = create(person(KARI), person(OLA))
        late = agreed(job)
        due.release_all(Signing)
        current = due.claim(Signing)[0]
        made, stored = xades(late), stored_names()
        before = everything()
        with pytest.raises(LeaseLostError):
            complete_signature(late, made)
        assert everything() == before
        assert complete_signature(current, xades(current)) is True
        with pytest.raises(LeaseLostError):
            complete_signature(late, made)
        assert len(stored_names() - stored) == 1
        assert version_of(job) == 1

    def test_a_signature_completes_once(self) -> None:
        job = create(person(KARI), person(OLA))
        signing = agreed(job)
        complete_signature(signing, xades(signing))
        before = everything()
        with pytest.raises(LeaseLostError):
            complete_signature(signing, StoredDocument("another", 1, bytes(32)))
        assert everything() == before

    def test_a_signature_of_a_job_that_ended_is_not_begun(self) -> None:
        job = create()
        signing = agreed(job)
        cancel_job(sender=organization(), job_id=job.pk)
        assert begin_signature(signing) is None
        assert Signing.objects.get().due_at is None
