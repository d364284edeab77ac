"""What an examination found, check by check, in words a person can act on."""

from dataclasses import dataclass
from enum import StrEnum

SKIPPED = "Not checked: what is told above kept it from being asked."


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not for long or not everywhere."""
    FAULT = "fault"
    SKIPPED = "skipped"
    """Not checked, for the reason given."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name (stable), how it ended, and a sentence of what was found and how to mend it."""

    check: str
    state: State
    sentence: str
