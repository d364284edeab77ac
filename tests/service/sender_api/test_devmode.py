"""Signing without a browser, as senders' programs do it in their tests; in a sandbox alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from api_answers import error
from builders import KARI, OLA, contact, create, everything, organization, person, status_of
from pdfs import pdf
from segl.core import pades
from segl.core.protocol import PortalStatusChange
from segl.core.verification import Verdict
from segl.sandbox import devmode
from segl.service import clock, due, sealing
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.signing import complete_signature
from segl.service.sealing import Sealer
from segl.service.store import documents
from segl.service.store.documents import JobKey, StoredDocument
from segl.service.store.models import Job, Sealing, Signing
from segl.service.work.perform import perform

PUBLIC, PRIVATE, BROKER = "123456789", "310248711", "318602352"
JOBS = f"/api/{PUBLIC}/portal/signature-jobs"


def url(job: Job, signer: str) -> str:
    return f"/web/portal/signature-jobs/{job.pk}/devmodesign?signer={signer}"


def test_a_job_is_signed_and_sealed_without_a_browser(apis: dict[str, Any], sealer: Sealer) -> None:
    contract = pdf("Avtale")
    job = create(person(KARI), person(OLA), contents=[contract])
    assert apis[PUBLIC].call("POST", url(job, KARI)).status_code == 204
    assert status_of(job) == ("IN_PROGRESS", ["SIGNED", "WAITING"])
    assert apis[BROKER].call("POST", url(job, OLA)).status_code == 204
    assert status_of(job) == ("COMPLETED_SUCCESSFULLY", ["SIGNED", "SIGNED"])
    change = PortalStatusChange.from_xml(apis[PUBLIC].get(JOBS).content)
    assert change.pades_url is not None
    answer = apis[PUBLIC].get(change.pades_url.removeprefix("https://127.0.0.1:8443"))
    sealed = b"".join(answer.streaming_content)
    trust = sealing.current().trust
    reports = pades.verify(sealed, trust=trust, documents={"0001_dokument.pdf": contract}, at=clock.now())
    assert [each.verdict for each in reports] == [Verdict.PASSED] * 3
    assert {each.evidence.signer_name for each in reports if each.evidence} == {"Test Testesen"}


def test_one_whose_turn_it_is_not_cannot_sign(api: Any, sealer: Sealer) -> None:
    job = create(person(KARI, order=1), person(OLA, order=2))
    before = everything()
    assert error(api.call("POST", url(job, OLA)))[:2] == (409, "SIGNER_CANNOT_SIGN")
    assert everything() == before


def test_of_two_with_the_same_number_the_one_signs_whose_turn_it_is(api: Any, sealer: Sealer) -> None:
    job = create(person(KARI, order=2), person(KARI, order=1), person(OLA, order=3))
    for statuses in (["WAITING", "SIGNED", "WAITING"], ["SIGNED", "SIGNED", "WAITING"]):
        assert api.call("POST", url(job, KARI)).status_code == 204
        assert status_of(job) == ("IN_PROGRESS", statuses)
    assert error(api.call("POST", url(job, KARI)))[:2] == (409, "SIGNER_CANNOT_SIGN")


def test_a_job_that_has_ended_cannot_be_signed(api: Any, sealer: Sealer) -> None:
    job = create(person(KARI))
    cancel_job(sender=organization(), job_id=job.pk)
    assert error(api.call("POST", url(job, KARI)))[:2] == (409, "SIGNER_CANNOT_SIGN")


def test_a_job_that_ends_while_the_signature_is_made_is_not_said_to_be_signed(
    api: Any, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create(person(KARI))
    real = documents.put

    def put_and_cancel(key: JobKey, content: bytes) -> StoredDocument:
        stored = real(key, content)
        cancel_job(sender=organization(), job_id=job.pk)
        return stored

    monkeypatch.setattr(documents, "put", put_and_cancel)
    status, code, message = error(api.call("POST", url(job, KARI)))
    assert (status, code) == (409, "SIGNER_CANNOT_SIGN")
    assert "CANCELLED" in message
    assert status_of(job) == ("FAILED", ["CANCELLED"])


@pytest.fixture
def claimed(monkeypatch: pytest.MonkeyPatch) -> list[Sealing]:
    """The seals that a worker was quicker to claim."""
    rows: list[Sealing] = []

    def complete(signing: Signing, xades: StoredDocument) -> bool:
        counts = complete_signature(signing, xades)
        rows.extend(due.claim(Sealing))
        return counts

    monkeypatch.setattr("segl.service.jobs.signing.complete_signature", complete)
    return rows


def test_the_answer_waits_for_a_seal_that_a_worker_makes(
    api: Any, sealer: Sealer, claimed: list[Sealing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devmode, "sleep", lambda _: perform(claimed.pop()))
    job = create(person(KARI), contents=[pdf("Avtale")])
    assert api.call("POST", url(job, KARI)).status_code == 204
    assert status_of(job) == ("COMPLETED_SUCCESSFULLY", ["SIGNED"])


def test_the_answer_waits_for_no_seal_that_takes_long(
    api: Any, sealer: Sealer, claimed: list[Sealing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devmode, "LONGEST_WAIT_SECONDS", -1)
    job = create(person(KARI), contents=[pdf("Avtale")])
    assert api.call("POST", url(job, KARI)).status_code == 202
    assert status_of(job) == ("IN_PROGRESS", ["SIGNED"])
    assert len(claimed) == 1


@pytest.mark.parametrize("signer", ["", OLA, "x", "%00", f"{KARI}%00", "%7F", "1" * 5000])
def test_one_who_was_not_asked_is_not_found(api: Any, signer: str) -> None:
    status, code, message = error(api.call("POST", url(create(person(KARI), contact()), signer)))
    assert (status, code) == (404, "SIGNER_NOT_FOUND")
    assert OLA not in message


def test_another_organizations_job_does_not_exist_for_the_caller(apis: dict[str, Any]) -> None:
    job = create(person(KARI))
    theirs = error(apis[PRIVATE].call("POST", url(job, KARI)))
    assert theirs == (404, "SIGNATURE_JOB_NOT_FOUND", f"There is no job {job.pk}.")
    assert error(apis[PUBLIC].call("POST", url(Job(pk=4711), KARI)))[:2] == (404, "SIGNATURE_JOB_NOT_FOUND")


def test_a_stranger_is_refused(api: Any) -> None:
    assert error(type(api)(None).call("POST", url(create(person(KARI)), KARI)))[:2] == (403, "NOT_AUTHORIZED")


def test_other_methods_are_refused(api: Any) -> None:
    assert error(api.get(url(create(person(KARI)), KARI)))[:2] == (405, "METHOD_NOT_ALLOWED")


@pytest.fixture
def in_production(no_sandbox: None) -> Iterator[None]:
    with override_settings(SEGL_API_URLCONF="segl.service.sender_api.urls"):
        yield


def test_outside_a_sandbox_there_is_no_such_resource(api: Any, in_production: None) -> None:
    assert error(api.call("POST", url(create(person(KARI)), KARI)))[:2] == (404, "NOT_FOUND")
