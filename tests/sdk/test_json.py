"""Values of the SDK are stored as JSON and read back as they were."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from segl.core.protocol import PortalJobStatus, PortalSignature, PortalStatusChange
from segl.sdk import (
    AuthenticationLevel,
    CancellationReference,
    ConfirmationReference,
    ContactInformation,
    DeleteDocumentsReference,
    Document,
    Email,
    FileType,
    IdentifierInSignedDocuments,
    InvalidInput,
    Job,
    JobResponse,
    JobStatus,
    JobStatusChange,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PadesReference,
    PersonalIdentificationNumber,
    PollingQueue,
    Sender,
    Signature,
    SignatureStatus,
    SignatureType,
    Signer,
    Sms,
    XadesReference,
    from_json,
    to_json,
)

NOW = datetime(2026, 11, 25, 12, 0, 0, 500000, tzinfo=timezone(timedelta(hours=1)))
KARI = PersonalIdentificationNumber("01017012345")
NOTIFIED = Notifications(Email("kari@example.com"))
OLA = ContactInformation(Email("ola@example.com"), Sms("99999999"))
JOB = Job(
    (Document("Avtale", None, FileType.PDF, b"%PDF-1.7\xff"), Document("Vedlegg", None, FileType.TXT, "vedlegg.txt")),
    (
        Signer(
            KARI, Notifications(Email("kari@example.com")), signature_type=SignatureType.ADVANCED_SIGNATURE, order=1
        ),
        Signer(KARI, NotificationsUsingLookup(sms=True), on_behalf_of=OnBehalfOf.SELF),
        Signer(OLA),
    ),
    "Ærlig talt",
    title="Avtale med vedlegg",
    description="Les og signer.",
    non_sensitive_title="Avtale",
    authentication_level=AuthenticationLevel.FOUR,
    activation_time=NOW,
    available=timedelta(days=3),
    identifier_in_signed_documents=IdentifierInSignedDocuments.DATE_OF_BIRTH_AND_NAME,
    sender=Sender("123456789", PollingQueue("kø")),
)
MESSAGE = PortalStatusChange(
    7,
    PortalJobStatus.IN_PROGRESS,
    "https://x/confirm",
    (
        PortalSignature(SignatureStatus.SIGNED, NOW, KARI, "https://x/xades"),
        PortalSignature("NEW", NOW, OLA),
        *(10 * [PortalSignature("NEW", NOW, None)]),
    ),
    "mine",
    pades_url="https://x/pades",
)


@pytest.mark.parametrize(
    "value",
    [
        JOB,
        JobResponse(7, None, CancellationReference("https://x/cancel")),
        JobStatusChange(NOW, MESSAGE, timedelta(seconds=3)),
        JobStatusChange(datetime.now(UTC)),
        Signature(KARI, "NEW", NOW, None),
        Signature(None, "NEW", NOW, None),
        ConfirmationReference("https://x"),
        DeleteDocumentsReference("https://x"),
        PadesReference("https://x"),
        XadesReference("https://x"),
        JobStatus.FAILED,
        SignatureStatus.SIGNED,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_stored_is_read_back_as_it_was(value: object) -> None:
    stored = to_json(value)

    assert from_json(stored, type(value)) == value
    assert to_json(from_json(stored, object)) == stored


def test_a_job_of_lists_paths_and_a_time_that_comes_twice_is_read_back_equal() -> None:
    documents = [Document("Avtale", None, FileType.PDF, Path("folder", "a.pdf")), JOB.documents[1]]
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Oslo"), fold=1)
    job = replace(JOB, document=documents, signers=[*JOB.signers], activation_time=twice)

    again = from_json(to_json(job), Job)

    assert again == job
    assert hash(again) == hash(job)
    assert again.activation_time == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_reference_is_stored_readably() -> None:
    assert json.loads(to_json(XadesReference("https://x"))) == {"type": "XadesReference", "url": "https://x"}


def test_a_change_is_stored_with_the_services_message() -> None:
    stored = json.loads(to_json(JobStatusChange(NOW, MESSAGE)))

    assert (stored["message"]["type"], stored["message"]["signature_job_id"]) == ("PortalStatusChange", 7)


def test_a_path_is_stored_as_a_path() -> None:
    document = Document("Title", "Message", FileType.PDF, Path("folder", "contract.pdf"))

    assert from_json(to_json(document), Document).file == "folder/contract.pdf"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "was not written by to_json"),
        ("{}", "was not written by to_json"),
        ('{"type": "Path", "value": "/"}', "was not written by to_json"),
        ('{"type": "XadesReference"}', "was not written by to_json"),
        ('{"type": "XadesReference", "url": "x", "more": 1}', "was not written by to_json"),
        ('{"type": "PadesReference", "url": "x"}', "is for a PadesReference, not for a XadesReference"),
        ('"https://x"', "is for a str, not for a XadesReference"),
        ('{"type": "seconds", "value": 1e300}', "was not written by to_json"),
        ('{"type": "XadesReference", "url": 7}', "A reference's URL is 7, of type int; write what the service gave"),
        ('{"type": "PollingQueue", "name": "\\ud800"}', r"name has the character U\+D800, which cannot be sent"),
        (100_000 * "[", "was not written by to_json"),
    ],
)
def test_what_is_something_else_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        from_json(text, XadesReference)


def test_only_values_of_the_sdk_are_stored() -> None:
    with pytest.raises(InvalidInput, match="A object cannot be stored"):
        to_json(object())
