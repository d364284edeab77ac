"""What a program says and hears about jobs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segl.core.protocol import PortalJobStatus, PortalSignature, PortalStatusChange
from segl.sdk import (
    ConfirmationReference,
    Document,
    FileType,
    InvalidInput,
    Job,
    JobStatus,
    JobStatusChange,
    NotAvailableError,
    PadesReference,
    PersonalIdentificationNumber,
    PollingQueue,
    Sender,
    SignatureStatus,
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
    ],
)
def test_a_document_keeps_its_files_name(path: str, name: str) -> None:
    assert Document("Title", "Message", FileType.PDF, path).file_name == name
    assert Document("Title", "Message", FileType.PDF, Path(path)).file_name == name


@pytest.mark.parametrize(("title", "name"), [("Avtale om kjøp!", "Avtale_om_kjøp.pdf"), ("?", "document.pdf")])
def test_a_document_from_bytes_is_named_after_its_title(title: str, name: str) -> None:
    assert Document(title, "Message", FileType.PDF, b"%PDF-").file_name == name


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


DOCUMENT = Document("Title", "Message", FileType.PDF, b"%PDF-")


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (
            Document,
            ("Title", "Message", "PDF", b"%PDF-"),
            "Document.file_type is 'PDF', of type str; write FileType.PDF.",
        ),
        (Document, (None, "Message", FileType.PDF, b"%PDF-"), "Document.title is None, of type NoneType; write a text"),
        (Document, ("Title", None, FileType.PDF, b"%PDF-"), "Document.message is None, "),
        (Document, ("Title", "Message", FileType.PDF, None), "write a path, or the content as bytes."),
        (Job, (DOCUMENT, SIGNER), "of type PersonalIdentificationNumber; write a list, [Signer(…), …]."),
        (Job, (DOCUMENT, ["01017012345"]), "One of Job.signers is of type str; write Signer(…)."),
        (Job, ("contract.pdf", []), "Job.document is 'contract.pdf', of type str; write Document(…)."),
        (Job, (DOCUMENT, [], None, "4"), "of type str; write AuthenticationLevel.FOUR."),
        (Job, (DOCUMENT, [], None, None, "123456789"), "Job.sender is '123456789', of type str; write Sender("),
        (Sender, (123456789,), "An organization number is 123456789, of type int; write its 9 digits as a text"),
        (Sender, ("123456789", "queue"), "of type str; write PollingQueue("),
        (PollingQueue, (None,), "The polling queue's name is None"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_to_write(
    kind: Callable[..., object], arguments: tuple[object, ...], sentence: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        kind(*arguments)
    assert sentence in str(error.value)
