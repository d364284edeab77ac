"""Signers who are addressed by contact information enter the code that came with their link, ask for a new one, or end
their links.

Too many wrong codes block the signer and end the job.
"""

import hmac
from datetime import timedelta

from segl.core import lifecycle
from segl.core.statuses import SignerStatus
from segl.service import clock, due
from segl.service.jobs import changes
from segl.service.jobs.errors import NotOpenError, WrongCodeError
from segl.service.jobs.finding import signer_of
from segl.service.jobs.links import code_digest, link_of
from segl.service.store.models import Notification, Signer
from segl.service.store.transactions import write

MOST_WRONG_CODES = 5
MOST_CODES_PER_HOUR = 5


def enter_code(*, token: str, code: str) -> Signer:
    """Check the code that a person entered for a link, and return the signer it lets in.

    Raises:
        NoSuchLinkError: The link was never sent.
        WrongCodeError: The code is wrong; the try is counted.
        NotOpenError: The signer is blocked, by this try or an earlier one, or has ended the link.
    """
    link = link_of(token)
    right = hmac.compare_digest(bytes(link.code_digest), code_digest(token, code.strip()))
    with write():
        job = changes.lock(link.signer.job_id)
        signer = Signer.objects.get(pk=link.signer_id)
        # Counted whatever the signer's status is: a signed document is as secret as one that is to be signed.
        if signer.wrong_codes >= MOST_WRONG_CODES:
            raise _blocked()
        if signer.links_ended_at:
            raise NotOpenError("The signer has ended the link.", "link_ended")
        signer.wrong_codes = 0 if right else signer.wrong_codes + 1
        signer.save(update_fields=["wrong_codes"])
        tries_left = MOST_WRONG_CODES - signer.wrong_codes
        before = changes.state(job)
        if not tries_left and signer.number in before.turn:
            changes.step(job, before, lifecycle.end(before, signer.number, SignerStatus.BLOCKED))
            changes.publish(job)
    if right:
        return link.signer
    raise WrongCodeError(tries_left) if tries_left else _blocked()


def send_new_code(*, token: str) -> None:
    """Have a new link and code sent to the address the sender gave.

    Raises:
        NoSuchLinkError: The link was never sent.
        NotOpenError: The signer has ended, or enough codes were sent within the hour.
    """
    signer = link_of(token).signer
    with write():
        changes.lock(signer.job_id)
        now = clock.now()
        recent = Notification.objects.filter(signer=signer, created_at__gt=now - timedelta(hours=1))
        if recent.count() >= MOST_CODES_PER_HOUR:
            raise NotOpenError(
                "Enough codes were sent within the last hour: use the latest one or wait.", "too_many_codes"
            )
        signer.refresh_from_db(fields=["status"])
        if signer.status != SignerStatus.WAITING or signer.is_late(now):
            raise NotOpenError("The signer has signed or ended: no more codes are sent.", "ended")
        changes.notify([signer], at=now, now=now)
        due.wake_on_commit()


def end_links(*, job_id: int, number: int) -> None:
    """End the links of a signer who has signed or rejected: they and their codes open nothing any more, in no browser.

    Raises:
        NoSuchJobError: There is no such signer.
        NotOpenError: The signer still needs the link, to sign or to reject.
    """
    with write():
        changes.lock(job_id)
        signer = signer_of(job_id=job_id, number=number)
        if signer.status not in {SignerStatus.SIGNED, SignerStatus.REJECTED}:
            raise NotOpenError("A link can be ended once its signer has signed or rejected.", "not_acted")
        signer.links_ended_at = signer.links_ended_at or clock.now()
        signer.save(update_fields=["links_ended_at"])


def _blocked() -> NotOpenError:
    return NotOpenError("The signer is blocked after too many wrong security codes.", "blocked")
