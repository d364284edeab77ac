"""The portal API's calls without a network: each generator is handed the service's answers."""

import email
import email.policy
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from segl.core.asice import open_package
from segl.core.certificates import TrustAnchors
from segl.core.errors import InvalidInput
from segl.core.protocol import (
    Availability,
    ErrorMessage,
    ManifestDocument,
    PortalJobRequest,
    PortalJobResponse,
    PortalManifest,
)
from segl.sdk import (
    AuthenticationLevel,
    BrokerNotAuthorizedError,
    CancellationReference,
    ConfirmationReference,
    ContactInformation,
    DeleteDocumentsReference,
    Document,
    Email,
    FileType,
    ForeignUrlError,
    IdentifierInSignedDocuments,
    InvalidDocument,
    Job,
    JobNotCancellableError,
    JobResponse,
    JobStatus,
    NoAnswerError,
    Notifications,
    NotReachedError,
    PersonalIdentificationNumber,
    PollingQueue,
    RateLimitedError,
    Sender,
    Signer,
    Sms,
    TooEagerPollingError,
    UnexpectedResponseError,
    UntrustedServerError,
    XadesReference,
    creating,
)
from segl.sdk.exchange import Operation, Request, Response, Wait
from segl.sdk.portal.operations import PortalOperations
from tls_service import Authority

ROOT = "https://api.example.org/api"
POLL_TIME = "2026-11-24T13:00:00.500+01:00"
T = TypeVar("T")

TOO_OLD = Response(400, {}, ErrorMessage("ASICE_VALIDATION_FAILED", "Signed when?", "CLIENT").to_xml())
BUSY = Response(503, {}, ErrorMessage("SERVICE_UNAVAILABLE", "Send it again.", "SERVER").to_xml())
BLOCKED = Response(429, {"dosfilter": "rejected"}, b"")
GATEWAY = Response(504, {}, b"<html/>")
CREATED = Response(200, {}, PortalJobResponse(7, f"{ROOT}/123456789/portal/signature-jobs/7/cancel").to_xml())
LOST, UNREACHED = NoAnswerError("lost"), NotReachedError("no connection")

SIGNERS = (
    Signer(PersonalIdentificationNumber("11111111111"), Notifications(Email("email1@example.com"), Sms("999999999"))),
    Signer(ContactInformation(email=Email("email2@example.com"))),
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """One that is valid now, when the packages are signed."""
    return Authority("Present Root")


@pytest.fixture(scope="module")
def calls(authority: Authority) -> PortalOperations:
    return PortalOperations(
        ROOT, authority.organization("123456789"), Sender("123456789"), create_wait=9, download_wait=7
    )


def asked(operation: Operation[T]) -> Request:
    """What the operation asks for first."""
    request = next(operation)
    assert isinstance(request, Request)
    return request


def answered(operation: Operation[T], status: int, content: bytes = b"", **headers: str) -> T:
    """The operation's result when the service answers this."""
    next(operation)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(StopIteration) as end:
        operation.send(Response(status, named, content))
    result: T = end.value.value
    return result


def refused(operation: Operation[Any], status: int, content: bytes = b"", **headers: str) -> None:
    """Let the service answer this; the operation raises."""
    next(operation)
    operation.send(Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content))


def parts(request: Request) -> list[tuple[str, bytes]]:
    """The parts of a multipart request as another parser sees them."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(b"".join([head, *request.content]), policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/mixed"
    return [(part.get_content_type(), part.get_payload(decode=True)) for part in message.iter_parts()]


def test_create_sends_the_request_and_the_signed_package(calls: PortalOperations, authority: Authority) -> None:
    job = Job(
        Document("Subject of Message", "This is the content", FileType.PDF, b"%PDF-1.7\r\n\r\nbytes\n"),
        SIGNERS,
        "myReferenceToJob",
        authentication_level=AuthenticationLevel.FOUR,
    )

    request = asked(calls.create(job))

    assert (request.method, request.url) == ("POST", f"{ROOT}/123456789/portal/signature-jobs")
    [(first, message), (second, package)] = parts(request)
    assert (first, second) == ("application/xml", "application/octet-stream")
    assert PortalJobRequest.from_xml(message) == PortalJobRequest("myReferenceToJob", None)
    opened = open_package(
        package,
        trust=TrustAnchors.from_pem(authority.pem()),
        now=datetime.now(UTC),
        tolerance=timedelta(seconds=5),
        expected_signer=authority.organization("123456789").certificate,
    )
    assert opened.documents == {"Subject_of_Message.pdf": b"%PDF-1.7\r\n\r\nbytes\n"}
    manifest = PortalManifest.from_xml(opened.manifest)
    assert manifest.signers == SIGNERS
    assert (manifest.sender, manifest.title) == ("123456789", "Subject of Message")
    assert (manifest.description, manifest.required_authentication) == (
        "This is the content",
        AuthenticationLevel.FOUR,
    )
    [document] = manifest.documents
    assert (document.title, document.href, document.media_type) == (
        "Subject of Message",
        "Subject_of_Message.pdf",
        "application/pdf",
    )


def test_create_returns_the_receipt(calls: PortalOperations, job: Job) -> None:
    url = f"{ROOT}/123456789/portal/signature-jobs/7/cancel"
    content = PortalJobResponse(7, url, "mine").to_xml()

    assert answered(calls.create(job), 200, content) == JobResponse(7, "mine", CancellationReference(url))


@pytest.fixture
def job() -> Job:
    return Job(Document("Title", "Message", FileType.PDF, b"%PDF-"), SIGNERS)


def test_a_jobs_sender_and_queue_take_precedence(calls: PortalOperations, job: Job) -> None:
    request = asked(calls.create(replace(job, sender=Sender("987654321", PollingQueue("CustomPollingQueue")))))

    assert request.url == f"{ROOT}/987654321/portal/signature-jobs"
    assert PortalJobRequest.from_xml(parts(request)[0][1]).polling_queue == "CustomPollingQueue"


def test_polling_asks_for_the_senders_queue(calls: PortalOperations) -> None:
    jobs = f"{ROOT}/123456789/portal/signature-jobs"

    assert asked(calls.get_status_change(None)).url == jobs
    named = Sender("123456789", PollingQueue("kø & kaffe"))
    assert asked(calls.get_status_change(named)).url == f"{jobs}?polling_queue=k%C3%B8%20%26%20kaffe"


def test_without_any_sender_nothing_is_asked(authority: Authority) -> None:
    with pytest.raises(InvalidInput, match="No sender"):
        asked(PortalOperations(ROOT, authority.organization("123456789")).get_status_change(None))


def test_an_empty_queue_is_no_changes(calls: PortalOperations) -> None:
    change = answered(calls.get_status_change(None), 204, x_next_permitted_poll_time=POLL_TIME)

    assert change.status is JobStatus.NO_CHANGES
    assert change.next_permitted_poll_time == datetime(2026, 11, 24, 12, 0, 0, 500000, UTC)
    assert change.signatures == ()


def test_polling_too_early_says_when_it_is_permitted(calls: PortalOperations) -> None:
    with pytest.raises(TooEagerPollingError) as error:
        refused(calls.get_status_change(None), 429, x_next_permitted_poll_time=POLL_TIME)

    assert error.value.next_permitted_poll_time == datetime(2026, 11, 24, 12, 0, 0, 500000, UTC)
    assert error.value.status == 429


def test_too_many_calls_a_second_is_another_error(calls: PortalOperations) -> None:
    with pytest.raises(RateLimitedError, match="call less often"):
        refused(calls.get_status_change(None), 429, dosfilter="too many requests")


def test_an_unauthorized_broker_is_an_error_of_its_own(calls: PortalOperations) -> None:
    content = ErrorMessage("BROKER_NOT_AUTHORIZED", "Not for them.", "CLIENT").to_xml()

    with pytest.raises(BrokerNotAuthorizedError, match="Not for them") as error:
        refused(calls.who_am_i(None), 403, content)
    assert (error.value.status, error.value.code) == (403, "BROKER_NOT_AUTHORIZED")
    assert (error.value.message, error.value.error_type) == ("Not for them.", "CLIENT")


@pytest.mark.parametrize("content", [b"", b"<html>Bad gateway</html>", b"<error/>", b"\xff"])
def test_an_error_without_an_error_document_keeps_its_status(calls: PortalOperations, content: bytes) -> None:
    with pytest.raises(UnexpectedResponseError, match="answered 502 without saying why") as error:
        refused(calls.who_am_i(None), 502, content)
    assert (error.value.status, error.value.code) == (502, None)


@pytest.mark.parametrize(("status", "content"), [(200, b"<html/>"), (200, b""), (204, b""), (302, b"")])
def test_an_answer_without_a_receipt_is_an_error(
    calls: PortalOperations, job: Job, status: int, content: bytes
) -> None:
    with pytest.raises(UnexpectedResponseError) as error:
        refused(calls.create(job), status, content)
    assert error.value.status == status


def test_confirm_posts_nothing_to_the_reference(calls: PortalOperations) -> None:
    url = f"{ROOT}/123456789/portal/signature-jobs/7/complete"

    request = asked(calls.confirm(ConfirmationReference(url)))
    assert (request.method, request.url, request.content) == ("POST", url, ())
    answered(calls.confirm(ConfirmationReference(url)), 204)


def test_cancel_posts_nothing_to_the_reference(calls: PortalOperations) -> None:
    url = f"{ROOT}/123456789/portal/signature-jobs/7/cancel"

    request = asked(calls.cancel(CancellationReference(url)))
    assert (request.method, request.url, request.content) == ("POST", url, ())
    answered(calls.cancel(CancellationReference(url)), 200)


def test_a_job_that_has_ended_cannot_be_cancelled(calls: PortalOperations) -> None:
    reference = CancellationReference(f"{ROOT}/123456789/portal/signature-jobs/7/cancel")
    content = ErrorMessage("JOB_COMPLETED", "Too late.", "CLIENT").to_xml()

    with pytest.raises(JobNotCancellableError, match="Too late") as error:
        refused(calls.cancel(reference), 409, content, x_request_id="4711")
    assert (error.value.code, error.value.request_id) == ("JOB_COMPLETED", "4711")


@pytest.mark.parametrize(
    ("status", "content", "headers"),
    [
        (200, b"<html/>", {}),
        (403, b"", {}),
        (403, ErrorMessage("BROKER_NOT_AUTHORIZED", "No.", "CLIENT").to_xml(), {}),
        (429, b"", {"dosfilter": "too many requests"}),
        (429, b"", {"x_next_permitted_poll_time": POLL_TIME}),
        (500, ErrorMessage("INTERNAL_ERROR", "It failed.", "SERVER").to_xml(), {}),
    ],
)
def test_an_error_ends_with_the_services_id_for_the_request(
    calls: PortalOperations, status: int, content: bytes, headers: dict[str, str]
) -> None:
    with pytest.raises(UnexpectedResponseError) as error:
        refused(calls.get_status_change(None), status, content, x_request_id="0123456789abcdef", **headers)

    assert error.value.request_id == "0123456789abcdef"
    assert str(error.value).endswith(" (request 0123456789abcdef)")


@pytest.mark.parametrize("sent", ["", "a b", "7\nERROR logged in as root", "\x1b[31m", "é", "65" * 33, "7, 8", "٣"])
def test_a_request_id_that_is_no_plain_name_is_ignored(calls: PortalOperations, sent: str) -> None:
    with pytest.raises(UnexpectedResponseError) as error:
        refused(calls.who_am_i(None), 500, x_request_id=sent)

    assert error.value.request_id is None
    assert str(error.value) == "The service answered 500 without saying why."


def test_documents_are_deleted_at_their_reference(calls: PortalOperations) -> None:
    url = f"{ROOT}/123456789/portal/signature-jobs/7"

    request = asked(calls.delete_documents(DeleteDocumentsReference(url)))
    assert (request.method, request.url) == ("DELETE", url)
    answered(calls.delete_documents(DeleteDocumentsReference(url)), 204)


def test_the_manifest_has_the_whole_job(calls: PortalOperations, authority: Authority) -> None:
    activation = datetime(2026, 12, 1, 8, tzinfo=UTC)
    job = Job(
        [Document("Contract", None, FileType.PDF, b"%PDF-1"), Document("Terms", None, FileType.TXT, b"Be kind.")],
        SIGNERS,
        title="Contract with terms",
        description="Read both.",
        non_sensitive_title="Contract",
        activation_time=activation,
        available=timedelta(days=2),
        identifier_in_signed_documents=IdentifierInSignedDocuments.NAME,
    )

    [_, (_, package)] = parts(asked(calls.create(job)))

    opened = open_package(
        package,
        trust=TrustAnchors.from_pem(authority.pem()),
        now=datetime.now(UTC),
        tolerance=timedelta(seconds=5),
        expected_signer=authority.organization("123456789").certificate,
    )
    assert opened.documents == {"Contract.pdf": b"%PDF-1", "Terms.txt": b"Be kind."}
    assert PortalManifest.from_xml(opened.manifest) == PortalManifest(
        SIGNERS,
        "123456789",
        "Contract with terms",
        (
            ManifestDocument("Contract", "Contract.pdf", "application/pdf"),
            ManifestDocument("Terms", "Terms.txt", "text/plain"),
        ),
        "Contract",
        "Read both.",
        None,
        Availability(activation, 172800),
        IdentifierInSignedDocuments.NAME,
    )


def test_documents_that_are_too_large_are_not_sent(calls: PortalOperations) -> None:
    half = Document("Half", None, FileType.PDF, b"%PDF-".ljust(6 * 1024 * 1024))

    with pytest.raises(InvalidDocument, match="are 12582912 bytes together; at most 10485760 are accepted"):
        asked(calls.create(Job([half, half], SIGNERS, title="Both")))


def test_each_package_is_shown_before_it_is_sent(calls: PortalOperations, job: Job) -> None:
    seen: list[tuple[Job, bytes]] = []

    request = asked(replace(calls, see_package=lambda job, package: seen.append((job, package))).create(job))
    assert seen == [(job, parts(request)[1][1])]


def test_a_function_that_does_not_look_at_the_packages_is_refused(calls: PortalOperations, job: Job) -> None:
    async def see(job: Job, package: bytes) -> None:
        raise AssertionError

    with pytest.raises(InvalidInput, match="see_package returned a coroutine, so nothing was done"):
        asked(replace(calls, see_package=see).create(job))


def test_a_creation_that_never_arrived_is_signed_again(calls: PortalOperations, job: Job) -> None:
    operation = replace(calls, retries=1).create(job)
    first = next(operation)
    assert isinstance(operation.throw(NotReachedError("no connection")), Wait)
    second = operation.send(None)

    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert first.content != second.content


def test_a_package_that_grew_old_on_its_way_is_signed_again(
    calls: PortalOperations, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal makes no job, so this is safe with and without Idempotency-Keys."""
    operation = replace(calls, retries=1).create(job)
    first = next(operation)
    monkeypatch.setattr(creating, "_FRESH", timedelta())
    second = operation.send(TOO_OLD)

    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert first.content != second.content
    with pytest.raises(UnexpectedResponseError, match="Signed when"):  # and not for ever
        operation.send(TOO_OLD)


@pytest.mark.parametrize("call", ["confirm", "delete_documents"])
def test_what_was_done_before_its_answer_was_lost_is_done(calls: PortalOperations, call: str) -> None:
    url = f"{ROOT}/123456789/portal/signature-jobs/7/complete"
    reference = ConfirmationReference(url) if call == "confirm" else DeleteDocumentsReference(url)

    def operation() -> Operation[None]:
        made: Operation[None] = getattr(replace(calls, retries=1), call)(reference)
        next(made)
        return made

    lost = operation()
    assert isinstance(lost.throw(NoAnswerError("lost")), Wait)
    lost.send(None)
    with pytest.raises(StopIteration):
        lost.send(Response(404, {}, b""))

    with pytest.raises(UnexpectedResponseError):  # which is no reference of ours
        operation().send(Response(404, {}, b""))


def test_without_idempotency_a_creation_is_not_sent_again(calls: PortalOperations, job: Job) -> None:
    request = asked(replace(calls, retries=2).create(job))

    assert not request.repeatable
    assert "Idempotency-Key" not in request.headers


class TestIdempotentCreation:
    """A service that keeps Idempotency-Keys is asked again under the same key."""

    @pytest.fixture
    def patient(self, calls: PortalOperations, monkeypatch: pytest.MonkeyPatch) -> PortalOperations:
        """Whose packages may be too old whenever an answer comes."""
        monkeypatch.setattr(creating, "_FRESH", timedelta())
        return replace(calls, retries=2, keeps_idempotency_keys=True)

    def played(self, operation: Operation[JobResponse], *happenings: Response | NoAnswerError) -> list[Request]:
        """The requests that are sent when this happens to each in turn; with the last the job must be created."""
        sent, created, step = [], None, next(operation)
        try:
            for each in happenings:
                while isinstance(step, Wait):
                    step = operation.send(None)
                sent.append(step)
                step = operation.throw(each) if isinstance(each, NoAnswerError) else operation.send(each)
        except StopIteration as end:
            created = end.value
        assert created is not None
        assert created.signature_job_id == 7
        assert len(sent) == len(happenings)
        return sent

    @pytest.mark.parametrize("failure", [LOST, BUSY, GATEWAY], ids=["lost", "busy", "gateway"])
    def test_what_may_have_been_done_is_asked_for_with_the_same_bytes(
        self, patient: PortalOperations, job: Job, failure: Response | NoAnswerError
    ) -> None:
        first, second, third = self.played(patient.create(job), failure, failure, CREATED)
        assert first is second is third

    @pytest.mark.parametrize("before", [(), (BUSY,)], ids=["at once", "later"])
    def test_a_package_that_was_too_old_is_signed_again_under_a_new_key(
        self, patient: PortalOperations, job: Job, before: tuple[Response, ...]
    ) -> None:
        *_, old, new = self.played(patient.create(job), *before, TOO_OLD, CREATED)
        assert old.content != new.content
        assert old.headers["Idempotency-Key"] != new.headers["Idempotency-Key"]

    def test_a_package_that_never_arrived_is_signed_again(self, patient: PortalOperations, job: Job) -> None:
        first, second = self.played(patient.create(job), UNREACHED, CREATED)
        assert first.content != second.content

    def test_what_may_have_arrived_is_not_signed_again(self, patient: PortalOperations, job: Job) -> None:
        first, second, third = self.played(patient.create(job), LOST, UNREACHED, CREATED)
        assert first is second is third

    @pytest.mark.parametrize("after", [TOO_OLD, BLOCKED], ids=["too old", "blocked"])
    def test_a_later_answer_does_not_hide_that_the_job_may_exist(
        self, patient: PortalOperations, job: Job, after: Response
    ) -> None:
        """Nothing is signed again: an earlier try may still be on its way."""
        with pytest.raises(NoAnswerError, match=r"^lost$"):
            self.played(patient.create(job), LOST, after)
        with pytest.raises(UnexpectedResponseError, match="answered 504"):
            self.played(patient.create(job), GATEWAY, after)

    @pytest.mark.parametrize("after", [UNREACHED, BUSY], ids=["unreached", "busy"])
    def test_nor_does_a_service_that_is_away(
        self, patient: PortalOperations, job: Job, after: Response | NoAnswerError
    ) -> None:
        with pytest.raises(NoAnswerError, match=r"^lost$"):
            self.played(patient.create(job), LOST, after, after)

    def test_a_service_that_was_busy_is_not_one_that_was_not_reached(self, patient: PortalOperations, job: Job) -> None:
        with pytest.raises(UnexpectedResponseError, match="Send it again"):
            self.played(patient.create(job), BUSY, UNREACHED, UNREACHED)

    @pytest.mark.parametrize("before", [(), (LOST,), (BUSY,)], ids=["at once", "lost", "busy"])
    def test_a_refusal_is_final_however_long_it_took(
        self, patient: PortalOperations, job: Job, before: tuple[Any, ...]
    ) -> None:
        refusal = Response(400, {}, ErrorMessage("INVALID_DOCUMENT", "It takes too long.", "CLIENT").to_xml())
        with pytest.raises(UnexpectedResponseError, match="It takes too long") as error:
            self.played(patient.create(job), *before, refusal)
        assert error.value.code == "INVALID_DOCUMENT"

    def test_a_wrong_clock_is_reported_after_the_last_try(self, patient: PortalOperations, job: Job) -> None:
        with pytest.raises(UnexpectedResponseError, match="Signed when"):
            self.played(patient.create(job), TOO_OLD, TOO_OLD, TOO_OLD)

    def test_each_job_has_a_key_of_its_own(self, patient: PortalOperations, job: Job) -> None:
        keys = {asked(patient.create(job)).headers["Idempotency-Key"] for _ in range(2)}
        assert len(keys) == 2

    def test_what_is_refused_at_once_stays_refused(self, calls: PortalOperations, job: Job) -> None:
        with pytest.raises(UnexpectedResponseError, match="Signed when"):
            self.played(replace(calls, retries=2, keeps_idempotency_keys=True).create(job), TOO_OLD)

    def test_another_server_is_not_asked_again(self, patient: PortalOperations, job: Job) -> None:
        with pytest.raises(UntrustedServerError):
            self.played(patient.create(job), UntrustedServerError("not them"))
        with pytest.raises(NoAnswerError, match=r"^lost$"):
            self.played(patient.create(job), LOST, UntrustedServerError("not them"))


def test_a_creation_waits_longer(calls: PortalOperations, job: Job) -> None:
    assert asked(calls.create(job)).wait == 9


def test_downloads_wait_longer(calls: PortalOperations) -> None:
    request = asked(calls.xades(XadesReference(f"{ROOT}/123456789/portal/signature-jobs/7/xades/1"))())

    assert (request.method, request.wait, request.headers) == ("GET", 7, {"Accept": "application/xml"})


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.org/api/1/complete",
        "https://[",
        "https://api.example.org:444/api/1/complete",
        "http://api.example.org/api/1/complete",
        "https://api.example.org@evil.example.org/api/1/complete",
        "https://user@api.example.org/api/1/complete",
        "https://api.example.org/other/1/complete",
        "https://api.example.org/api",
        "https://api.example.org/apix/1",
        "https://api.example.org/api/../admin",
        "https://api.example.org/api/%2e%2E/admin",
        "https://api.example.org/api/%2e%2e%2fadmin",
        "https://api.example.org/api\\..\\admin",
        "https://api.example.org:port/api/1",
        "//api.example.org/api/1",
        "/api/1/complete",
        "",
    ],
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda calls, url: asked(calls.confirm(ConfirmationReference(url))),
        lambda calls, url: asked(calls.cancel(CancellationReference(url))),
        lambda calls, url: asked(calls.delete_documents(DeleteDocumentsReference(url))),
        lambda calls, url: calls.xades(XadesReference(url)),
    ],
    ids=["confirm", "cancel", "delete_documents", "get_xades"],
)
def test_nothing_is_sent_to_another_place(
    calls: PortalOperations, ask: Callable[[PortalOperations, str], object], url: str
) -> None:
    with pytest.raises(ForeignUrlError, match="nothing was sent there"):
        ask(calls, url)


def test_the_same_place_may_be_spelled_otherwise(calls: PortalOperations) -> None:
    url = "https://API.example.org:443/api/123456789/portal/signature-jobs/7/complete"

    assert asked(calls.confirm(ConfirmationReference(url))).url == url


def test_a_document_that_cannot_be_read_stops_the_job_before_it_is_sent(
    calls: PortalOperations, tmp_path: Path
) -> None:
    missing = Job(Document("Title", "Message", FileType.PDF, tmp_path / "missing.pdf"), SIGNERS)

    with pytest.raises(InvalidDocument, match=r"missing\.pdf.*No such file") as error:
        asked(calls.create(missing))
    assert "exception" not in "".join(traceback.format_exception(error.value))  # the sentence says it all


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda calls: asked(calls.create(None)), r"What is created is None, of type NoneType; write Job\("),
        (lambda calls: asked(calls.confirm("https://x")), "of type str; write a change's confirmation_reference"),
        (lambda calls: asked(calls.cancel(None)), "of type NoneType; write the cancellation_reference"),
        (lambda calls: asked(calls.delete_documents(None)), "of type NoneType; write a change's delete_documents_ref"),
        (lambda calls: calls.xades(None), "of type NoneType; write a signature's xades_reference"),
        (lambda calls: calls.pades(None), "of type NoneType; write a change's pades_reference"),
        (lambda calls: asked(calls.get_status_change("123456789")), r"of type str; write Sender\("),
    ],
)
def test_what_a_call_is_not_for_is_refused_with_what_to_write(
    calls: PortalOperations, ask: Callable[[Any], object], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        ask(calls)
