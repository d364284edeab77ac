"""How a line of the log is written."""

import logging
from datetime import UTC, datetime


class Line(logging.Formatter):
    """Its time is ISO 8601 in UTC, so that the logs of several machines can be put in order."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
