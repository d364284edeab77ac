"""Injects the requested faults into calls of the API, on their way to the service and back."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse

from segl.core.organizations import NUMBER
from segl.sandbox.faults.pending import Call, Fault, Faults
from segl.service import clock, configuration
from segl.service.config.listeners import answer_of
from segl.service.http.asgi import Application, Receive, Scope, Send, send_answer
from segl.service.http.bodies import RETRY_SECONDS
from segl.service.sender_api.errors import BlockedError, response, response_to
from segl.service.sender_api.polling import too_eager

_JOBS = "/portal/signature-jobs"
_CALLS: Mapping[tuple[str, str], str] = {
    ("POST", _JOBS): "create",
    ("GET", _JOBS): "poll",
    ("POST", f"{_JOBS}/complete"): "confirm",
    ("POST", f"{_JOBS}/cancel"): "cancel",
    ("DELETE", f"{_JOBS}/documents"): "delete",
    ("GET", f"{_JOBS}/xades"): "xades",
    ("GET", f"{_JOBS}/pades"): "pades",
}
_WHY = "as requested (a fault of this sandbox) and did nothing: send the request again."

_Messages = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A response with a status change, and the fault because of which it will be delivered again."""

    fault_id: str
    response: _Messages


class WithFaults:
    """An ASGI application that passes calls on to another one, except those that a pending fault applies to."""

    def __init__(self, application: Application, faults: Faults) -> None:
        self._application = application
        self._faults = faults
        self._delivered: dict[tuple[str, bytes], _Delivered] = {}  # by the queue's address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = _call(scope)
        if call is None:
            await self._application(scope, receive, send)
            return
        match self._faults.use(lambda each: each.applies_to(call) and self._can_happen(each, scope)):
            case None if call.name == "poll":
                answer = await self._answered(scope, receive)
                self._remember(call, scope, answer)
                await _send(answer, send)
            case None:
                await self._application(scope, receive, send)
            case Fault(fault="drop-before"):
                await _drop(scope, receive)
            case Fault(fault="drop-after"):
                await self._answered(scope, receive)
                await _drop(scope, receive)
            case Fault(fault="slow", seconds=float() | int() as seconds):
                answer = await self._answered(scope, receive)
                await asyncio.sleep(seconds)
                await _send(answer, send)
            case Fault(fault="duplicate"):
                await _send(self._delivered.pop(_queue(scope)).response, send)
            case Fault(fault=kind):
                await _received(receive)
                await send_answer(answer_of(_REFUSALS[kind]()), send)

    def _can_happen(self, fault: Fault, scope: Scope) -> bool:
        """Whether the fault is possible: a duplicate needs a change delivered since the fault was requested."""
        delivered = self._delivered.get(_queue(scope))
        return fault.fault != "duplicate" or (delivered is not None and delivered.fault_id == fault.id)

    def _remember(self, call: Call, scope: Scope, answer: _Messages) -> None:
        """Keep a response with a status change, if it is to be delivered again."""
        wanted = (each for each in self._faults.pending() if each.fault == "duplicate" and each.applies_to(call))
        fault = next(wanted, None)
        if fault and answer and answer[0]["status"] == HTTPStatus.OK:
            self._delivered[_queue(scope)] = _Delivered(fault.id, answer)

    async def _answered(self, scope: Scope, receive: Receive) -> _Messages:
        """Let the service process the request, and return the response without sending it."""
        answer: _Messages = []

        async def keep(message: dict[str, Any]) -> None:
            answer.append(message)

        await self._application(scope, receive, keep)
        return answer


def _call(scope: Scope) -> Call | None:
    """Return the call that a request makes, or None if it is not to a resource of the API."""
    found = re.fullmatch(f"/api//?({NUMBER})(/.*)?", scope["path"])
    if not found:
        return None
    resource = re.sub("/[0-9]+", "", found[2] or "")
    return Call(found[1], _CALLS.get((scope["method"], resource), "other"))


def _queue(scope: Scope) -> tuple[str, bytes]:
    return scope["path"], scope["query_string"]


async def _send(answer: _Messages, send: Send) -> None:
    for message in answer:
        await send(message)


async def _received(receive: Receive) -> None:
    """Wait for the whole request: many clients read no response before they have sent everything."""
    while (await receive()).get("more_body"):
        pass


async def _drop(scope: Scope, receive: Receive) -> None:
    """Drop the connection, and wait until the server has noticed, since it would respond if we returned earlier."""
    scope["segl.abort"]()
    while (await receive())["type"] != "http.disconnect":
        pass


def _too_eager() -> HttpResponse:
    return too_eager(clock.wall() + configuration.current().poll_interval)


def _rate_limited() -> HttpResponse:
    return response_to(BlockedError())


def _failed() -> HttpResponse:
    return response(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", f"The service failed {_WHY}")


def _unavailable() -> HttpResponse:
    answer = response(HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", f"The service is unavailable {_WHY}")
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


# The same responses as the service's own.
_REFUSALS: Mapping[str, Callable[[], HttpResponse]] = {
    "too-eager": _too_eager,
    "rate-limited": _rate_limited,
    "500": _failed,
    "503": _unavailable,
}
