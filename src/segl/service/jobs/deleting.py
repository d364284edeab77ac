"""The sender deletes the documents of a completed job."""

from datetime import datetime

from segl.core.statuses import JobStatus
from segl.service import clock, configuration
from segl.service.jobs import changes
from segl.service.jobs.errors import NotDeletableError
from segl.service.jobs.finding import job_of
from segl.service.store.documents import remove
from segl.service.store.models import DeliveredPage, Document, Job, Organization
from segl.service.store.transactions import write


def delete_documents(*, sender: Organization, job_id: int) -> None:
    """Delete originals and results for good: rows, contents, and the key without which backups cannot be read.

    Who was sent which pages is deleted too. Doing it again changes nothing. `documents.sweep` removes contents that a
    crash leaves behind.

    Raises:
        NoSuchJobError: There is no such job, or it is another organization's.
        NotDeletableError: The job is not completed, or was completed too recently.
    """
    job_of(sender=sender, job_id=job_id)
    with write():
        job = changes.lock(job_id)
        if job.documents_deleted_at:
            return
        _check_deletable(job, clock.now())
        rows = Document.objects.filter(job=job)
        names = list(rows.values_list("stored_name", flat=True))
        rows.delete()
        DeliveredPage.objects.filter(signer__job=job).delete()
        job.wrapped_key = b""
        job.documents_deleted_at = clock.now()
        job.save(update_fields=["wrapped_key", "documents_deleted_at"])
    remove(names)


def _check_deletable(job: Job, now: datetime) -> None:
    if job.status != JobStatus.COMPLETED_SUCCESSFULLY or job.completed_at is None:
        raise NotDeletableError(f"The documents of job {job.pk} cannot be deleted: its status is {job.status}.")
    deletable_at = job.completed_at + configuration.current().deletable_after
    if now < deletable_at:
        raise NotDeletableError(
            f"The documents of job {job.pk} can be deleted from {deletable_at.isoformat(timespec='seconds')}: "
            "until then everyone has time to fetch their copies."
        )
