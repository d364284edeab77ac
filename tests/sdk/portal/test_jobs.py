"""What a program says of the jobs it sends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest

from segl.sdk import (
    ContactInformation,
    Document,
    Email,
    FileType,
    InvalidInput,
    Job,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PadesReference,
    PersonalIdentificationNumber,
    PollingQueue,
    Sender,
    Signer,
    Sms,
)

SIGNER = PersonalIdentificationNumber("11111111111")
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


def test_files_of_the_same_name_get_numbers() -> None:
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


def test_a_job_needs_a_document() -> None:
    with pytest.raises(InvalidInput, match="needs at least one document"):
        Job([], [Signer(ContactInformation(email=Email("a@example.com")))], title="Contract")
