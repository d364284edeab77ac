"""The resources of the portal flow: from request to answer, refusals in the wire's words."""

import logging
from contextlib import ExitStack
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
from django.db import DatabaseError

from api_answers import assert_loop_survives, error
from away import AWAY
from builders import (
    KARI,
    contact,
    create,
    everything,
    in_threads,
    manifest,
    organization,
    person,
    sealed,
    signed,
    stored_names,
)
from django_environment import use_database
from pdfs import encrypted, pdf
from segl.core import asice
from segl.core.asice import PackageFile
from segl.core.keys import PrivateKey
from segl.core.protocol import (
    PortalJobRequest,
    PortalJobResponse,
    PortalManifest,
    PortalStatusChange,
    SignatureStatus,
)
from segl.service import clock, configuration
from segl.service.http import request_ids
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.errors import OutcomeUnknownError
from segl.service.rendering import children
from segl.service.sender_api.errors import response, response_to
from segl.service.sender_api.polling import POLL_TIME
from segl.service.store.models import Document, DocumentKind, Job
from segl.service.throttling import throttle

PUBLIC, PRIVATE, BROKER = "123456789", "310248711", "318602352"
JOBS = f"/api/{PUBLIC}/portal/signature-jobs"
BOUNDARY = "0123456789"
MULTIPART = f"multipart/mixed; boundary={BOUNDARY}"
Apis = dict[str, Any]
Keys = dict[str, PrivateKey]


def package(
    key: PrivateKey,
    asked: PortalManifest | bytes | None = None,
    files: dict[str, bytes] | None = None,
    at: datetime | None = None,
) -> bytes:
    made = asked if isinstance(asked, bytes) else (asked or manifest()).to_xml()
    documents = {"0001_dokument.pdf": pdf("Avtale")} if files is None else files
    return asice.build(
        manifest=made,
        documents=[PackageFile(name, "application/pdf", content) for name, content in documents.items()],
        key=key,
        signing_time=at or clock.wall(),
    )


def deflated(package: bytes) -> bytes:
    """The package as clients make it whose documents are unpacked to a temporary file."""
    made = BytesIO()
    with ZipFile(BytesIO(package)) as given, ZipFile(made, "w") as archive:
        for each in given.infolist():
            archive.writestr(each, given.read(each), ZIP_STORED if each.filename == "mimetype" else ZIP_DEFLATED)
    return made.getvalue()


def multipart(request: bytes, package: bytes) -> bytes:
    return (
        f"--{BOUNDARY}\r\nContent-Type: application/xml\r\n\r\n".encode()
        + request
        + f"\r\n--{BOUNDARY}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()
        + package
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


def body(packed: bytes, request: PortalJobRequest | None = None) -> bytes:
    return multipart((request or PortalJobRequest("ref")).to_xml(), packed)


def refused(api: Any, sent: bytes, **more: Any) -> tuple[int, str, str]:
    """What a job that must be refused is answered; nothing of it is kept."""
    before = everything()
    answer = error(api.call("POST", JOBS, sent, MULTIPART, **more))
    assert everything() == before
    return answer


class TestCreate:
    def test_a_job_is_accepted(self, api: Any, keys: Keys) -> None:
        answer = api.post(JOBS, body(package(keys[PUBLIC]), PortalJobRequest("my ref", "q")), MULTIPART)
        assert answer.status_code == 200
        response = PortalJobResponse.from_xml(answer.content)
        job = Job.objects.get()
        assert (response.signature_job_id, response.reference) == (job.pk, "my ref")
        assert response.cancellation_url == f"https://127.0.0.1:8443{JOBS}/{job.pk}/cancel"
        assert (job.sender_id, job.broker_id, job.polling_queue) == (PUBLIC, PUBLIC, "q")

    def test_a_broker_sends_for_one_who_authorized_it(self, apis: Apis, keys: Keys) -> None:
        answer = apis[BROKER].post(JOBS, body(package(keys[BROKER])), MULTIPART)
        assert answer.status_code == 200
        assert (Job.objects.get().sender_id, Job.objects.get().broker_id) == (PUBLIC, BROKER)

    def test_a_package_signed_by_another_organization_is_refused(self, api: Any, keys: Keys) -> None:
        status, code, message = refused(api, body(package(keys[BROKER])))
        assert (status, code) == (400, "ASICE_VALIDATION_FAILED")
        assert BROKER in message

    def test_a_manifest_of_another_sender_is_refused(self, api: Any, keys: Keys) -> None:
        answer = refused(api, body(package(keys[PUBLIC], manifest(sender=PRIVATE))))
        assert answer == (
            400,
            "ASICE_VALIDATION_FAILED",
            f"The manifest names {PRIVATE} as sender, the URL {PUBLIC}: they must be the same.",
        )

    def test_a_package_changed_after_signing_is_refused(self, api: Any, keys: Keys) -> None:
        sent = body(package(keys[PUBLIC])).replace(b"<title>Avtale om", b"<title>Avtala om")
        status, code, _ = refused(api, sent)
        assert (status, code) == (400, "ASICE_VALIDATION_FAILED")

    @pytest.mark.parametrize("late", [timedelta(seconds=6), -timedelta(seconds=6)])
    def test_a_package_of_another_time_is_refused(self, api: Any, keys: Keys, late: timedelta) -> None:
        status, code, message = refused(api, body(package(keys[PUBLIC], at=clock.wall() - late)))
        assert (status, code) == (400, "ASICE_VALIDATION_FAILED")
        assert "correct the clock" in message

    @pytest.mark.parametrize("files", [{}, {"other.pdf": pdf("A")}, {"0001_dokument.pdf": pdf("A"), "b.pdf": pdf("B")}])
    def test_manifest_and_package_name_the_same_files(self, api: Any, keys: Keys, files: dict[str, bytes]) -> None:
        status, code, message = refused(api, body(package(keys[PUBLIC], files=files)))
        assert (status, code) == (400, "ASICE_VALIDATION_FAILED")
        assert "the same files, each once" in message

    @pytest.mark.parametrize(("given", "content"), [("Application/PDF", pdf("Avtale")), ("Text/PLAIN", b"Avtale")])
    def test_the_case_of_a_media_type_means_nothing(self, api: Any, keys: Keys, given: str, content: bytes) -> None:
        asked = manifest().to_xml().replace(b"application/pdf", given.encode())
        sent = body(package(keys[PUBLIC], asked, {"0001_dokument.pdf": content}))
        assert api.post(JOBS, sent, MULTIPART).status_code == 200
        assert Document.objects.get(kind=DocumentKind.ORIGINAL).media_type == given.lower()

    def test_a_file_that_the_manifest_names_twice_is_named(self, api: Any, keys: Keys) -> None:
        asked = manifest(titles=("A", "B")).to_xml().replace(b"0002_dokument", b"0001_dokument")
        status, code, message = refused(api, body(package(keys[PUBLIC], asked)))
        assert (status, code) == (400, "ASICE_VALIDATION_FAILED")
        assert message.endswith("more than once in the manifest: 0001_dokument.pdf.")

    @pytest.mark.parametrize(
        "content",
        [b"", b"text", encrypted(user="x", owner="x"), encrypted(user="", owner="x"), pdf("A")[:300]],
        ids=["empty", "text", "password", "owner password", "cut off"],
    )
    def test_what_is_no_pdf_to_sign_is_refused(self, api: Any, keys: Keys, content: bytes) -> None:
        status, code, message = refused(api, body(package(keys[PUBLIC], files={"0001_dokument.pdf": content})))
        assert (status, code) == (400, "INVALID_DOCUMENT")
        assert message.startswith("0001_dokument.pdf: ")

    def test_a_text_of_too_many_lines_has_too_many_pages(self, api: Any, keys: Keys) -> None:
        asked = manifest().to_xml().replace(b"application/pdf", b"text/plain")
        sent = body(package(keys[PUBLIC], asked, {"0001_dokument.pdf": b"a\n" * 200_000}))
        status, code, message = refused(api, sent)
        assert (status, code) == (400, "TOO_MANY_PAGES")
        assert message.startswith("0001_dokument.pdf: The text has 200000 lines")

    def test_a_manifest_that_breaks_the_schema_is_refused(self, api: Any, keys: Keys) -> None:
        broken = manifest().to_xml().replace(b"<title>Avtale om", b"<titel>Avtale om")
        status, code, _ = refused(api, body(package(keys[PUBLIC], broken)))
        assert (status, code) == (400, "SCHEMA_VALIDATION_ERROR")

    def test_one_who_is_addressed_without_identity_number_is_not_looked_up(self, api: Any, keys: Keys) -> None:
        looked_up = (
            manifest(person(), contact())
            .to_xml()
            .replace(
                b'<notifications><email address="ola@example.com"/></notifications>',
                b"<notifications-using-lookup><email/></notifications-using-lookup>",
            )
        )
        status, code, message = refused(api, body(package(keys[PUBLIC], looked_up)))
        assert (status, code) == (400, "LOOKUP_NOT_ALLOWED_WITHOUT_IDENTITY_NUMBER")
        assert message.startswith("Signer 2 is identified-by-contact-information and has notifications-using-lookup")

    def test_a_request_that_breaks_the_schema_is_refused(self, api: Any, keys: Keys) -> None:
        for request in (b"<x/>", b"", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
            status, code, _ = refused(api, multipart(request, package(keys[PUBLIC])))
            assert (status, code) == (400, "SCHEMA_VALIDATION_ERROR")

    def test_the_parts_in_the_wrong_order_are_refused(self, api: Any) -> None:
        sent = multipart(b"1", b"2").replace(b"application/xml", b"x/y")
        assert refused(api, sent)[:2] == (400, "INVALID_REQUEST")

    def test_a_body_cut_off_is_refused(self, api: Any, keys: Keys) -> None:
        whole = body(package(keys[PUBLIC]))
        for length in (0, 10, len(whole) // 2, len(whole) - 20):
            assert refused(api, whole[:length])[:2] == (400, "INVALID_REQUEST")

    def test_what_the_sector_may_not_ask_for_is_refused(self, apis: Apis, keys: Keys) -> None:
        asked = manifest(sender=PRIVATE, required_authentication="3")
        before = everything()
        answer = apis[PRIVATE].post(JOBS.replace(PUBLIC, PRIVATE), body(package(keys[PRIVATE], asked)), MULTIPART)
        assert error(answer)[:2] == (400, "REQUIRED_AUTHENTICATION_NOT_ALLOWED")
        assert everything() == before

    def test_no_refusal_repeats_an_identity_number(self, api: Any, keys: Keys) -> None:
        broken = manifest(person(KARI)).to_xml().replace(KARI.encode(), KARI.encode() + b"0")
        assert KARI not in refused(api, body(package(keys[PUBLIC], broken)))[2]


class TestPoll:
    def test_an_empty_queue_says_when_to_come_again(self, api: Any) -> None:
        before = clock.wall()
        answer = api.get(JOBS)
        assert answer.status_code == 204
        permitted = datetime.fromisoformat(answer["X-Next-permitted-poll-time"])
        assert timedelta(seconds=599) < permitted - before < timedelta(seconds=602)

    @pytest.mark.parametrize("query", ["", "?polling_queue", "?polling_queue="])
    def test_a_change_is_given_with_what_can_be_done(self, api: Any, query: str) -> None:
        job = create(person(KARI), contact(order=1), reference="ref")
        signed(job)
        answer = api.get(JOBS + query)
        assert answer.status_code == 200
        assert datetime.fromisoformat(answer["X-Next-permitted-poll-time"]) <= clock.wall()
        change = PortalStatusChange.from_xml(answer.content)
        url = f"https://127.0.0.1:8443{JOBS}/{job.pk}"
        assert (change.signature_job_id, change.status, change.reference) == (job.pk, "IN_PROGRESS", "ref")
        assert (change.confirmation_url, change.cancellation_url) == (f"{url}/complete?version=1", f"{url}/cancel")
        assert [each.status for each in change.signatures] == [SignatureStatus.SIGNED, SignatureStatus.WAITING]
        assert [each.xades_url for each in change.signatures] == [f"{url}/xades/1", None]
        assert change.pades_url is None

    def test_a_job_that_all_have_signed_cannot_be_cancelled_even_before_it_is_sealed(self, api: Any) -> None:
        job = create(person(KARI), contact())
        signed(job)
        signed(job, number=2)
        change = PortalStatusChange.from_xml(api.get(JOBS).content)
        assert (change.status, change.cancellation_url) == ("IN_PROGRESS", None)
        assert error(api.post(f"{JOBS}/{job.pk}/cancel"))[:2] == (409, "SIGNATURE_JOB_ENDED")

    def test_a_change_is_confirmed_at_its_url(self, api: Any) -> None:
        job = create()
        cancel_job(sender=organization(), job_id=job.pk)
        change = PortalStatusChange.from_xml(api.get(JOBS).content)
        assert change.cancellation_url is None
        answer = api.post(change.confirmation_url.removeprefix("https://127.0.0.1:8443"))
        assert answer.status_code == 204
        clock.move(timedelta(hours=1))
        assert api.get(JOBS).status_code == 204

    @pytest.mark.parametrize("query", ["", "?version=", "?version=x", "?version=-1", "?version=1.0", "?version=%00"])
    def test_a_confirmation_without_version_is_refused(self, api: Any, query: str) -> None:
        job = create()
        assert error(api.post(f"{JOBS}/{job.pk}/complete{query}"))[:2] == (400, "INVALID_REQUEST")

    @pytest.mark.parametrize("queue", ["none", "%00", "%F0%9F%92%A9", "a%20b", "%FF", "x" * 5000])
    def test_a_queue_that_never_was_is_empty(self, api: Any, queue: str) -> None:
        assert api.get(f"{JOBS}?polling_queue={queue}").status_code == 204


class TestDownload:
    def test_the_results_are_given_as_they_are(self, api: Any) -> None:
        job = create()
        signed(job)
        xades = api.get(f"{JOBS}/{job.pk}/xades/1")
        assert (xades.getvalue(), xades["Content-Type"]) == (b"<xades-1/>", "application/xml")
        sealed(job)
        pades = api.get(f"{JOBS}/{job.pk}/pades")
        assert (pades.getvalue(), pades["Content-Type"]) == (b"%PDF sealed", "application/octet-stream")
        assert pades["Content-Length"] == "11"
        assert sha256(pades.getvalue()).digest()

    @pytest.mark.parametrize("path", ["xades/1", "xades/0", "xades/99999999999999999999", "pades"])
    def test_what_is_not_there_yet_is_not_found(self, api: Any, path: str) -> None:
        job = create()
        assert error(api.get(f"{JOBS}/{job.pk}/{path}"))[:2] == (404, "SIGNATURE_JOB_NOT_FOUND")

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "xades/1"), ("GET", "pades"), ("POST", "cancel"), ("POST", "complete?version=1")]
    )
    def test_another_senders_job_does_not_exist_for_the_caller(self, apis: Apis, method: str, path: str) -> None:
        job = create()
        signed(job)
        theirs = JOBS.replace(PUBLIC, PRIVATE)
        before = everything()
        answers = {
            error(apis[PRIVATE].call(method, f"{theirs}/{number}/{path}"))[2].replace(str(number), "N")
            for number in (job.pk, 2_000_000_000)
        }
        assert answers == {"There is no job N."}
        assert everything() == before


class TestCancel:
    def test_a_job_is_cancelled_and_cancelled_again(self, api: Any) -> None:
        job = create()
        for _ in range(2):
            assert api.post(f"{JOBS}/{job.pk}/cancel").status_code == 204

    def test_a_completed_job_conflicts(self, api: Any) -> None:
        job = create()
        signed(job)
        sealed(job)
        assert error(api.post(f"{JOBS}/{job.pk}/cancel"))[:2] == (409, "SIGNATURE_JOB_ENDED")


class TestErrors:
    @pytest.mark.parametrize("path", ["/", "/api", "/api/", "/jobs/1", f"{JOBS}/x", f"{JOBS}/1/other", "/%00", "/%0A"])
    def test_an_unknown_address_is_an_error_document(self, api: Any, path: str) -> None:
        assert error(api.get(path))[:2] == (404, "NOT_FOUND")

    def test_another_method_is_an_error_document(self, api: Any) -> None:
        status, code, message = error(api.call("DELETE", JOBS))
        assert (status, code, message) == (
            405,
            "METHOD_NOT_ALLOWED",
            "DELETE is not allowed here: use GET or POST.",
        )

    def test_a_failure_of_ours_shows_a_number_and_nothing_else(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG), request_ids.working_on("0123456789abcdef"):
            status, code, message = error(response_to(DatabaseError(f"Key (number)=({KARI}) already exists")))
        assert (status, code) == (500, "INTERNAL_ERROR")
        assert KARI not in message
        assert KARI not in caplog.text
        assert "quote 0123456789abcdef if you report it" in message

    def test_documents_that_cannot_be_processed_at_present_may_be_sent_again(
        self, api: Any, keys: Keys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(children, "LONGEST_WAIT_SECONDS", 0)
        with ExitStack() as turns:
            for _ in range(configuration.current().rendering.children):
                turns.enter_context(children.turn())
            sent = body(package(keys[PUBLIC]))
            assert refused(api, sent)[:2] == (503, "SERVICE_UNAVAILABLE")
            assert api.post(JOBS, sent, MULTIPART)["Retry-After"] == "10"
        assert api.post(JOBS, sent, MULTIPART).status_code == 200

    def test_a_message_with_what_xml_cannot_carry_is_sent_all_the_same(self) -> None:
        assert error(response(400, "CODE", "a\0b\x1fc\ud800")) == (400, "CODE", "a\ufffdb\ufffdc\ufffd")


def test_requests_that_django_refuses_get_error_documents(api: Any) -> None:
    too_many = "&".join(f"a{number}=1" for number in range(1001))
    assert error(api.get(f"{JOBS}?{too_many}"))[:2] == (400, "INVALID_REQUEST")
    assert error(api.call("OPTIONS", "*"))[:2] == (404, "NOT_FOUND")


class TestOutages:
    """503 with Retry-After, one line in the log, and the SDK's loop goes on."""

    @pytest.fixture(autouse=True)
    def _log(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog
        caplog.set_level(logging.WARNING, logger="segl")

    def assert_away(self, answer: Any, reason: str) -> None:
        status, code, message = error(answer)
        assert (status, code, answer["Retry-After"]) == (503, "SERVICE_UNAVAILABLE", "10")
        assert message == "Something that the service needs is away for now: send the request again later."
        [line] = [each.getMessage() for each in self.caplog.records if each.levelno >= logging.ERROR]
        assert line.startswith("A request cannot be answered for now: ")
        assert reason in line
        assert "\n" not in line
        assert_loop_survives(answer)

    @pytest.mark.parametrize("path", [f"/api/{PUBLIC}", JOBS, f"{JOBS}/1/pades"])
    def test_the_database_is_away(self, api: Any, database_url: str, path: str) -> None:
        with use_database(AWAY[database_url.partition(":")[0]]):
            self.assert_away(api.get(path), "the database failed (")

    def test_the_document_store_takes_nothing(self, api: Any, keys: Keys, document_folder: Path) -> None:
        before = everything()
        document_folder.rename(document_folder.with_name("elsewhere"))
        self.assert_away(api.post(JOBS, body(package(keys[PUBLIC])), MULTIPART), "the document store failed (No such")
        document_folder.with_name("elsewhere").rename(document_folder)
        assert everything() == before

    def test_the_document_store_gives_nothing(self, api: Any, document_folder: Path) -> None:
        job = create()
        signed(job)
        document_folder.rename(document_folder.with_name("elsewhere"))
        self.assert_away(api.get(f"{JOBS}/{job.pk}/xades/1"), "the document store lacks the documents stored last")

    def test_there_is_no_room_for_temporary_files(
        self, api: Any, keys: Keys, monkeypatch: pytest.MonkeyPatch, document_folder: Path
    ) -> None:
        sent = body(deflated(package(keys[PUBLIC], files={"0001_dokument.pdf": pdf("Avtale") + bytes(300_000)})))
        monkeypatch.setattr("tempfile.tempdir", "/nowhere")
        self.assert_away(api.post(JOBS, sent, MULTIPART), "(No such file or directory)")

    def test_whether_a_job_was_made_is_not_known(self) -> None:
        answer = response_to(OutcomeUnknownError("whether a job was made is not known"))
        status, code, message = error(answer)
        assert (status, code, answer["Retry-After"]) == (503, "SERVICE_UNAVAILABLE", "10")
        assert message.startswith("It is not known whether the job was created")


class TestPace:
    def test_a_queue_polled_before_the_time_permitted_says_when(self, api: Any) -> None:
        empty = api.get(JOBS)
        assert empty.status_code == 204
        again = api.get(JOBS)
        assert error(again)[:2] == (429, "TOO_EAGER_POLLING")
        assert again[POLL_TIME] == empty[POLL_TIME]
        assert "DoSFilter" not in again.headers
        assert datetime.fromisoformat(again[POLL_TIME]) > clock.wall()

    def test_a_time_further_ahead_than_the_interval_blocks_no_poll(self, api: Any) -> None:
        later = clock.shared() + configuration.current().poll_interval + timedelta(hours=2)
        throttle().found_empty(PUBLIC, "", until=later)
        assert api.get(JOBS).status_code == 204
        assert error(api.get(JOBS))[:2] == (429, "TOO_EAGER_POLLING")

    def test_each_queue_has_a_time_of_its_own(self, api: Any) -> None:
        create(polling_queue="mine")
        assert api.get(JOBS).status_code == 204
        cancel_job(sender=organization(), job_id=Job.objects.get().pk)
        assert api.get(f"{JOBS}?polling_queue=mine").status_code == 200
        assert api.get(f"{JOBS}?polling_queue=mine").status_code == 204

    def test_after_a_change_the_next_poll_is_permitted_at_once(self, api: Any) -> None:
        cancel_job(sender=organization(), job_id=create().pk)
        answer = api.get(JOBS)
        assert answer.status_code == 200
        assert datetime.fromisoformat(answer[POLL_TIME]) <= clock.wall()

    def test_the_default_queue_is_polled_in_three_ways(self, api: Any) -> None:
        assert api.get(JOBS).status_code == 204
        for query in ("?polling_queue", "?polling_queue="):
            assert api.get(JOBS + query).status_code == 429

    def test_a_sender_that_calls_too_often_is_blocked_without_a_word(self, apis: Apis) -> None:
        answers = [apis[PUBLIC].get(f"/api/{PUBLIC}")]
        while answers[-1].status_code == 200 and len(answers) < 200:  # where it is slow, more than ten fit
            answers.append(apis[PUBLIC].get(f"/api/{PUBLIC}"))
        assert len(answers) > 10
        assert answers[-1].status_code == 429
        assert "DoSFilter" in answers[-1].headers
        assert answers[-1].content == b""
        assert POLL_TIME not in answers[-1].headers
        assert apis[PRIVATE].get(f"/api/{PRIVATE}").status_code == 200

    def test_strangers_do_not_count_for_a_sender(self, apis: Apis) -> None:
        for _ in range(11):
            assert apis[PRIVATE].get(f"/api/{PUBLIC}").status_code == 403
        assert apis[PUBLIC].get(f"/api/{PUBLIC}").status_code == 200


class TestIdempotencyKey:
    def post(self, api: Any, sent: bytes, key: str, **more: Any) -> Any:
        return api.call("POST", JOBS, sent, MULTIPART, headers={"Idempotency-Key": key}, **more)

    def test_a_retry_gets_the_same_answer_and_makes_no_second_job(self, api: Any, keys: Keys) -> None:
        sent = body(package(keys[PUBLIC]))
        first = self.post(api, sent, '"a-key"')
        before = everything()
        much_later = clock.wall() + timedelta(hours=1)
        for key in ('"a-key"', "a-key"):
            again = self.post(api, sent, key, received_at=much_later)
            assert (again.status_code, again.content) == (200, first.content)
        assert everything() == before

    def test_the_same_key_with_another_request_is_refused(self, api: Any, keys: Keys) -> None:
        assert self.post(api, body(package(keys[PUBLIC])), "k").status_code == 200
        status, code, message = refused(api, body(package(keys[PUBLIC])), headers={"Idempotency-Key": "k"})
        assert (status, code) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert f"created job {Job.objects.get().pk}" in message

    def test_a_refused_request_does_not_use_the_key_up(self, api: Any, keys: Keys) -> None:
        assert self.post(api, body(package(keys[BROKER])), "k").status_code == 400
        assert self.post(api, body(package(keys[PUBLIC])), "k").status_code == 200

    def test_two_senders_may_use_the_same_key(self, apis: Apis, keys: Keys) -> None:
        assert self.post(apis[PUBLIC], body(package(keys[PUBLIC])), "k").status_code == 200
        theirs = body(package(keys[PRIVATE], manifest(sender=PRIVATE)))
        answer = apis[PRIVATE].call(
            "POST", JOBS.replace(PUBLIC, PRIVATE), theirs, MULTIPART, headers={"Idempotency-Key": "k"}
        )
        assert answer.status_code == 200

    def test_retries_at_the_same_time_make_one_job(self, api: Any, keys: Keys) -> None:
        sent = body(package(keys[PUBLIC]))
        answers = in_threads(*[lambda: self.post(api, sent, "k")] * 4)
        assert {(each.status_code, each.content) for each in answers} == {(200, answers[0].content)}
        assert Job.objects.count() == 1
        assert len(stored_names()) == 4

    @pytest.mark.parametrize(
        ("key", "wrong"),
        [
            ("", "is 0 characters long"),
            ('""', "is 0 characters long"),
            ('"', "has the character '\"' in '\"'"),
            ("two words", "has the character ' ' in 'two words'"),
            ("x" * 256, "is 256 characters long"),
            ("æ", "has the character 'æ' in 'æ'"),
            ('"half', "has the character '\"' in '\"half'"),
        ],
    )
    def test_an_invalid_key_is_refused(self, api: Any, keys: Keys, key: str, wrong: str) -> None:
        status, code, message = refused(api, body(package(keys[PUBLIC])), headers={"Idempotency-Key": key})
        assert (status, code) == (400, "INVALID_IDEMPOTENCY_KEY")
        assert message.startswith(f"The header Idempotency-Key {wrong}: send 1 to 255 visible")


class TestDelete:
    def test_the_documents_of_a_completed_job_are_gone_after_a_day(self, api: Any) -> None:
        job = create()
        signed(job)
        sealed(job)
        url = f"{JOBS}/{job.pk}/documents"
        change = PortalStatusChange.from_xml(api.get(JOBS).content)
        assert change.delete_documents_url == f"https://127.0.0.1:8443{url}"
        status, code, message = error(api.call("DELETE", url))
        assert (status, code) == (409, "DOCUMENTS_NOT_DELETABLE")
        assert "can be deleted from" in message
        clock.move(timedelta(hours=24))
        for _ in range(2):
            assert api.call("DELETE", url).status_code == 204
        for result in ("pades", "xades/1"):
            assert error(api.get(f"{JOBS}/{job.pk}/{result}"))[:2] == (404, "DOCUMENTS_DELETED")
        assert not stored_names()
        assert PortalStatusChange.from_xml(api.get(f"{JOBS}?polling_queue").content).delete_documents_url is None

    def test_the_documents_of_a_job_that_goes_on_stay(self, api: Any) -> None:
        job = create()
        before = everything()
        assert error(api.call("DELETE", f"{JOBS}/{job.pk}/documents"))[:2] == (409, "DOCUMENTS_NOT_DELETABLE")
        assert everything() == before

    def test_another_organizations_documents_do_not_exist_for_the_caller(self, apis: Apis) -> None:
        url = f"/api/{PRIVATE}/portal/signature-jobs/{create().pk}/documents"
        assert error(apis[PRIVATE].call("DELETE", url))[:2] == (404, "SIGNATURE_JOB_NOT_FOUND")
