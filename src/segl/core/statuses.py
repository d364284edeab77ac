"""The states of a job and of its signers, whatever the flow. The messages of each flow map to them.

Portal messages have no FAILED signers; direct ones lack CANCELLED, RESERVED and CONTACT_INFORMATION_MISSING.
"""

from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job is: signers are awaited, its results are complete, or it ended without them."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED_SUCCESSFULLY = "COMPLETED_SUCCESSFULLY"
    FAILED = "FAILED"


class SignerStatus(StrEnum):
    """Where a signer is: awaited (WAITING), SIGNED, or why there will be no signature.

    NOT_APPLICABLE: the job ended because of another signer.
    """

    WAITING = "WAITING"
    SIGNED = "SIGNED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    RESERVED = "RESERVED"
    CONTACT_INFORMATION_MISSING = "CONTACT_INFORMATION_MISSING"
    EXPIRED = "EXPIRED"
    BLOCKED = "BLOCKED"
    SIGNERS_NAME_NOT_AVAILABLE = "SIGNERS_NAME_NOT_AVAILABLE"
    FAILED = "FAILED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
