"""The log: a line for people or an object for programs, with the id of the request and without what clients send."""

import io
import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from segl.service.config import logs
from segl.service.http import request_ids


def written(log_format: str) -> tuple[logging.Handler, io.StringIO]:
    """The handler that the settings make, writing into memory."""
    settings = logs.logging_settings(log_format)
    formatter = settings["formatters"]["formatter"]["()"]()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(settings["filters"]["request_id"]["()"]())
    return handler, stream


def record(message: str, *arguments: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("segl.room", logging.WARNING, __file__, 1, message, arguments, None, **more)
    made.created = 0.25
    return made


@pytest.fixture(params=logs.FORMATS)
def log_format(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.param


def test_the_settings_are_what_logging_takes(log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = logging.root.handlers[:], logging.root.level
    try:
        logging.config.dictConfig(logs.logging_settings(log_format))
        logging.getLogger("segl.room").info("something happened")
    finally:
        logging.root.handlers[:], logging.root.level = before
    assert "something happened" in stream.getvalue()


def test_a_line_of_text_has_time_level_place_and_request() -> None:
    handler, stream = written("text")
    with request_ids.working_on("0123456789abcdef"):
        handler.handle(record("%s of %s", 1, 2))
    assert stream.getvalue() == "1970-01-01T00:00:00.250+00:00 WARNING segl.room 0123456789abcdef 1 of 2\n"


def test_outside_of_requests_there_is_no_id() -> None:
    handler, stream = written("text")
    handler.handle(record("worked"))
    assert stream.getvalue() == "1970-01-01T00:00:00.250+00:00 WARNING segl.room - worked\n"


def test_json_has_the_same_by_name() -> None:
    handler, stream = written("json")
    with request_ids.working_on("0123456789abcdef"):
        handler.handle(record("two\nlines"))
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue()) == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "WARNING",
        "logger": "segl.room",
        "request_id": "0123456789abcdef",
        "message": "two\nlines",
    }


def test_json_has_nothing_that_others_attach_to_a_record() -> None:
    handler, stream = written("json")
    attached = record("refused")
    attached.__dict__["request"] = "/s/a-token"
    handler.handle(attached)
    assert "a-token" not in stream.getvalue()
