"""Has the faults that were asked for befall calls of the API, on their way to the service and back."""

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
from segl.service.http.bodies import RETRY_SECONDS, Application, Receive, Scope, Send, send_answer
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
_WHY = "as was asked for (a fault of this sandbox); nothing was done: send the request again."

_Messages = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Told:
    """An answer that told a change, and the fault because of which it is told again."""

    fault_id: str
    answer: _Messages


class WithFaults:
    """An ASGI application that passes calls on to another one, but for the faults that are to befall them."""

    def __init__(self, application: Application, faults: Faults) -> None:
        self._application = application
        self._faults = faults
        self._told: dict[tuple[str, bytes], _Told] = {}  # by the queue's address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = _call(scope)
        if call is None:
            await self._application(scope, receive, send)
            return
        match self._faults.use(lambda each: each.befalls(call) and self._can_happen(each, scope)):
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
                await _send(self._told.pop(_queue(scope)).answer, send)
            case Fault(fault=kind):
                await _received(receive)
                await send_answer(answer_of(_REFUSALS[kind]()), send)

    def _can_happen(self, fault: Fault, scope: Scope) -> bool:
        """A change is told again only where one was told since that was asked for."""
        told = self._told.get(_queue(scope))
        return fault.fault != "duplicate" or (told is not None and told.fault_id == fault.id)

    def _remember(self, call: Call, scope: Scope, answer: _Messages) -> None:
        """Keep an answer that tells a change, if it is to be told again."""
        wanted = (each for each in self._faults.pending() if each.fault == "duplicate" and each.befalls(call))
        fault = next(wanted, None)
        if fault and answer and answer[0]["status"] == HTTPStatus.OK:
            self._told[_queue(scope)] = _Told(fault.id, answer)

    async def _answered(self, scope: Scope, receive: Receive) -> _Messages:
        """Let the work be done; what is answered is not sent yet."""
        answer: _Messages = []

        async def keep(message: dict[str, Any]) -> None:
            answer.append(message)

        await self._application(scope, receive, keep)
        return answer


def _call(scope: Scope) -> Call | None:
    """What a request asks for; None when it is none to the API's resources."""
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
    """Wait for the whole request: many clients read no answer before they have sent everything."""
    while (await receive()).get("more_body"):
        pass


async def _drop(scope: Scope, receive: Receive) -> None:
    """Drop the connection, and wait until the server has noticed: it would answer if we ended before."""
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
    answer = response(HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", f"The service is away {_WHY}")
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


# As the service itself answers.
_REFUSALS: Mapping[str, Callable[[], HttpResponse]] = {
    "too-eager": _too_eager,
    "rate-limited": _rate_limited,
    "500": _failed,
    "503": _unavailable,
}
