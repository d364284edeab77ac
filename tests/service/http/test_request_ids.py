"""What the application fails to answer."""

import asyncio
import errno
from typing import Any

import pytest

from segl.service.http.request_ids import WithRequestId


def test_an_error_of_the_operating_system_is_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """Such as too few descriptors, or no folder for temporary files."""
    sent: list[dict[str, Any]] = []

    async def application(*_: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files", "/a/file")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError

    asyncio.run(WithRequestId(application)({"type": "http"}, receive, send))
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"retry-after"]) == (503, b"10")
    [line] = caplog.messages
    assert line == "A request cannot be answered for now: Too many open files"
