"""The errors of the use cases.

SeglError
  JobError
    NoSuchJobError          no such job, or another organization's
    NotAllowedError         the organization may not ask for this
    KeyReusedError          an Idempotency-Key that came with another request before
    UnderWayError           the same request under the same Idempotency-Key is being handled; `received_at`
    NotDeletableError       the documents cannot be deleted, or not yet
    NoSuchLinkError         a signer's link that was never sent
    WrongCodeError          a wrong security code; `tries_left`
    NotTheSignerError       not the person who was asked to sign
    LevelTooLowError        logged in with an eID of a lower level than the job requires
    PagesNotShownError      pages whose pictures the signer was not sent; `pages`
    NotOpenError            not yet activated, not this signer's turn, ended or past the deadline
  OutageError               (segl.service.outages)
    OutcomeUnknownError     the database does not say whether the use case was recorded
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from segl.core.errors import SeglError
from segl.service.outages import OutageError


class JobError(SeglError):
    """A use case was refused; the message is a sentence for the caller."""


class NoSuchJobError(JobError):
    """There is no such job, or it is another organization's; callers never learn which."""


class NotAllowedError(JobError):
    """The organization may not ask for this (ARCHITECTURE.md, rules 1 and 2); each rule has its own `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class KeyReusedError(JobError):
    """The sender has used the Idempotency-Key for another request."""


class UnderWayError(JobError):
    """The same request is being handled; its body first began to arrive at `received_at`."""

    def __init__(self, received_at: datetime) -> None:
        super().__init__("The same request with the same Idempotency-Key is still being handled: send it again later.")
        self.received_at = received_at


class NotDeletableError(JobError):
    """The job's documents cannot be deleted, or not yet."""


class NoSuchLinkError(JobError):
    """The link was never sent."""


class WrongCodeError(JobError):
    """The security code is wrong; with no try left the signer is blocked."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"The security code is wrong; {tries_left} tries are left.")
        self.tries_left = tries_left


class NotTheSignerError(JobError):
    """The person is not the one who was asked to sign."""


class LevelTooLowError(JobError):
    """The log-in's security level is below the one the job requires."""


class PagesNotShownError(JobError):
    """The signer was not sent the pictures of some pages, and has not confirmed to sign all the same.

    `pages` has these pages by the number of their document.
    """

    def __init__(self, pages: Mapping[int, Sequence[int]]) -> None:
        super().__init__("Pages have not been shown to the signer, who must confirm to sign without.")
        self.pages = pages


class NotOpenError(JobError):
    """The signer cannot act now; `reason` says which page to show."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class OutcomeUnknownError(OutageError):
    """The database did not answer a COMMIT, nor afterwards whether it was done."""
