"""Signers who are addressed by contact information: their unique links and security codes.

A link alone opens nothing; with its code it opens one signer's job. Only digests are kept, and too many wrong codes
block the signer and end the job.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from segl.core import lifecycle
from segl.core.statuses import SignerStatus
from segl.service import clock, due
from segl.service.jobs import changes
from segl.service.jobs.errors import NoSuchLinkError, NotOpenError, WrongCodeError
from segl.service.store.models import Link, Notification, Signer
from segl.service.store.transactions import write

MOST_WRONG_CODES = 5
MOST_CODES_PER_HOUR = 5
_CODE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link's token and security code, on their way to the signer and nowhere else."""

    token: str
    code: str

    def __repr__(self) -> str:
        return "NewLink(…)"


def new_link(signer: Signer) -> NewLink:
    """Make a link and its code for a signer; earlier ones stay valid, since their messages may be on their way."""
    link = NewLink(secrets.token_urlsafe(24), f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}")
    Link.objects.create(
        signer=signer,
        token_digest=_token_digest(link.token),
        code_digest=_code_digest(link.token, link.code),
        created_at=clock.now(),
    )
    return link


def signer_of_link(*, token: str) -> Signer:
    """The signer to whom a link was sent. This alone lets nobody in.

    Raises:
        NoSuchLinkError: It was never sent.
    """
    return _link(token).signer


def enter_code(*, token: str, code: str) -> Signer:
    """Check the code that a person entered for a link, and return the signer it lets in.

    Raises:
        NoSuchLinkError: The link was never sent.
        WrongCodeError: The code is wrong; the try is counted.
        NotOpenError: The signer is blocked, by this try or an earlier one.
    """
    link = _link(token)
    right = hmac.compare_digest(bytes(link.code_digest), _code_digest(token, code.strip()))
    with write():
        job = changes.lock(link.signer.job_id)
        signer = Signer.objects.get(pk=link.signer_id)
        # Counted whatever the signer's status is: a signed document is as secret as one that is to be signed.
        if signer.wrong_codes >= MOST_WRONG_CODES:
            raise _blocked()
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
    signer = _link(token).signer
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


def _link(token: str) -> Link:
    link = Link.objects.select_related("signer__job").filter(token_digest=_token_digest(token)).first()
    if link is None:
        raise NoSuchLinkError("This link was never sent: open the latest message again.")
    return link


def _token_digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _code_digest(token: str, code: str) -> bytes:
    """A code is short: without the service's secret its digest must not be searchable."""
    return hmac.new(settings.SECRET_KEY.encode(), f"{token}:{code}".encode(), hashlib.sha256).digest()


def _blocked() -> NotOpenError:
    return NotOpenError("The signer is blocked after too many wrong security codes.", "blocked")
