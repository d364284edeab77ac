"""Signing and sealing with real keys, from agreement to a completed job."""

import secrets
from base64 import b64decode
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from lxml import etree

from builders import (
    KARI,
    OLA,
    agreed,
    agreement,
    contact,
    create,
    create_texts,
    identity,
    laid_out,
    person,
    status_of,
    stored_names,
)
from certificates import certificate, private_key, subject
from pdfs import pdf
from segl.core import pades, xades
from segl.core.errors import InvalidSignature
from segl.core.keys import PrivateKey
from segl.core.protocol import SignatureType
from segl.core.verification import Verdict
from segl.service import clock, due, rendering, sealing
from segl.service.jobs import sealing as jobs
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.finding import document_of
from segl.service.rendering import PageContent
from segl.service.sealing import Sealer
from segl.service.store import documents
from segl.service.store.documents import DocumentDamagedError
from segl.service.store.models import Document, DocumentKind, Due, Job, Sealing, Signing
from segl.service.work.perform import perform, sign_now
from segl.service.work.verify import UnverifiedResultError, verify_results

pytestmark = pytest.mark.usefixtures("document_folder", "sealer")

ADVANCED = SignatureType.ADVANCED_SIGNATURE


def sign(job: Job, number: int = 1, by: str = KARI, name: str = "Kari Nordmann") -> bool:
    return sign_now(job_id=job.pk, number=number, identity=identity(by, name=name), agreement=agreement())


def content(job: Job, kind: DocumentKind, number: int = 1) -> bytes:
    document = document_of(job=job, kind=kind, number=number)
    assert document is not None
    return documents.read(document)


def certificate_of(xades: bytes) -> x509.Certificate:
    """The certificate that a XAdES was made with."""
    found = etree.fromstring(xades).findtext(".//{http://www.w3.org/2000/09/xmldsig#}X509Certificate")
    return x509.load_der_x509_certificate(b64decode(found or ""))


def originals(job: Job) -> dict[str, bytes]:
    rows = Document.objects.select_related("job").filter(job=job, kind=DocumentKind.ORIGINAL)
    return {each.name: documents.read(each) for each in rows}


def pages_of(job: Job) -> list[PageContent]:
    """The pages of its sealed PDF."""
    return rendering.read_contents(rendering.read_pages(content(job, DocumentKind.PADES)))


def test_a_job_is_signed_sealed_and_verified(database: str, sealer: Sealer) -> None:
    job = create(person(KARI), contact(signature_type=ADVANCED), contents=[pdf("Avtale")])
    assert sign(job)
    assert sign(job, 2, OLA, "Ola Nordmann")
    assert status_of(job) == ("COMPLETED_SUCCESSFULLY", ["SIGNED", "SIGNED"])
    for number, name in ((1, "Kari Nordmann"), (2, "Ola Nordmann")):
        found = xades.verify(
            content(job, DocumentKind.XADES, number), trust=sealer.trust, documents=originals(job), at=clock.now()
        )
        assert [(each.verdict, each.signer) for each in found] == [(Verdict.PASSED, name)]
    sealed = content(job, DocumentKind.PADES)
    found = pades.verify(sealed, trust=sealer.trust, documents=originals(job), at=clock.now())
    assert [each.verdict for each in found] == [Verdict.PASSED] * 3
    [found] = rendering.inspect({"signed.pdf": sealed})
    assert found.facts.pages == 2


@pytest.mark.usefixtures("sqlite")
class TestSeal:
    def test_a_plain_text_is_sealed_as_the_pdf_it_was_typeset_as(self) -> None:
        job = create_texts(pdf("En avtale"))
        assert sign(job)
        front, page = pages_of(job)
        assert "TEST – uten rettsvirkning" in front.text
        assert page.text.startswith("En avtale")

    def test_outside_a_sandbox_nothing_says_that_it_is_a_test(self, no_sandbox: None) -> None:
        job = create(person(KARI), contents=[pdf("En avtale")])
        assert sign(job)
        assert not [each for each in pages_of(job) if "TEST" in each.text]


@pytest.mark.usefixtures("sqlite")
class TestSignature:
    def test_an_advanced_signature_is_made_with_the_signers_own_certificate(self) -> None:
        job = create(person(KARI, signature_type=ADVANCED), person(OLA))
        assert sign(job)
        assert sign(job, 2, OLA, "Ola Nordmann")
        own, seal = (certificate_of(content(job, DocumentKind.XADES, number)) for number in (1, 2))
        assert "CN=Kari Nordmann" in own.subject.rfc4514_string()
        assert KARI not in own.subject.rfc4514_string()
        assert seal == sealing.current().seal_key.certificate

    @pytest.mark.parametrize(
        "name",
        ["Å" * 64, "Ødegård " * 12, "  Kari   Nordmann ", "Madonna", "李小龙" * 10, "x" * 300, "a " + "é" * 80, " "],
    )
    def test_any_name_fits_into_the_signers_own_certificate(self, name: str) -> None:
        job = create(person(KARI, signature_type=ADVANCED), person(OLA))
        assert sign(job, name=name)
        assert status_of(job) == ("IN_PROGRESS", ["SIGNED", "WAITING"])

    def test_a_signature_that_no_longer_counts_leaves_nothing_behind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from segl.service.work import sign as room

        job = create(person(KARI))
        signing = agreed(job)
        before = stored_names()
        real = documents.put

        def put_and_cancel(*arguments: object) -> object:
            stored = real(*arguments)  # type: ignore[arg-type]
            cancel_job(sender=job.sender, job_id=job.pk)
            return stored

        monkeypatch.setattr(room.documents, "put", put_and_cancel)
        assert perform(signing)
        assert stored_names() == before
        assert status_of(job) == ("FAILED", ["CANCELLED"])

    def test_a_signature_of_a_worker_that_lost_its_lease_leaves_nothing_behind(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from segl.service.work import sign as room

        late = agreed(create(person(KARI), person(OLA)))
        before = stored_names()
        real = documents.put

        def put_and_lose(*arguments: object) -> object:
            stored = real(*arguments)  # type: ignore[arg-type]
            due.release_all(Signing)
            due.claim(Signing)
            return stored

        monkeypatch.setattr(room.documents, "put", put_and_lose)
        assert not perform(late)
        assert stored_names() == before

    def test_it_is_not_started_when_another_worker_has_made_it(self) -> None:
        late = agreed(create(person(KARI), person(OLA)))
        due.release_all(Signing)
        current = due.claim(Signing)[0]
        assert perform(current)
        before = stored_names()
        assert not perform(late)
        assert stored_names() == before


@pytest.mark.usefixtures("sqlite")
class TestOutage:
    """Signatures that people have given, and seals, wait for as long as it takes."""

    def fails_for_hours(self, model: type[Due], reason: str) -> None:
        for _ in range(2 * due.MAX_ATTEMPTS):
            clock.move(due.LONGEST_BACKOFF)
            assert not perform(due.claim(model)[0])
        row = model.objects.get()  # type: ignore[attr-defined]  # any model's manager
        assert row.parked_at is None
        assert reason in row.last_error
        clock.move(due.LONGEST_BACKOFF)

    def test_of_the_document_store(self, document_folder: Path) -> None:
        job = create(person(KARI), contents=[pdf("Avtale")])
        elsewhere = document_folder.rename(document_folder.with_name("elsewhere"))
        assert not sign(job)
        self.fails_for_hours(Signing, "the document store failed (No such file or directory)")
        elsewhere.rename(document_folder)
        assert perform(due.claim(Signing)[0])
        document_folder.rename(elsewhere)
        self.fails_for_hours(Sealing, "the document store lacks the documents stored last")
        elsewhere.rename(document_folder)
        assert perform(due.claim(Sealing)[0])
        assert status_of(job) == ("COMPLETED_SUCCESSFULLY", ["SIGNED"])

    @pytest.mark.parametrize("signature_type", [None, ADVANCED])
    def test_of_a_certificate_that_has_expired(
        self, sealer: Sealer, monkeypatch: pytest.MonkeyPatch, signature_type: SignatureType | None
    ) -> None:
        job = create(person(KARI, signature_type=signature_type), contents=[pdf("Avtale")])
        with monkeypatch.context() as expired:
            expired.setattr(sealing.sealer, "_current", replace(sealer, seal_key=expired_key()))
            assert not sign(job)
            self.fails_for_hours(Signing, "nothing can be signed: The certificate CN=Old expired")
        assert perform(due.claim(Signing)[0])
        with monkeypatch.context() as expired:
            expired.setattr(sealing.sealer, "_current", replace(sealer, signer_ca=expired_key()))
            self.fails_for_hours(Sealing, "nothing can be signed: The certificate CN=Old expired")
        assert perform(due.claim(Sealing)[0])
        assert status_of(job) == ("COMPLETED_SUCCESSFULLY", ["SIGNED"])


def expired_key() -> PrivateKey:
    key, day = private_key("old", "P-256"), timedelta(days=1)
    made = certificate(subject("Old"), key, subject("Old"), key, True, True, clock.now() - 2 * day, clock.now() - day)
    return PrivateKey(made, (), key)


@pytest.fixture
def ready(sqlite: None) -> Job:
    """A job that both have signed and that is not sealed yet."""
    job = create(person(KARI), person(OLA), contents=[pdf("Avtale")])
    assert sign(job)
    assert perform(agreed(job, 2, identity(OLA, name="Ola Nordmann")))
    assert status_of(job) == ("IN_PROGRESS", ["SIGNED", "SIGNED"])
    return job


def test_signing_seals_no_other_job(ready: Job) -> None:
    own = create(person(KARI), contents=[pdf("Avtale")])
    assert sign(own)
    assert status_of(own) == ("COMPLETED_SUCCESSFULLY", ["SIGNED"])
    assert status_of(ready) == ("IN_PROGRESS", ["SIGNED", "SIGNED"])


class TestVerification:
    """Only a sealed PDF that was read back and verified completes a job."""

    def refuses(self, job: Job, sealed: bytes, words: str) -> None:
        task = jobs.begin_seal(Sealing.objects.get(job=job))
        with pytest.raises((UnverifiedResultError, InvalidSignature, DocumentDamagedError), match=words):
            stored = documents.put(task.key, sealed)
            shown = [laid_out(documents.read(each))[0] for each in task.originals]
            verify_results(task, stored, shown=shown, at=clock.now())

    def assembled(self, job: Job, xades_files: dict[str, bytes], *shown: bytes) -> bytes:
        from segl.service.work import seal as room

        task = jobs.begin_seal(Sealing.objects.get(job=job))
        attachments = [room._attachment(name, data) for name, data in xades_files.items()]
        return rendering.assemble(
            documents=[laid_out(each)[0] for each in shown or originals(job).values()],
            front_page=room._front_page(task, clock.now()),
            attachments=attachments,
        )

    def xades(self, job: Job) -> dict[str, bytes]:
        return {f"xades-{number}.xml": content(job, DocumentKind.XADES, number) for number in (1, 2)}

    def test_a_document_without_seal_is_refused(self, ready: Job) -> None:
        self.refuses(ready, self.assembled(ready, self.xades(ready)), "is not signed")

    def test_a_document_without_a_signers_xades_is_refused(self, ready: Job, sealer: Sealer) -> None:
        files = self.xades(ready)
        files.pop("xades-2.xml")
        made = sealer.seal(self.assembled(ready, files), sealed_at=clock.now())
        self.refuses(ready, made, f"job {ready.pk} holds 2 signatures")

    def test_a_changed_xades_is_refused(self, ready: Job, sealer: Sealer) -> None:
        files = self.xades(ready)
        files["xades-2.xml"] = files["xades-2.xml"].replace(b"Ola Nordmann", b"Eva Nordmann")
        made = sealer.seal(self.assembled(ready, files), sealed_at=clock.now())
        self.refuses(ready, made, "xades-2.xml of job .* is TOTAL-FAILED")

    def test_the_xades_of_another_signer_in_its_place_is_refused(self, ready: Job, sealer: Sealer) -> None:
        files = self.xades(ready)
        files["xades-2.xml"] = files["xades-1.xml"]
        made = sealer.seal(self.assembled(ready, files), sealed_at=clock.now())
        self.refuses(ready, made, "xades-2.xml in the sealed PDF .* is another signature")

    def test_the_xades_of_the_same_signer_in_another_job_is_refused(self, ready: Job, sealer: Sealer) -> None:
        other = create(person(KARI), contents=[*originals(ready).values()])
        assert sign(other)
        files = self.xades(ready) | {"xades-1.xml": content(other, DocumentKind.XADES)}
        made = sealer.seal(self.assembled(ready, files), sealed_at=clock.now())
        self.refuses(ready, made, "xades-1.xml in the sealed PDF .* is another signature")

    def test_a_document_changed_after_the_seal_is_refused(self, ready: Job, sealer: Sealer) -> None:
        made = bytearray(sealer.seal(self.assembled(ready, self.xades(ready)), sealed_at=clock.now()))
        made[len(b"%PDF-1.7\n%")] ^= 1  # in a comment: nothing else would notice
        self.refuses(ready, bytes(made), "of job .* is TOTAL-FAILED")

    def test_other_pages_than_the_signers_were_shown_are_refused(self, ready: Job, sealer: Sealer) -> None:
        other = self.assembled(ready, self.xades(ready), pdf("Avtala"))
        self.refuses(ready, sealer.seal(other, sealed_at=clock.now()), "does not show the pages that were laid out")

    def test_another_original_than_the_signed_one_is_refused(self, ready: Job, sealer: Sealer) -> None:
        made = sealer.seal(self.assembled(ready, self.xades(ready)), sealed_at=clock.now())
        other = documents.put(jobs.begin_seal(Sealing.objects.get(job=ready)).key, pdf("En annen avtale"))
        original = Document.objects.filter(job=ready, kind=DocumentKind.ORIGINAL)
        original.update(stored_name=other.name, sha256=other.sha256)
        self.refuses(ready, made, "of job .* is TOTAL-FAILED")

    def test_an_original_that_was_lost_is_refused(self, ready: Job, sealer: Sealer) -> None:
        made = sealer.seal(self.assembled(ready, self.xades(ready)), sealed_at=clock.now())
        Document.objects.filter(job=ready, kind=DocumentKind.ORIGINAL).update(sha256=secrets.token_bytes(32))
        self.refuses(ready, made, "SHA-256")

    def test_a_job_whose_original_was_lost_is_not_completed(self, ready: Job) -> None:
        Document.objects.filter(job=ready, kind=DocumentKind.ORIGINAL).update(sha256=secrets.token_bytes(32))
        assert not perform(due.claim(Sealing)[0])
        assert status_of(ready) == ("IN_PROGRESS", ["SIGNED", "SIGNED"])
        assert "SHA-256" in Sealing.objects.get().last_error

    def test_a_job_whose_seal_does_not_verify_is_not_completed(
        self, ready: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Sealer, "seal", lambda _self, assembled, **_: assembled)
        assert not perform(due.claim(Sealing)[0])
        assert status_of(ready) == ("IN_PROGRESS", ["SIGNED", "SIGNED"])

    def test_a_verified_document_completes_the_job(self, ready: Job) -> None:
        assert perform(due.claim(Sealing)[0])
        assert status_of(ready) == ("COMPLETED_SUCCESSFULLY", ["SIGNED", "SIGNED"])

    def test_a_seal_of_a_worker_that_lost_its_lease_leaves_nothing_behind(self, ready: Job) -> None:
        late = due.claim(Sealing)[0]
        due.release_all(Sealing)
        assert perform(due.claim(Sealing)[0])
        before = stored_names()
        assert not perform(late)
        assert stored_names() == before
        assert Document.objects.filter(job=ready, kind=DocumentKind.PADES).count() == 1
