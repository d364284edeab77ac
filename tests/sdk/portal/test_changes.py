"""What a program receives about jobs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from segl.core.protocol import PortalJobStatus, PortalSignature, PortalStatusChange
from segl.sdk import (
    CancellationReference,
    ConfirmationReference,
    ContactInformation,
    DeleteDocumentsReference,
    Email,
    InvalidInput,
    JobStatus,
    JobStatusChange,
    NotAvailableError,
    NotificationsUsingLookup,
    PadesReference,
    PersonalIdentificationNumber,
    SignatureStatus,
    Signer,
    XadesReference,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
SIGNER = PersonalIdentificationNumber("11111111111")


def changed(pades_url: str | None = "https://x/pades") -> JobStatusChange:
    signed = PortalSignature(SignatureStatus.SIGNED, NOW, SIGNER, "https://x/xades/1")
    waiting = PortalSignature(SignatureStatus.WAITING, NOW, SIGNER)
    message = PortalStatusChange(
        7, PortalJobStatus.IN_PROGRESS, "https://x/complete", (signed, waiting), "mine", pades_url=pades_url
    )
    return JobStatusChange(NOW, message)


def test_a_change_has_the_jobs_status_and_its_references() -> None:
    change = changed()

    assert (change.status, change.signature_job_id, change.reference) == (JobStatus.IN_PROGRESS, 7, "mine")
    assert change.confirmation_reference == ConfirmationReference("https://x/complete")
    assert (change.pades_available, change.pades_reference) == (True, PadesReference("https://x/pades"))
    assert [each.status for each in change.signatures] == [SignatureStatus.SIGNED, SignatureStatus.WAITING]
    assert change.signatures[0].xades_reference == XadesReference("https://x/xades/1")


def test_what_is_not_available_yet_is_a_clear_error() -> None:
    change = changed(pades_url=None)

    assert not change.pades_available
    with pytest.raises(NotAvailableError, match="Job 7 has no PAdES: its status is IN_PROGRESS"):
        _ = change.pades_reference
    with pytest.raises(NotAvailableError, match="whose status is WAITING; wait until it is SIGNED"):
        _ = change.signatures[1].xades_reference


def test_no_changes_belongs_to_no_job_and_has_nothing_to_confirm() -> None:
    change = JobStatusChange(NOW)

    assert (change.status, change.pades_available) == (JobStatus.NO_CHANGES, False)
    assert (change.signature_job_id, change.reference) == (None, None)
    with pytest.raises(NotAvailableError, match="the queue was empty"):
        _ = change.confirmation_reference


def test_the_wait_until_the_next_poll_is_never_negative() -> None:
    later = JobStatusChange(datetime.now(UTC) + timedelta(seconds=60))

    assert JobStatusChange(NOW - timedelta(days=1000)).seconds_until_next_poll == 0
    assert 55 < later.seconds_until_next_poll <= 60


def test_a_signers_signature_is_found() -> None:
    ola = ContactInformation(Email("ola@example.com"))
    message = PortalStatusChange(
        7,
        PortalJobStatus.IN_PROGRESS,
        "https://x/complete",
        (
            PortalSignature(SignatureStatus.SIGNED, NOW, SIGNER, "https://x/xades/1"),
            PortalSignature("ASLEEP", NOW, ola),
        ),
    )
    change = JobStatusChange(NOW, message)

    assert change.signature_for(Signer(SIGNER, NotificationsUsingLookup())).status is SignatureStatus.SIGNED
    assert change.signature_for(SIGNER).xades_reference == XadesReference("https://x/xades/1")
    assert change.signature_for(ola).status == "ASLEEP"
    with pytest.raises(InvalidInput, match=r"Job 7 has no signers PersonalIdentificationNumber\(010170\*"):
        change.signature_for(PersonalIdentificationNumber("01017012345"))
    with pytest.raises(InvalidInput, match="The signer is of type str; write the job's Signer"):
        change.signature_for("11111111111")  # type: ignore[arg-type]


def test_a_signer_who_appears_twice_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="Job 7 has 2 signers"):
        changed().signature_for(SIGNER)


def test_a_job_status_of_later_versions_is_kept() -> None:
    message = PortalStatusChange(
        7, "ON_HOLD", "https://x/complete", (PortalSignature(SignatureStatus.WAITING, NOW, SIGNER),)
    )

    assert JobStatusChange(NOW, message).status == "ON_HOLD"


def test_cancelling_and_deleting_are_offered_when_the_service_does() -> None:
    message = changed().message
    assert message
    offering = replace(message, cancellation_url="https://x/cancel", delete_documents_url="https://x")
    change = JobStatusChange(NOW, offering)

    assert (change.cancellable, change.documents_deletable) == (True, True)
    assert change.cancellation_reference == CancellationReference("https://x/cancel")
    assert change.delete_documents_reference == DeleteDocumentsReference("https://x")
    assert not changed().cancellable
    with pytest.raises(NotAvailableError, match="Job 7 cannot be cancelled"):
        _ = changed().cancellation_reference
    with pytest.raises(NotAvailableError, match="The documents of job 7 cannot be deleted"):
        _ = changed().delete_documents_reference


def test_the_wait_follows_the_services_clock() -> None:
    hour = timedelta(hours=1)

    ahead = JobStatusChange(datetime.now(UTC) + hour + timedelta(seconds=60), clock_lead=hour)
    assert 55 < ahead.seconds_until_next_poll <= 60
