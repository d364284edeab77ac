"""What a process says of itself when threads hang."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from segl.service import worker
from segl.service.config.listeners import ListenerMiddleware
from segl.service.http import health
from segl.service.worker import Worker


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Called, it makes what began before hang."""

    def wait() -> None:
        hanging = time.monotonic() + health.HANGING_SECONDS + 1
        monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: hanging))

    return wait


def probed(path: str) -> tuple[int, bytes]:
    """What a process that is ready answers."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    ready: Any = SimpleNamespace(is_ready=lambda: True)
    never: Any = None
    asyncio.run(health.WithHealth(never, ready)({"path": path}, never, send))
    return int(sent[0]["status"]), sent[1]["body"]


def test_a_process_in_which_a_thread_hangs_is_not_healthy_until_it_goes_on(later: Any) -> None:
    with health.watched(), health.watched():
        assert probed("/healthz") == (200, b"ok\n")
        later()
        assert probed("/healthz") == (503, b"hanging\n")
        assert probed("/readyz") == (200, b"ok\n")
    assert probed("/healthz") == (200, b"ok\n")


def test_a_request_is_watched(sqlite: None, later: Any) -> None:
    hanging: list[bool] = []

    def view(_: object) -> HttpResponse:
        later()
        hanging.append(health.is_hanging())
        return HttpResponse()

    ListenerMiddleware(view)(RequestFactory().get("/"))
    assert (hanging, health.is_hanging()) == ([True], False)


def test_a_worker_that_looks_for_work_is_watched(sqlite: None, later: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, hanging = Worker(), []

    def claim(*_: object, **__: object) -> list[Any]:
        later()
        hanging.append(health.is_hanging())
        looking.stop()
        return []

    monkeypatch.setattr(worker.due, "claim", claim)
    monkeypatch.setattr(looking, "_sweep", lambda: None)
    looking.run()
    assert {*hanging} == {True}
    assert not health.is_hanging()
