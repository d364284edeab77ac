"""A job that all have signed is completed with its sealed document, once."""

import pytest

from builders import KARI, OLA, contact, create, everything, identity, person, sealed, signed, status_of, version_of
from segl.core.pades import FrontPageSigner
from segl.core.protocol import SignatureType
from segl.service import clock, due
from segl.service.due import LeaseLostError
from segl.service.jobs.finding import document_of
from segl.service.jobs.sealing import begin_seal, complete_seal
from segl.service.store import documents
from segl.service.store.models import DocumentKind, Job, Sealing, Signer

pytestmark = pytest.mark.usefixtures("store")


def all_signed() -> Job:
    job = create(
        person(KARI), contact(signature_type=SignatureType.ADVANCED_SIGNATURE), contents=[b"%PDF"], titles=["A"]
    )
    signed(job, 1)
    signed(job, 2, identity(OLA, name="Ola Nordmann"))
    return job


def test_everything_that_goes_into_the_sealed_document_is_there() -> None:
    job = all_signed()
    task = begin_seal(due.claim(Sealing)[0])
    first, second = Signer.objects.filter(job=job).order_by("number")
    assert task.job == job
    assert [documents.read(each) for each in task.originals] == [b"%PDF"]
    assert [documents.read(each) for each in task.xades] == [b"<xades-1/>", b"<xades-2/>"]
    assert task.signers == (
        FrontPageSigner("Kari Nordmann", KARI, first.status_since, "TestID", 4, SignatureType.AUTHENTICATED_SIGNATURE),
        FrontPageSigner(
            "Ola Nordmann", "17.05.1940", second.status_since, "TestID", 4, SignatureType.ADVANCED_SIGNATURE
        ),
    )


def test_the_job_is_completed_and_put_on_the_senders_queue() -> None:
    job = all_signed()
    version, before = version_of(job), clock.now()
    sealed(job)
    assert status_of(job) == ("COMPLETED_SUCCESSFULLY", ["SIGNED", "SIGNED"])
    completed_at = Job.objects.get(pk=job.pk).completed_at
    assert completed_at is not None
    assert before <= completed_at <= clock.now()
    assert version_of(job) == version + 1
    document = document_of(job=job, kind=DocumentKind.PADES)
    assert document is not None
    assert documents.read(document) == b"%PDF sealed"
    assert due.claim(Sealing) == []


def test_a_worker_that_lost_its_lease_completes_nothing() -> None:
    job = all_signed()
    late = due.claim(Sealing)[0]
    due.release_all(Sealing)
    current = due.claim(Sealing)[0]
    key = begin_seal(late).key
    made = documents.put(key, b"late")
    before = everything()
    with pytest.raises(LeaseLostError):
        complete_seal(late, made)
    assert everything() == before
    complete_seal(current, documents.put(key, b"in time"))
    with pytest.raises(LeaseLostError):
        complete_seal(late, made)
    document = document_of(job=job, kind=DocumentKind.PADES)
    assert document is not None
    assert documents.read(document) == b"in time"


def test_a_job_is_completed_once() -> None:
    all_signed()
    sealing = due.claim(Sealing)[0]
    stored = documents.put(begin_seal(sealing).key, b"%PDF sealed")
    complete_seal(sealing, stored)
    before = everything()
    with pytest.raises(LeaseLostError):
        complete_seal(sealing, stored)
    assert everything() == before
