"""Makes the sealed PDF of a job that all have signed, reads it back, verifies it, and completes the job."""

from datetime import datetime

from segl.core.certificates import organization_name
from segl.core.pades.values import Attachment, FrontPage, FrontPageDocument
from segl.service import clock, configuration, rendering, sealing
from segl.service.due import LeaseLostError
from segl.service.jobs import sealing as jobs
from segl.service.jobs.sealing import SealTask
from segl.service.layout import laid_out
from segl.service.store import documents
from segl.service.store.models import Sealing
from segl.service.work.keys import valid_sealer
from segl.service.work.verify import verify_results


def seal(row: Sealing) -> None:
    """Make, store, read back, verify and record the sealed PDF of one job.

    Raises:
        LeaseLostError: Another worker has taken over; nothing was recorded.
        OutageError: The keys or the document store cannot be used for now.
        UnverifiedResultError: What was stored does not verify; the job is not completed.
    """
    task = jobs.begin_seal(row)
    sealed_at = clock.now()
    sealer = valid_sealer(sealed_at)
    xades = {each.name: documents.read(each) for each in task.xades}
    shown = [laid_out(each) for each in task.originals]
    assembled = rendering.assemble(
        documents=shown,
        front_page=_front_page(task, sealed_at),
        attachments=[_attachment(name, content) for name, content in xades.items()],
    )
    stored = documents.put(task.key, sealer.seal(assembled, sealed_at=sealed_at))
    try:
        verify_results(task, stored, shown=shown, at=clock.now())
        jobs.complete_seal(row, stored)
    except LeaseLostError:
        documents.discard([stored])
        raise


def _front_page(task: SealTask, sealed_at: datetime) -> FrontPage:
    return FrontPage(
        title=task.job.title,
        job_id=task.job.pk,
        signers=task.signers,
        documents=[FrontPageDocument(each.title, each.pages) for each in task.originals],
        sealed_by=organization_name(sealing.current().seal_key.certificate),
        sealed_at=sealed_at,
        test_mark=configuration.current().sandbox,
    )


def _attachment(name: str, content: bytes) -> Attachment:
    return Attachment(name, "application/xml", f"XAdES: {name}", content)
