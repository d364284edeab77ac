"""Which pages were shown to a signer: recorded once, in any order, and kept as evidence."""

from dataclasses import replace

import pytest

from builders import agreed, agreement, contact, create, everything, identity, in_threads, person
from pdfs import pdf
from segl.service.jobs import deliveries
from segl.service.jobs.errors import PagesNotShownError
from segl.service.jobs.signing import agree, begin_signature
from segl.service.store.models import DeliveredPage, Job, Signer

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def job() -> Job:
    return create(person(), contact(), contents=[pdf(*"abcd"), pdf("Vedlegg")], titles=["Avtale", "Vedlegg"])


@pytest.fixture
def signer(job: Job) -> Signer:
    return job.signers.get(number=1)


def seen(signer: Signer, *pages: tuple[int, int], width: int = 480) -> None:
    for document, page in pages:
        deliveries.record(signer, document=document, page=page, width=width)


def test_a_page_is_recorded_once_for_each_signer_and_width(signer: Signer) -> None:
    outcomes = in_threads(*[lambda: seen(signer, (1, 1))] * 4)
    seen(signer, (1, 1), width=960)
    assert outcomes == [None] * 4
    rows = DeliveredPage.objects.values_list("signer", "document", "page", "width")
    assert sorted(rows) == [(signer.pk, 1, 1, 480), (signer.pk, 1, 1, 960)]
    assert deliveries.delivered(signer) == {1: {1}}


def test_pages_that_are_missing_are_named_and_nothing_is_recorded(job: Job, signer: Signer) -> None:
    seen(signer, (1, 2), (1, 1))
    seen(job.signers.get(number=2), (1, 3), (1, 4), (2, 1))
    before = everything()
    with pytest.raises(PagesNotShownError) as refused:
        agree(job_id=job.pk, number=1, identity=identity(), agreement=replace(agreement(), without_pictures=False))
    assert refused.value.pages == {1: [3, 4], 2: [1]}
    assert everything() == before


def test_what_was_shown_becomes_the_evidence(job: Job, signer: Signer) -> None:
    seen(signer, (1, 4), (1, 2), (1, 1), (2, 1))
    signing = agreed(job)
    seen(signer, (1, 3))  # afterwards
    task = begin_signature(signing)
    assert task is not None
    assert task.evidence.shown_pages == "1:1-2,4 2:1"


def test_an_agreement_of_a_release_that_did_not_record_pages_becomes_evidence(job: Job) -> None:
    signing = agreed(job)
    del signing.agreement["shown_pages"]
    task = begin_signature(signing)
    assert task is not None
    assert task.evidence.shown_pages == ""


@pytest.mark.parametrize(
    ("pages", "text"),
    [([], []), ([3], ["3"]), ([1, 2], ["1-2"]), ([7, 1, 3, 2], ["1-3", "7"]), ([1, 3, 5], ["1", "3", "5"])],
)
def test_pages_that_follow_each_other_are_named_together(pages: list[int], text: list[str]) -> None:
    assert deliveries.runs(pages) == text
