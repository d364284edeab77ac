"""Signers reached through the contact register: whom to look up, and what follows from the answer.

Each is looked up when the job is created, and again before a first notification that comes later
(ARCHITECTURE.md, rule 4).
"""

from dataclasses import dataclass, field

from segl.core import lifecycle
from segl.core.statuses import SignerStatus
from segl.core.terms import is_mobile_number
from segl.service import clock, due
from segl.service.jobs import changes, rules
from segl.service.store.models import Job, Lookup, Signer
from segl.service.store.transactions import write


@dataclass(frozen=True, slots=True)
class LookupTask:
    """Whom to look up."""

    personal_identification_number: str = field(repr=False)


def begin_lookup(lookup: Lookup) -> LookupTask | None:
    """Return whom to look up, or None if the signer no longer waits or is late."""
    signer = Signer.objects.select_related("job").get(pk=lookup.signer_id)
    if signer.status != SignerStatus.WAITING or signer.is_late(clock.now()):
        with write():
            due.finish(lookup)
        return None
    return LookupTask(signer.personal_identification_number)


def complete_lookup(lookup: Lookup, *, is_reserved: bool, email: str, mobile: str) -> None:
    """Record what the register says of the signer: notify the signer when it is time, or end the job if nothing can.

    Raises:
        LeaseLostError: Another worker has taken over.
    """
    with write():
        job, signer = _locked(lookup)
        signer.email = email if rules.is_mail_address(email) else ""
        signer.sms = mobile if lookup.sms and is_mobile_number(mobile) else ""
        before = changes.state(job)
        if not before.is_waiting(signer.number):
            due.finish(lookup)
        elif reason := _unreachable(signer, is_reserved):
            due.finish(lookup)
            changes.step(job, before, lifecycle.end_unreached(before, signer.number, reason))
            changes.publish(job)
        else:
            signer.save(update_fields=["email", "sms"])
            _notify(lookup, signer)


def postpone_lookup(lookup: Lookup, error: str) -> None:
    """Record that the register did not answer: use its last answer, or ask again later, however often it takes.

    `error` is for the operator: it must hold no identity number.

    Raises:
        LeaseLostError: Another worker has taken over.
    """
    with write():
        job, signer = _locked(lookup)
        if _is_reachable(signer) and changes.state(job).is_waiting(signer.number):
            _notify(lookup, signer)
        else:
            due.postpone(lookup, error)


def _locked(lookup: Lookup) -> tuple[Job, Signer]:
    """The job, locked, and the signer as it is then."""
    job = changes.lock(Signer.objects.values_list("job_id", flat=True).get(pk=lookup.signer_id))
    return job, job.signers.get(pk=lookup.signer_id)


def _unreachable(signer: Signer, is_reserved: bool) -> SignerStatus | None:
    if is_reserved:
        return SignerStatus.RESERVED
    return None if _is_reachable(signer) else SignerStatus.CONTACT_INFORMATION_MISSING


def _is_reachable(signer: Signer) -> bool:
    return any(changes.first_channels(signer))


def _notify(lookup: Lookup, signer: Signer) -> None:
    """Plan the first notification, or another lookup before it if its time has not come."""
    now = clock.now()
    if signer.activated_at is None or signer.activated_at > now:
        due.finish(lookup, due_at=signer.activated_at)
        return
    due.finish(lookup)
    changes.notify([signer], at=now, now=now)
    due.wake_on_commit()
