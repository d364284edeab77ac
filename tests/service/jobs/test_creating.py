"""A sender creates, finds and cancels jobs; what is refused leaves nothing behind."""

import os
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import DataError, IntegrityError

from builders import (
    KARI,
    OLA,
    PDF,
    agreed,
    contact,
    create,
    create_of,
    everything,
    identity,
    in_threads,
    laid_out,
    manifest,
    organization,
    person,
    sealed,
    signed,
    status_of,
    stored_names,
    version_of,
)
from full_disks import files_of_at_most
from segl.core.errors import SeglError
from segl.core.lifecycle import IllegalStepError
from segl.core.protocol import (
    MOST_DOCUMENT_BYTES,
    AuthenticationLevel,
    Availability,
    NotificationsUsingLookup,
    OnBehalfOf,
    PersonalIdentificationNumber,
    PortalJobRequest,
    SignatureType,
)
from segl.core.protocol import Signer as RequestedSigner
from segl.core.sector import Sector
from segl.service import clock
from segl.service.jobs import changes
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.creating import AcceptedDocument, Idempotency, create_job
from segl.service.jobs.errors import NoSuchJobError, NotAllowedError
from segl.service.jobs.finding import document_of, job_of, originals, signers_of_person
from segl.service.jobs.signing import reject
from segl.service.jobs.status_queue import next_status_change
from segl.service.store import documents
from segl.service.store.documents import StoreAwayError
from segl.service.store.models import Document, DocumentKind, Job, Notification, Signer

pytestmark = pytest.mark.usefixtures("store")

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def signers(job: Job) -> list[Signer]:
    return list(Signer.objects.select_related("job").filter(job=job).order_by("number"))


def notified(job: Job) -> list[int]:
    """The numbers of the signers to whom a message is planned or was sent."""
    return list(Notification.objects.filter(signer__job=job).order_by("pk").values_list("signer__number", flat=True))


def test_a_job_keeps_what_its_sender_gave() -> None:
    job = Job.objects.get(
        pk=create(
            person(),
            reference="ref ☂",
            polling_queue="kø",
            title="T" * 80,
            nonsensitive_title="N",
            description="D",
            required_authentication=AuthenticationLevel.THREE,
            availability=Availability(available_seconds=3600),
        ).pk
    )
    assert (job.reference, job.polling_queue) == ("ref ☂", "kø")
    assert (job.title, job.nonsensitive_title, job.description) == ("T" * 80, "N", "D")
    assert (job.required_authentication, job.available_seconds, job.status) == (3, 3600, "IN_PROGRESS")
    assert (job.sender_id, job.broker_id) == ("123456789", "123456789")


def test_each_text_may_be_as_long_as_the_api_permits() -> None:
    document = AcceptedDocument("D" * 80, "ø" * 96 + ".txt", "text/plain", b"text", 1, *laid_out(PDF))
    sender, wanted = organization(), manifest(title="T" * 80, nonsensitive_title="N" * 80, description="D" * 220)
    job = create_job(
        sender=sender,
        broker=sender,
        request=PortalJobRequest("R" * 50, "q" * 10_000),
        manifest=wanted,
        manifest_xml=wanted.to_xml(),
        documents=[document],
        idempotency=Idempotency("k" * 255, b"digest"),
    )
    assert [each.name for each in originals(job=job)] == [document.name]
    cancel_job(sender=sender, job_id=job.pk)
    assert next_status_change(sender=sender, polling_queue="q" * 10_000) is not None


@pytest.mark.parametrize("reference", [None, ""])
def test_an_empty_reference_is_not_an_absent_one(reference: str | None) -> None:
    assert Job.objects.get(pk=create(reference=reference).pk).reference == reference


def test_a_job_is_available_for_30_days_when_the_sender_does_not_say() -> None:
    job = create()
    signer = signers(job)[0]
    assert signer.activated_at is not None
    assert signer.deadline == signer.activated_at + timedelta(days=30)


def test_signers_are_numbered_and_keep_how_they_were_addressed() -> None:
    job = create(
        person(KARI, email="kari@example.com", sms="99999999", on_behalf_of=OnBehalfOf.OTHER),
        contact("ola@example.com", signature_type=SignatureType.ADVANCED_SIGNATURE),
    )
    first, second = signers(job)
    assert (first.personal_identification_number, first.email, first.sms) == (KARI, "kari@example.com", "99999999")
    assert (first.on_behalf_of, first.signature_type) == ("OTHER", "AUTHENTICATED_ELECTRONIC_SIGNATURE")
    assert (second.personal_identification_number, second.email, second.sms) == ("", "ola@example.com", "")
    assert (second.on_behalf_of, second.signature_type) == ("SELF", "ADVANCED_ELECTRONIC_SIGNATURE")
    assert [each.is_addressed_by_contact_information for each in (first, second)] == [False, True]
    assert notified(job) == [1, 2]


def test_the_documents_and_the_manifest_are_kept_as_they_came() -> None:
    contents = [PDF, b"", b"%PDF another"]
    job = create(contents=contents, titles=["A", "B", "C"])
    originals = Document.objects.filter(job=job, kind=DocumentKind.ORIGINAL).order_by("number")
    assert [documents.read(each) for each in originals] == contents
    assert [each.title for each in originals] == ["A", "B", "C"]
    manifest = document_of(job=job, kind=DocumentKind.MANIFEST)
    assert manifest is not None
    assert documents.read(manifest).startswith(b"<?xml")
    assert document_of(job=job, kind=DocumentKind.PADES) is None


def test_each_job_has_its_own_key() -> None:
    assert bytes(create().wrapped_key) != bytes(create().wrapped_key)


def test_only_the_first_group_is_active_and_notified() -> None:
    job = create(person(KARI, order=1), person(OLA, order=0), contact(order=0))
    assert [each.activated_at is not None for each in signers(job)] == [False, True, True]
    assert notified(job) == [2, 3]


def test_an_activation_in_the_past_is_now() -> None:
    for past in (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), clock.now() - DAY):
        job = create(availability=Availability(activation_time=past))
        assert job.activates_at == job.created_at


def test_a_job_that_becomes_active_later_notifies_then() -> None:
    later = clock.now() + DAY
    job = create(availability=Availability(activation_time=later, available_seconds=60))
    assert signers(job)[0].activated_at == later
    assert signers(job)[0].deadline == later + MINUTE
    assert Notification.objects.get().due_at == later


def test_creating_a_job_wakes_the_workers(woken: list[str]) -> None:
    create()
    assert woken == ["woken"]


def test_a_new_job_is_not_on_the_senders_queue() -> None:
    assert version_of(create()) == 0


REFUSED: dict[str, tuple[type[SeglError], dict[str, Any]]] = {
    "what the sender may not ask for": (
        NotAllowedError,
        {"signers": [person(signature_type=SignatureType.ADVANCED_SIGNATURE)], "titles": ["A", "B"]},
    ),
    "nobody to notify": (NotAllowedError, {"signers": [contact(" ")]}),
    "too large": (NotAllowedError, {"contents": [bytes(MOST_DOCUMENT_BYTES + 1)]}),
    "too large together": (NotAllowedError, {"contents": [bytes(MOST_DOCUMENT_BYTES), b"1"], "titles": ["A", "B"]}),
    "never active": (
        NotAllowedError,
        {"availability": Availability(datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=2))))},
    ),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_is_refused_leaves_nothing_behind(refused: str) -> None:
    organization()
    before = everything()
    error, request = REFUSED[refused]
    with pytest.raises(error):
        create(*request.get("signers", ()), **{name: value for name, value in request.items() if name != "signers"})
    assert everything() == before


def test_too_many_pages_together_leave_nothing_behind() -> None:
    organization()
    before = everything()
    with pytest.raises(NotAllowedError, match="2001 pages"):
        create_of(
            AcceptedDocument("A", "a.pdf", "application/pdf", PDF, 1000, b"", b""),
            AcceptedDocument("B", "b.pdf", "application/pdf", PDF, 1001, b"", b""),
        )
    assert everything() == before


def test_documents_of_exactly_the_limit_are_accepted() -> None:
    create(contents=[bytes(MOST_DOCUMENT_BYTES)])


@pytest.mark.parametrize("written", [0, 1, 2, 3])
def test_a_store_that_fails_leaves_nothing_behind(written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    organization()
    before = everything()
    real, done = os.fsync, []

    def fsync(descriptor: int) -> None:
        if len(done) == written:
            raise OSError("the disk is full")
        done.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreAwayError, match="disk is full"):
        create(contents=[PDF, PDF], titles=["A", "B"])
    assert everything() == before


def test_a_disk_that_fills_within_a_document_leaves_nothing_behind() -> None:
    organization()
    before = everything()
    more_than_the_database = 1024 * 1024
    with files_of_at_most(more_than_the_database), pytest.raises(StoreAwayError, match="File too large"):
        create(contents=[PDF, bytes(2 * more_than_the_database)], titles=["A", "B"])
    assert everything() == before


@pytest.mark.parametrize("error", [DataError, IntegrityError])
@pytest.mark.parametrize("part", ["_add_job", "_add_signers", "_add_documents", "notify"])
def test_a_database_that_fails_leaves_nothing_behind(
    part: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    from segl.service.jobs import creating as room

    organization()
    before = everything()
    owner = changes if part == "notify" else room
    real = getattr(owner, part)

    def fail(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        raise error("the database is down")

    monkeypatch.setattr(owner, part, fail)
    with pytest.raises(error):
        create()
    assert everything() == before


def test_an_error_after_the_commit_loses_no_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the connection breaks before the response to COMMIT: the job may exist."""
    from contextlib import contextmanager

    from segl.service.jobs import creating as room

    @contextmanager
    def lost(*_: Any) -> Any:
        with real():
            yield
        raise DataError("the connection was lost")

    real = room.write
    monkeypatch.setattr(room, "write", lost)
    with pytest.raises(DataError):
        create()
    document = Document.objects.get(kind=DocumentKind.ORIGINAL)
    assert documents.read(document) == PDF
    assert len(stored_names()) == 4


class TestFind:
    def test_a_sender_finds_its_job(self) -> None:
        job = create()
        assert job_of(sender=organization(), job_id=job.pk) == job

    @pytest.mark.parametrize("job_id", [0, -1, 2**31, 2**63, 10**30])
    def test_a_job_that_never_existed_is_unknown(self, job_id: int) -> None:
        with pytest.raises(NoSuchJobError):
            job_of(sender=organization(), job_id=job_id)

    def test_another_senders_job_is_unknown_in_the_same_words(self) -> None:
        job = create()
        other = organization("987654321", "Andre AS", Sector.PRIVATE)
        for use in (job_of, cancel_job):
            with pytest.raises(NoSuchJobError) as refused:
                use(sender=other, job_id=job.pk)
            assert str(refused.value) == f"There is no job {job.pk}."
        assert status_of(job) == ("IN_PROGRESS", ["WAITING"])

    @pytest.mark.parametrize("number", [0, 2, 40_000, 2**63])
    def test_a_xades_that_never_existed_is_absent(self, number: int) -> None:
        assert document_of(job=create(), kind=DocumentKind.XADES, number=number) is None


class TestCancel:
    def test_the_job_ends_for_all_who_wait(self) -> None:
        job = create(person(KARI), contact(order=1))
        cancel_job(sender=organization(), job_id=job.pk)
        assert status_of(job) == ("FAILED", ["CANCELLED", "CANCELLED"])
        assert version_of(job) == 1

    def test_what_was_signed_stays_signed(self) -> None:
        job = create(person(KARI), person(OLA))
        signed(job)
        cancel_job(sender=organization(), job_id=job.pk)
        assert status_of(job) == ("FAILED", ["SIGNED", "CANCELLED"])
        assert document_of(job=job, kind=DocumentKind.XADES) is not None

    def test_no_more_messages_are_sent(self) -> None:
        job = create()
        cancel_job(sender=organization(), job_id=job.pk)
        assert Notification.objects.get().due_at is None

    def test_cancelling_again_changes_nothing(self) -> None:
        job = create()
        cancel_job(sender=organization(), job_id=job.pk)
        before = everything()
        cancel_job(sender=organization(), job_id=job.pk)
        assert everything() == before

    def test_a_job_that_all_signed_is_not_cancelled(self) -> None:
        job = create()
        signed(job)
        with pytest.raises(IllegalStepError):
            cancel_job(sender=organization(), job_id=job.pk)
        sealed(job)
        with pytest.raises(IllegalStepError):
            cancel_job(sender=organization(), job_id=job.pk)
        assert status_of(job) == ("COMPLETED_SUCCESSFULLY", ["SIGNED"])

    def test_a_rejected_job_is_not_cancelled(self) -> None:
        job = create(person(KARI), person(OLA))
        reject(job_id=job.pk, number=1, identity=identity())
        with pytest.raises(IllegalStepError):
            cancel_job(sender=organization(), job_id=job.pk)
        assert status_of(job) == ("FAILED", ["REJECTED", "NOT_APPLICABLE"])

    def test_a_signature_that_is_being_made_no_longer_counts(self) -> None:
        job = create()
        signing = agreed(job)
        cancel_job(sender=organization(), job_id=job.pk)
        from segl.service.jobs.signing import begin_signature

        assert begin_signature(signing) is None
        assert status_of(job) == ("FAILED", ["CANCELLED"])

    def test_cancels_at_the_same_time_are_one(self) -> None:
        job = create()
        sender = organization()
        outcomes = in_threads(*[lambda: cancel_job(sender=sender, job_id=job.pk)] * 4)
        assert outcomes == [None] * 4
        assert version_of(job) == 1


def test_a_signer_who_is_to_be_looked_up_is_sent_nothing_yet_and_finds_the_job() -> None:
    job = create(RequestedSigner(PersonalIdentificationNumber(KARI), NotificationsUsingLookup(sms=True)))
    assert not Notification.objects.exists()
    assert [each.job for each in signers_of_person(personal_identification_number=KARI)] == [job]
