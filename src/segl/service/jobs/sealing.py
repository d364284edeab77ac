"""Once all signers have signed, the job gets its sealed PDF and is completed."""

from dataclasses import dataclass

from segl.core.pades.values import FrontPageSigner
from segl.core.protocol import SignatureType
from segl.core.statuses import JobStatus
from segl.service import clock, due
from segl.service.jobs import changes
from segl.service.jobs.finding import originals
from segl.service.store.documents import JobKey, StoredDocument, unwrap
from segl.service.store.models import Document, DocumentKind, Job, Sealing, Signer
from segl.service.store.transactions import write


@dataclass(frozen=True, slots=True)
class SealTask:
    """What is needed to make the sealed PDF of a job."""

    job: Job
    key: JobKey
    originals: tuple[Document, ...]
    xades: tuple[Document, ...]
    signers: tuple[FrontPageSigner, ...]


def begin_seal(sealing: Sealing) -> SealTask:
    """Everything that goes into the sealed PDF."""
    job = Job.objects.get(pk=sealing.job_id)
    xades = Document.objects.select_related("job").filter(job=job, kind=DocumentKind.XADES).order_by("number")
    signed = originals(job=job)
    signers = job.signers.select_related("signing").order_by("number")
    return SealTask(
        job=job,
        key=unwrap(bytes(job.wrapped_key)),
        originals=tuple(signed),
        xades=tuple(xades),
        signers=tuple(_front_page_signer(each) for each in signers),
    )


def complete_seal(sealing: Sealing, pades: StoredDocument) -> None:
    """Record the sealed PDF, after it was read back and verified, and complete the job.

    Raises:
        LeaseLostError: Another worker has taken over.
    """
    with write():
        job = changes.lock(sealing.job_id)
        due.finish(sealing)
        Document.objects.create(
            job=job,
            kind=DocumentKind.PADES,
            number=1,
            name="signed.pdf",
            media_type="application/pdf",
            stored_name=pades.name,
            size=pades.size,
            sha256=pades.sha256,
        )
        job.status = JobStatus.COMPLETED_SUCCESSFULLY
        job.completed_at = clock.now()
        job.save(update_fields=["status", "completed_at"])
        changes.publish(job)


def _front_page_signer(signer: Signer) -> FrontPageSigner:
    agreement = signer.signing.agreement
    return FrontPageSigner(
        name=agreement["name"],
        identity=agreement["shown_identity"],
        signed_at=signer.status_since,
        method=agreement["method"],
        level=agreement["level"],
        signature_type=SignatureType(signer.signature_type),
    )
