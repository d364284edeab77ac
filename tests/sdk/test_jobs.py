"""What a program says and hears about jobs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest

from segl.core.asice import archive, building
from segl.core.protocol import PortalJobStatus, PortalSignature, PortalStatusChange
from segl.sdk import (
    CancellationReference,
    ConfirmationReference,
    ContactInformation,
    DeleteDocumentsReference,
    Document,
    Email,
    FileType,
    InvalidDocument,
    InvalidInput,
    Job,
    JobStatus,
    JobStatusChange,
    NotAvailableError,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PadesReference,
    PersonalIdentificationNumber,
    PollingQueue,
    Sender,
    SignatureStatus,
    Signer,
    Sms,
    XadesReference,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
SIGNER = PersonalIdentificationNumber("11111111111")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("folder/contract.pdf", "contract.pdf"),
        ("CONTRACT.PDF", "CONTRACT.PDF"),
        ("avtale om kjøp.pdf", "avtale om kjøp.pdf"),
        ("a\u030a.pdf", "å.pdf"),
        ("two\nlines.pdf", "two_lines.pdf"),
        ("manifest.xml", "manifest.xml.pdf"),
        ("contract", "contract.pdf"),
        ("x" * 200 + ".pdf", "x" * 96 + ".pdf"),
        ("a:b.pdf", "a_b.pdf"),
        ("a\\b.pdf", "a_b.pdf"),
        ("..", "...pdf"),
        ("/", ".pdf"),
    ],
)
def test_a_document_keeps_its_files_name(path: str, name: str) -> None:
    assert Document("Title", "Message", FileType.PDF, path).file_name == name
    assert Document("Title", "Message", FileType.PDF, Path(path)).file_name == name


@pytest.mark.parametrize(("title", "name"), [("Avtale om kjøp!", "Avtale_om_kjøp.pdf"), ("?", "document.pdf")])
def test_a_document_from_bytes_is_named_after_its_title(title: str, name: str) -> None:
    assert Document(title, "Message", FileType.PDF, b"%PDF-").file_name == name


ODD = ("", ".", "..", "/", "a/b", "a:b", "a\\b.pdf", "\0", "\ud800", "\u202e", " ", ".pdf", "PDF", "x" * 300, "é" * 200)
ODD += (
    "😀" * 99,
    "META-INF",
    "manifest.xml",
    "con",
    "a.",
    "a\r\nb",
    "ſ",
    "ß",
    "ss",
    "İ",
    "%41",
    "a.PDF",
    "A.pdf",
    "a_2.pdf",
)


@pytest.mark.parametrize("times", [1, 2, 11])
def test_a_package_takes_every_name_that_a_file_gets(times: int) -> None:
    documents = [Document("T", None, FileType.PDF, path) for path in ODD] * times
    documents += [Document(title, None, FileType.TXT, b"Be kind.") for title in ODD] * times
    names = Job(documents, [], title="All").file_names

    archive.check_names([*names, building.MANIFEST, building.SIGNATURES])
    assert all(4 <= len(name) <= 100 for name in names)


@pytest.mark.parametrize(
    ("file_type", "content", "sentence"),
    [
        (FileType.PDF, b"", r"^Title\.pdf: The document is empty; give one with a content\.$"),
        (FileType.TXT, b"", r"^Title\.txt: The document is empty"),
        (FileType.PDF, b"Dear all", r"^Title\.pdf: The document is not a PDF; send one, or text as text/plain\.$"),
        (FileType.PDF, bytes(1020) + b"%PDF-1.7", "is not a PDF"),
        (FileType.TXT, b"bl\xe5", r"^Title\.txt: The text is not UTF-8 at byte 2"),
    ],
)
def test_a_document_is_what_it_is_said_to_be(
    file_type: FileType, content: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "Title").write_bytes(content)

    for file in (content, tmp_path / "Title"):
        with pytest.raises(InvalidDocument, match=sentence):
            Document("Title", None, file_type, file).read()
    assert Document("Title", None, FileType.PDF, bytes(1019) + b"%PDF-1.7").read()


@pytest.mark.parametrize("text", ["%PDF-1.7\n%…", "Dear all,\r\nbe kind.", 1001 * "x", "-----BEGIN CERTIFICATE-----"])
def test_a_content_that_was_given_as_a_path_is_not_shown(text: str) -> None:
    with pytest.raises(InvalidDocument, match="looks like its content: give a content as bytes") as error:
        Document("Title", None, FileType.TXT, text).read()
    assert text not in str(error.value)
    assert error.value.__context__ is None


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"])
def test_a_path_that_no_system_takes_is_told(path: str) -> None:
    with pytest.raises(InvalidDocument, match=r"^Cannot read 'a"):
        Document("Title", None, FileType.TXT, path).read()


def changed(pades_url: str | None = "https://x/pades") -> JobStatusChange:
    signed = PortalSignature(SignatureStatus.SIGNED, NOW, SIGNER, "https://x/xades/1")
    waiting = PortalSignature(SignatureStatus.WAITING, NOW, SIGNER)
    told = PortalStatusChange(
        7, PortalJobStatus.IN_PROGRESS, "https://x/complete", (signed, waiting), "mine", pades_url=pades_url
    )
    return JobStatusChange(NOW, told)


def test_a_change_tells_the_jobs_status_and_where_things_are() -> None:
    change = changed()

    assert (change.status, change.signature_job_id, change.reference) == (JobStatus.IN_PROGRESS, 7, "mine")
    assert change.confirmation_reference == ConfirmationReference("https://x/complete")
    assert (change.pades_available, change.pades_reference) == (True, PadesReference("https://x/pades"))
    assert [each.status for each in change.signatures] == [SignatureStatus.SIGNED, SignatureStatus.WAITING]
    assert change.signatures[0].xades_reference == XadesReference("https://x/xades/1")


def test_what_is_not_there_yet_is_a_clear_error() -> None:
    change = changed(pades_url=None)

    assert not change.pades_available
    with pytest.raises(NotAvailableError, match="Job 7 has no PAdES: its status is IN_PROGRESS"):
        _ = change.pades_reference
    with pytest.raises(NotAvailableError, match="whose status is WAITING; it is there once it is SIGNED"):
        _ = change.signatures[1].xades_reference


def test_no_changes_is_no_jobs_and_has_nothing_to_confirm() -> None:
    change = JobStatusChange(NOW)

    assert (change.status, change.pades_available) == (JobStatus.NO_CHANGES, False)
    assert (change.signature_job_id, change.reference) == (None, None)
    with pytest.raises(NotAvailableError, match="the queue was empty"):
        _ = change.confirmation_reference


def test_the_wait_until_the_next_poll_is_never_negative() -> None:
    later = JobStatusChange(datetime.now(UTC) + timedelta(seconds=60))

    assert JobStatusChange(NOW - timedelta(days=1000)).seconds_until_next_poll == 0
    assert 55 < later.seconds_until_next_poll <= 60


@pytest.mark.parametrize("number", ["", "12345678", "1234567890", "12345678a", "../123456"])
def test_a_sender_has_an_organization_number(number: str) -> None:
    with pytest.raises(InvalidInput, match="An organization number is 9 digits"):
        Sender(number)


BY_MAIL = Signer(ContactInformation(Email("ola@example.com")))
DOCUMENT = Document("Title", "Message", FileType.PDF, b"%PDF-")


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (
            Document,
            ("Title", "Message", "PDF", b"%PDF-"),
            "Document.file_type is 'PDF', of type str; write FileType.PDF or FileType.TXT.",
        ),
        (Document, (None, "Message", FileType.PDF, b"%PDF-"), "Document.title is None, of type NoneType; write a text"),
        (
            Document,
            ("Title", 1, FileType.PDF, b"%PDF-"),
            "Document.message is 1, of type int; write a text (str), or None",
        ),
        (Document, ("Title", "Message", FileType.PDF, None), "write a path, or the content as bytes."),
        (Job, (DOCUMENT, SIGNER), "of type PersonalIdentificationNumber; write a list, [Signer(…), …]."),
        (Job, (DOCUMENT, ["01017012345"]), "One of Job.signers is of type str; write Signer(…)."),
        (
            Job,
            ("contract.pdf", []),
            "Job.document is 'contract.pdf', of type str; write Document(…) or a list of them.",
        ),
        (
            partial(Job, authentication_level="4"),
            (DOCUMENT, []),
            "Job.authentication_level is '4', of type str; write AuthenticationLevel.FOUR.",
        ),
        (partial(Job, sender="123456789"), (DOCUMENT, []), "Job.sender is '123456789', of type str; write Sender("),
        (partial(Job, available=3600), (DOCUMENT, []), "Job.available is 3600, of type int; write a timedelta."),
        (partial(Job, available=timedelta(seconds=0.5)), (DOCUMENT, []), "Job.available is 0:00:00.500000; give whole"),
        (partial(Job, available=timedelta(days=90, seconds=1)), (DOCUMENT, []), "1; give from 0 to 90 days."),
        (partial(Job, available=timedelta(seconds=-1)), (DOCUMENT, []), "give from 0 to 90 days."),
        (
            partial(Job, activation_time=datetime(2026, 1, 1)),  # noqa: DTZ001 - the point of the test
            (DOCUMENT, []),
            "Job.activation_time is 2026-01-01 00:00:00, without a time zone; give it one.",
        ),
        (
            partial(Job, activation_time=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
            (DOCUMENT, []),
            "Job.activation_time is 0001-01-01 00:00:00+01:00; give a time that exists in UTC too.",
        ),
        (
            Job,
            (DOCUMENT, [Signer(SIGNER, NotificationsUsingLookup(), on_behalf_of=OnBehalfOf.OTHER)]),
            "Signer 1 has notifications-using-lookup and on-behalf-of OTHER",
        ),
        (
            Job,
            (DOCUMENT, [BY_MAIL, Signer(ContactInformation(Email(" ")))]),
            "The e-mail address of signer 2 is empty: give one, or leave email out.",
        ),
        (
            Job,
            (DOCUMENT, [Signer(SIGNER, Notifications(Email("kari@example.com"), Sms("")))]),
            "The mobile number of signer 1 has no digits",
        ),
        (partial(Signer, order=True), (ContactInformation(Email("a@b.no")),), "signer order is True, of type bool"),
        (Job, ([DOCUMENT, DOCUMENT], []), "A job with 2 documents needs a title: Job(…, title=…)."),
        (partial(Job, title="Both"), ([DOCUMENT, DOCUMENT], []), "A job has one description, which all its signers"),
        (partial(Job, description="Read it."), (DOCUMENT, []), "A job has one description, which all its signers"),
        (Sender, (123456789,), "An organization number is 123456789, of type int; write its 9 digits as a text"),
        (Sender, ("123456789", "queue"), "of type str; write PollingQueue("),
        (PollingQueue, (None,), "The polling queue's name is None"),
        (PollingQueue, ("\ud800",), "The polling queue's name has the character U+D800, which cannot be sent;"),
        (PadesReference, (7,), "A reference's URL is 7, of type int; write what the service gave, as a text (str)."),
        (PadesReference, ("https://x/\udce5",), "A reference's URL has the character U+DCE5, which cannot be sent"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_to_write(
    kind: Callable[..., object], arguments: tuple[object, ...], sentence: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        kind(*arguments)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("offset", "in_utc"),
    [
        (timedelta(hours=1), datetime(2026, 11, 24, 11, tzinfo=UTC)),
        (timedelta(minutes=43, seconds=30), datetime(2026, 11, 24, 11, 16, 30, tzinfo=UTC)),
        (-timedelta(hours=15), datetime(2026, 11, 25, 3, tzinfo=UTC)),
    ],
)
def test_a_jobs_activation_time_is_one_of_the_schemas(offset: timedelta, in_utc: datetime) -> None:
    job = Job(DOCUMENT, [BY_MAIL], activation_time=datetime(2026, 11, 24, 12, tzinfo=timezone(offset)))

    assert (job.activation_time, str(job.activation_time)) == (in_utc, str(in_utc))


def test_a_job_is_equal_and_hashable_whatever_sequences_it_is_made_of() -> None:
    job = Job([DOCUMENT], [BY_MAIL])

    assert job == Job((DOCUMENT,), (BY_MAIL,))
    assert hash(job) == hash(Job((DOCUMENT,), (BY_MAIL,)))


def test_files_of_one_name_are_told_apart() -> None:
    paths = ("a/contract.pdf", "b/Contract.PDF", "b/contract_2.pdf", "c/contract.pdf", "notes.txt", "x/notes.txt")
    kinds = [FileType.TXT if path.endswith("txt") else FileType.PDF for path in paths]
    job = Job([Document("Title", None, kind, path) for kind, path in zip(kinds, paths, strict=True)], [], title="All")

    assert job.file_names == (
        "contract.pdf",
        "Contract_2.PDF",
        "contract_2_2.pdf",
        "contract_3.pdf",
        "notes.txt",
        "notes_2.txt",
    )


def test_a_long_files_number_stays_within_the_limit() -> None:
    document = Document("Title", None, FileType.PDF, "x" * 200 + ".pdf")

    assert Job([document, document], [], title="Both").file_names[1] == "x" * 94 + "_2.pdf"


def test_a_signers_signature_is_found() -> None:
    ola = ContactInformation(Email("ola@example.com"))
    told = PortalStatusChange(
        7,
        PortalJobStatus.IN_PROGRESS,
        "https://x/complete",
        (
            PortalSignature(SignatureStatus.SIGNED, NOW, SIGNER, "https://x/xades/1"),
            PortalSignature("ASLEEP", NOW, ola),
        ),
    )
    change = JobStatusChange(NOW, told)

    assert change.signature_for(Signer(SIGNER, NotificationsUsingLookup())).status is SignatureStatus.SIGNED
    assert change.signature_for(SIGNER).xades_reference == XadesReference("https://x/xades/1")
    assert change.signature_for(ola).status == "ASLEEP"
    with pytest.raises(InvalidInput, match=r"Job 7 has no signers PersonalIdentificationNumber\(010170\*"):
        change.signature_for(PersonalIdentificationNumber("01017012345"))
    with pytest.raises(InvalidInput, match="The signer is of type str; write the job's Signer"):
        change.signature_for("11111111111")  # type: ignore[arg-type]


def test_a_signer_who_is_there_twice_is_not_guessed() -> None:
    with pytest.raises(InvalidInput, match="Job 7 has 2 signers"):
        changed().signature_for(SIGNER)


def test_a_job_status_of_later_versions_is_kept() -> None:
    told = PortalStatusChange(
        7, "ON_HOLD", "https://x/complete", (PortalSignature(SignatureStatus.WAITING, NOW, SIGNER),)
    )

    assert JobStatusChange(NOW, told).status == "ON_HOLD"


def test_cancelling_and_deleting_are_offered_when_the_service_does() -> None:
    told = changed().told
    assert told
    change = JobStatusChange(NOW, replace(told, cancellation_url="https://x/cancel", delete_documents_url="https://x"))

    assert (change.cancellable, change.documents_deletable) == (True, True)
    assert change.cancellation_reference == CancellationReference("https://x/cancel")
    assert change.delete_documents_reference == DeleteDocumentsReference("https://x")
    assert not changed().cancellable
    with pytest.raises(NotAvailableError, match="Job 7 cannot be cancelled"):
        _ = changed().cancellation_reference
    with pytest.raises(NotAvailableError, match="The documents of job 7 cannot be deleted"):
        _ = changed().delete_documents_reference


def test_the_wait_goes_by_the_services_clock() -> None:
    hour = timedelta(hours=1)

    ahead = JobStatusChange(datetime.now(UTC) + hour + timedelta(seconds=60), clock_lead=hour)
    assert 55 < ahead.seconds_until_next_poll <= 60


def test_a_job_needs_a_document() -> None:
    with pytest.raises(InvalidInput, match="needs at least one document"):
        Job([], [Signer(ContactInformation(email=Email("a@example.com")))], title="Contract")
