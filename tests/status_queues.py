"""A status queue in memory that goes wrong in every way, behind httpx's own transport."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from segl.core.protocol import (
    ErrorMessage,
    PersonalIdentificationNumber,
    PortalJobStatus,
    PortalSignature,
    PortalStatusChange,
    SignatureStatus,
)
from segl.sdk import Sender, handling

ROOT = "https://api.example.org/api"
SENDER = Sender("123456789")
JOBS = f"{ROOT}/123456789/portal/signature-jobs"
FAULTS = ("busy", "broken", "before", "after", "duplicate", "blocked", "eager", "none", "none")


class Queue:
    """Jobs that changed. One that was delivered is hidden for some polls, and comes back unless it is confirmed."""

    def __init__(self, jobs: int, *, faults: tuple[str, ...] = ("none",), seed: int = 0) -> None:
        self.waiting = list(range(1, jobs + 1))
        self.hidden: list[int] = []
        self.confirmed: list[int] = []
        self.delivered: list[int] = []
        self.faults = faults
        self.refusal: int | None = None
        self.unknown: set[int] = set()
        self.when_empty: Callable[[], None] = lambda: None
        self._random = random.Random(seed)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refusal:
            return httpx.Response(self.refusal)
        try:
            return self._answer(request)
        finally:
            if not (self.waiting or self.hidden):
                self.when_empty()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        fault = self._random.choice(self.faults)
        match fault:
            case "busy":
                return httpx.Response(503, headers={"Retry-After": "0"})
            case "broken":
                return httpx.Response(500, content=ErrorMessage("INTERNAL", "Sorry.", "SERVER").to_xml())
            case "blocked":
                return httpx.Response(429, headers={"DoSFilter": "too many"})
            case "before":
                raise httpx.ReadError("lost")
        answer = self._confirm(request) if request.method == "POST" else self._poll(fault)
        if fault == "after":
            raise httpx.RemoteProtocolError("lost")
        return answer

    def _confirm(self, request: httpx.Request) -> httpx.Response:
        job = int(request.url.path.split("/")[-2])
        if job in self.unknown:
            return httpx.Response(404)
        self.confirmed.append(job)
        self.waiting = [each for each in self.waiting if each != job]
        self.hidden = [each for each in self.hidden if each != job]
        return httpx.Response(204)

    def _poll(self, fault: str) -> httpx.Response:
        if fault == "eager":
            return httpx.Response(429, headers=_permitted(timedelta(seconds=-1)))
        if not self.waiting:
            self.waiting, self.hidden = self.hidden, []
            return httpx.Response(204, headers=_permitted(timedelta()))
        job = self.waiting[0]
        if fault != "duplicate":
            self.hidden.append(self.waiting.pop(0))
        self.delivered.append(job)
        return httpx.Response(200, content=_change(job).to_xml(), headers=_permitted(timedelta()))


def _permitted(ahead: timedelta) -> dict[str, str]:
    return {"X-Next-permitted-poll-time": (datetime.now(UTC) + ahead).isoformat()}


def _change(job: int) -> PortalStatusChange:
    signature = PortalSignature(SignatureStatus.WAITING, datetime.now(UTC), PersonalIdentificationNumber("1" * 11))
    return PortalStatusChange(job, PortalJobStatus.IN_PROGRESS, f"{JOBS}/{job}/complete", (signature,))


@contextmanager
def without_waiting() -> Iterator[None]:
    """Meanwhile the loop waits for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handling, "_SHORTEST_WAIT", 0)
        patch.setattr(handling, "_BLOCKED", 0)
        patch.setattr(handling, "backoff", lambda _attempt: 0)
        patch.setattr("segl.sdk.exchange.backoff", lambda _attempt: 0)
        yield
