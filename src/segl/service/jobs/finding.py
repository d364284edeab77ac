"""Finds jobs, their signers and documents; changes nothing."""

from segl.service import clock
from segl.service.jobs.errors import NoSuchJobError
from segl.service.store.models import Document, DocumentKind, Job, Organization, Signer


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


def signers_of_person(*, personal_identification_number: str) -> list[Signer]:
    """Every signer addressed by this national identity number whose turn has come, the newest job first."""
    if not personal_identification_number:
        return []  # An empty number is that of signers addressed by contact information.
    return list(
        Signer.objects.select_related("job__sender")
        .filter(personal_identification_number=personal_identification_number, activated_at__lte=clock.now())
        .order_by("-job_id", "number")
    )


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


def shown(*, original: Document) -> Document:
    """The PDF whose pages a signer is shown, and which are sealed: the original itself, or the PDF typeset from it."""
    typeset = Document.objects.select_related("job").filter(
        job=original.job, kind=DocumentKind.TYPESET, number=original.number
    )
    return typeset.first() or original
