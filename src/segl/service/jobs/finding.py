"""Finds jobs, their signers and documents; changes nothing."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.paginator import Page, Paginator

from segl.core.statuses import JobStatus, SignerStatus
from segl.service import clock
from segl.service.jobs.errors import NoSuchJobError
from segl.service.store.models import Document, DocumentKind, Job, Organization, Signer

SIGNERS_ON_A_PAGE = 50


def job_of(*, sender: Organization, job_id: int) -> Job:
    """A job of this sender.

    Raises:
        NoSuchJobError: There is no such job, or it is another organization's.
    """
    job = Job.objects.filter(sender=sender, pk=job_id).first()
    if job is None:
        raise NoSuchJobError(f"There is no job {job_id}.")
    return job


def document_of(*, job: Job, kind: DocumentKind, number: int = 1) -> Document | None:
    """A document of a job, if there is one yet."""
    return Document.objects.select_related("job").filter(job=job, kind=kind, number=number).first()


def signers_of_person(*, personal_identification_number: str, page: str = "") -> Page[Signer]:
    """A page of the signers addressed by this national identity number whose turn has come.

    Those who can sign come first, then the newest job. `page` is as in a URL: for what is not a number it is the first
    page, for a number too high the last.
    """
    now = clock.now()
    rows = Signer.objects.filter(
        personal_identification_number=personal_identification_number, activated_at__lte=now
    ).order_by("-job_id", "number")
    if not personal_identification_number:
        rows = rows.none()  # An empty number is that of signers addressed by contact information.
    states: Iterable[Any] = rows.values_list("pk", *_STATE)
    open_first = [row[0] for row in sorted(states, key=lambda row: not _can_sign(*row[1:], now=now))]
    found: Page[Any] = Paginator(open_first, SIGNERS_ON_A_PAGE).get_page(page)
    signers = Signer.objects.select_related("job__sender").in_bulk(found.object_list)
    found.object_list = [signers[key] for key in found.object_list]
    return found


_STATE = ("status", "job__status", "signing", "activated_at", "job__available_seconds")


def _can_sign(
    status: str, job_status: str, signing: int | None, activated_at: datetime, seconds: int, *, now: datetime
) -> bool:
    """As `segl.service.jobs.signing.check_open`, of a signer whose turn has come."""
    awaited = (status, job_status, signing) == (SignerStatus.WAITING, JobStatus.IN_PROGRESS, None)
    return awaited and activated_at + timedelta(seconds=seconds) > now


def signer_of(*, job_id: int, number: int) -> Signer:
    """A signer of a job, with the job and its sender.

    Raises:
        NoSuchJobError: There is no such signer.
    """
    signer = Signer.objects.select_related("job__sender").filter(job=job_id, number=number).first()
    if signer is None:
        raise NoSuchJobError(f"There is no signer {number} of job {job_id}.")
    return signer


def originals(*, job: Job) -> list[Document]:
    """The documents to sign, in their order."""
    return list(Document.objects.select_related("job").filter(job=job, kind=DocumentKind.ORIGINAL).order_by("number"))


def laid_out(*, job: Job) -> list[Document]:
    """The PDFs that are shown and sealed, in the order of the originals; none of a job of an earlier release."""
    return list(Document.objects.filter(job=job, kind=DocumentKind.LAID_OUT).order_by("number"))


def made_from(*, original: Document) -> dict[str, Document]:
    """By kind, what the service made from an original: the laid-out PDF and its pages, or a typeset text."""
    kinds = (DocumentKind.LAID_OUT, DocumentKind.PAGES, DocumentKind.TYPESET)
    made = Document.objects.select_related("job").filter(job=original.job, kind__in=kinds, number=original.number)
    return {each.kind: each for each in made}
