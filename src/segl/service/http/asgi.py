"""The shapes of ASGI, and whole responses."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers other than Content-Type and Content-Length."""


ErrorAnswer = Callable[[HTTPStatus, str], Answer]
"""Makes the response to a request that is not accepted, from the status and a sentence."""


def plain(status: HTTPStatus, text: str) -> Answer:
    """Plain text."""
    return Answer(status, "text/plain; charset=utf-8", text.encode())


async def send_answer(answer: Answer, send: Send, *, closing: bool = False, unfinished: bool = False) -> None:
    """Send a response; `closing` closes the connection, `unfinished` leaves the end of the response to the caller."""
    headers = [*head_of(answer), *([(b"connection", b"close")] if closing else [])]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": unfinished})


def head_of(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response in ASGI's form."""
    return [
        (b"content-type", answer.content_type.encode("ascii")),
        (b"content-length", str(len(answer.body)).encode("ascii")),
        *((name.lower().encode("ascii"), value.encode("ascii")) for name, value in answer.headers.items()),
    ]
