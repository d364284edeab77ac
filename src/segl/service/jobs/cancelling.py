"""The sender cancels a job."""

from segl.core import lifecycle
from segl.core.statuses import SignerStatus
from segl.service.jobs import changes
from segl.service.jobs.finding import job_of
from segl.service.store.models import Organization
from segl.service.store.transactions import write


def cancel_job(*, sender: Organization, job_id: int) -> None:
    """The sender withdraws a job; doing it again changes nothing.

    Raises:
        NoSuchJobError: There is no such job, or it is another organization's.
        IllegalStepError: The job is completed or has ended already.
    """
    job_of(sender=sender, job_id=job_id)
    with write():
        job = changes.lock(job_id)
        before = changes.state(job)
        if any(each.status is SignerStatus.CANCELLED for each in before.signers):
            return
        changes.step(job, before, lifecycle.cancel(before))
        changes.publish(job)
