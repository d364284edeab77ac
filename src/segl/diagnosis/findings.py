"""The findings of an examination, check by check, in words a person can act on."""

from dataclasses import dataclass
from enum import StrEnum

SKIPPED = "Not checked: another fault prevented it."
NUMBER_ELSEWHERE = (
    "The number is neither in organizationIdentifier (NTRNO- and 9 digits) nor in serialNumber, so a service may "
    "refuse it: ask those who run the service, or use another organization certificate."
)


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not for long or not everywhere."""
    FAULT = "fault"
    SKIPPED = "skipped"
    """Not checked; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name (stable), how it ended, and a sentence that says what was found and how to fix it."""

    check: str
    state: State
    sentence: str
