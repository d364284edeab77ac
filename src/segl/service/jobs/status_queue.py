"""The sender's polling queue: each change of a job puts its current status there, until the sender confirms it."""

from dataclasses import dataclass

from segl.core.statuses import SignerStatus
from segl.service import configuration, due
from segl.service.jobs.finding import job_of
from segl.service.store.models import Document, DocumentKind, Job, Organization, Signer, StatusChange
from segl.service.store.transactions import write


@dataclass(frozen=True, slots=True)
class DeliveredChange:
    """A job's current status as it was taken from the queue; confirming `version` removes no later version."""

    job: Job
    version: int
    signers: tuple[Signer, ...]
    xades_numbers: frozenset[int]
    has_pades: bool


def next_status_change(*, sender: Organization, polling_queue: str) -> DeliveredChange | None:
    """Take the oldest available change and hide it from other pollers; unconfirmed, it comes back after a while."""
    changes = due.claim(
        StatusChange, hide_for=configuration.current().requeue_after, sender=sender.pk, polling_queue=polling_queue
    )
    if not changes:
        return None
    # The status is read after the version: a change in between is delivered once more, never lost.
    rows = Signer.objects.select_related("job").filter(job=changes[0].pk)
    signers = tuple(sorted(rows, key=lambda each: each.number))
    signed = any(each.status == SignerStatus.SIGNED for each in signers)
    made = set(Document.objects.filter(job=changes[0].pk).values_list("kind", "number")) if signed else set()
    return DeliveredChange(
        job=signers[0].job,
        version=changes[0].version,
        signers=signers,
        xades_numbers=frozenset(number for kind, number in made if kind == DocumentKind.XADES),
        has_pades=(DocumentKind.PADES, 1) in made,
    )


def confirm_status_change(*, sender: Organization, job_id: int, version: int) -> None:
    """The sender has handled this version; confirming it again, or after a later change, changes nothing.

    Raises:
        NoSuchJobError: There is no such job, or it is another organization's.
    """
    job = job_of(sender=sender, job_id=job_id)
    with write():
        StatusChange.objects.filter(job=job, version=version).update(due_at=None)
