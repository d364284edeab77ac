"""Bodies that cannot be stored."""

import asyncio
from pathlib import Path
from typing import IO, Any

import pytest

from segl.service.http import bodies
from segl.service.http.bodies import WholeBodies


def full_disk(**_: Any) -> IO[bytes]:
    return Path("/dev/full").open("w+b")


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_body_that_finds_no_room_may_be_sent_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    monkeypatch.setattr(bodies, "SpooledTemporaryFile", full_disk)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(size), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    application = WholeBodies(lambda *_: [], name="api", threads=4, body_limit=1_000_000)
    asyncio.run(application({"type": "http", "headers": []}, receive, send))
    start, *rest = sent
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"10")
    assert b"".join(each["body"] for each in rest) == b"The service cannot store the request now: send it again later."
    assert "No space left on device" in caplog.text
