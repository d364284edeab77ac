"""What every change of a job has in common: lock the job, advance its signers, publish to the sender's queue."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from segl.core import lifecycle
from segl.core.lifecycle import JobState
from segl.core.statuses import JobStatus
from segl.service import clock, configuration
from segl.service.jobs.errors import NoSuchJobError
from segl.service.store.models import Channel, Job, Lookup, Notification, Signer, StatusChange

_A_DAY = 24 * 3600


def lock(job_id: int) -> Job:
    """The job, locked against other changes until the end of the transaction.

    Raises:
        NoSuchJobError: There is no such job.
    """
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise NoSuchJobError(f"There is no job {job_id}.")
    return job


def state(job: Job) -> JobState:
    """The job's signers as the life cycle sees them."""
    return states([job.pk])[job.pk]


def states(jobs: Collection[int]) -> dict[int, JobState]:
    """The signers of these jobs as the life cycle sees them, by the job's id; one statement for all."""
    rows = Signer.objects.filter(job__in=jobs).order_by("number").values_list("job_id", "number", "order", "status")
    signers: dict[int, list[tuple[int, int, str]]] = {each: [] for each in jobs}
    for job_id, number, order, status in rows:
        signers[job_id].append((number, order, status))
    return {job_id: lifecycle.job_state(each) for job_id, each in signers.items()}


def step(job: Job, before: JobState, after: JobState) -> None:
    """Record a step of the life cycle; a job that fails by it sends no more notifications."""
    now = clock.now()
    for was, will_be in zip(before.signers, after.signers, strict=True):
        if was.status is not will_be.status:
            job.signers.filter(number=will_be.number).update(status=will_be.status, status_since=now)
    if after.status is JobStatus.FAILED:
        job.status = after.status
        job.save(update_fields=["status"])
        Notification.objects.filter(signer__job=job, sent_at=None).update(due_at=None)
        Lookup.objects.filter(signer__job=job).update(due_at=None)
    else:
        activate(job, after)


def activate(job: Job, after: JobState) -> None:
    """Let the signers whose turn it is now act, and plan their notifications, from the job's activation on.

    Signers reached through the contact register are looked up again first (`segl.service.jobs.looking_up`).
    """
    now = clock.now()
    at = max(now, job.activates_at)
    signers = list(job.signers.filter(number__in=after.turn, activated_at=None))
    Signer.objects.filter(pk__in=[each.pk for each in signers]).update(activated_at=at)
    lookups = Lookup.objects.filter(signer__in=signers)
    lookups.update(due_at=at)
    looked_up = set(lookups.values_list("pk", flat=True))
    notify([each for each in signers if each.pk not in looked_up], at=at, now=now)


def notify(signers: Sequence[Signer], *, at: datetime, now: datetime) -> None:
    """Plan a first notification for each of these signers, except those who are yet to be looked up."""
    Notification.objects.bulk_create(
        Notification(signer=each, channel=channel, created_at=now, due_at=at)
        for each in signers
        for channel in first_channels(each)
    )


def first_channels(signer: Signer) -> Iterator[Channel]:
    """The channels of a signer's first notification (ARCHITECTURE.md, rule 4); none if nothing reaches the signer.

    E-mail, and SMS if there is no e-mail address or the time is too short for a reminder.
    """
    if signer.email:
        yield Channel.EMAIL
    if (
        signer.sms
        and configuration.current().sms.gateway
        and (not signer.email or signer.job.available_seconds <= _A_DAY)
    ):
        yield Channel.SMS


def publish(job: Job) -> None:
    """Put the job's current status on its sender's queue."""
    change, _ = StatusChange.objects.get_or_create(
        job=job, defaults={"sender_id": job.sender_id, "polling_queue": job.polling_queue}
    )
    change.version += 1
    change.due_at = clock.now()
    change.save(update_fields=["version", "due_at"])
