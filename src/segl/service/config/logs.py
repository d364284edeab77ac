"""The log's formats: a line of text for people, or JSON for programs; each with the id of the request, if any."""

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from segl.service.http import request_ids

FORMATS = ("text", "json")
_FIELDS = ("time", "level", "logger", "request_id", "message", "exc_info", "stack_info")


class WithRequestId(logging.Filter):
    """Adds `request_id` to each record; `-` outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_ids.current() or "-"
        return True


class _UtcTime(logging.Formatter):
    """Writes times as ISO 8601 in UTC, so that the logs of several machines can be merged."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class Line(_UtcTime):
    """A line of text."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s")


class Json(_UtcTime, JsonFormatter):
    """An object per line: time, level, logger, request_id, message, and exc_info if there is one."""

    def __init__(self) -> None:
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        JsonFormatter.__init__(
            self, "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s", rename_fields=names
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Drop what other libraries attach to their records: a request has its path, which may contain a token."""
        return {name: value for name, value in log_data.items() if name in _FIELDS}


def logging_settings(log_format: str) -> dict[str, Any]:
    """Return the settings for `logging.config.dictConfig`, for one of `FORMATS`."""
    formatter = {"text": Line, "json": Json}[log_format]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": WithRequestId}},
        "formatters": {"formatter": {"()": formatter}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "formatter", "filters": ["request_id"]},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        # Django logs the full paths of refused requests, and a path may contain a signer's token.
        "loggers": {
            "django.request": {"level": "CRITICAL"},
            "django.security": {"level": "CRITICAL"},
            "segl": {"level": "INFO"},
        },
    }
