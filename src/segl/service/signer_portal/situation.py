"""A signer's situation, as far as the pages distinguish it."""

from collections.abc import Collection
from enum import StrEnum

from segl.service.jobs.signing import why_not_open
from segl.service.store.models import Signer


class Situation(StrEnum):
    """The values are the reasons of `NotOpenError`; any other reason means that the job has ended."""

    OPEN = "open"
    NOT_ACTIVE = "not_active"
    WAITING = "waiting"
    SIGNING = "signing"
    SIGNED = "signed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    RESERVED = "reserved"
    CONTACT_INFORMATION_MISSING = "contact_information_missing"
    ENDED = "ended"

    @property
    def is_acted(self) -> bool:
        """Whether the signer has signed or rejected, and has a receipt."""
        return self in {Situation.SIGNING, Situation.SIGNED, Situation.REJECTED}

    @property
    def is_coming(self) -> bool:
        """Whether the signer will be able to sign later."""
        return self in {Situation.NOT_ACTIVE, Situation.WAITING}


def situation_of(signer: Signer) -> Situation:
    """Return the signer's current situation."""
    [situation] = situations_of([signer])
    return situation


def situations_of(signers: Collection[Signer]) -> list[Situation]:
    """Return the current situation of each signer."""
    return [named(error.reason) if error else Situation.OPEN for error in why_not_open(signers)]


def named(reason: str) -> Situation:
    """Return the situation for a reason of `NotOpenError`."""
    return Situation(reason) if reason in list(Situation) else Situation.ENDED
