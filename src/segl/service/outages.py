"""Tells what is away for a while, such as the database, from failures that trying again does not fix.

Requests that meet an outage are answered 503, and work is postponed for as long as it takes, never parked.
"""

from sqlite3 import SQLITE_ERROR

from django.db import InternalError, OperationalError

from segl.core.errors import SeglError

_LIMIT_EXCEEDED = "54"
"""The class of PostgreSQL's codes for a value that is too large for it, which it will be the next time too."""

_READ_ONLY = "25006"
"""PostgreSQL's code for a write that a server does not take, such as a standby that is about to be the primary."""


class OutageError(SeglError):
    """Something that the service needs is away for now. The message is for the log, not for callers."""


def reason(error: BaseException) -> str | None:
    """Return what is away, on one line and safe to log; None if the error is not an outage."""
    match error:
        case OutageError():
            return str(error)
        case OperationalError() | InternalError() if _is_passing(error):
            # What follows the first line may quote values.
            return f"the database failed ({str(error).strip().partition(chr(10))[0]})"
        case OSError(errno=int()):  # those of smtplib and of `remote` have no number
            return f"the operating system failed ({error.strerror or type(error).__name__})"
    return None


def _is_passing(error: OperationalError | InternalError) -> bool:
    """Whether the database's error is about its state, rather than about what was asked of it."""
    cause = error.__cause__
    if isinstance(error, InternalError):
        return getattr(cause, "sqlstate", None) == _READ_ONLY
    if getattr(cause, "sqlite_errorcode", None) == SQLITE_ERROR:  # such as a table that does not exist
        return False
    return not str(getattr(cause, "sqlstate", "")).startswith(_LIMIT_EXCEEDED)
