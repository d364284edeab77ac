"""Polls of a status queue, for all flows: when they are permitted and what they return."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from django.http import HttpResponse
from django.utils.timezone import localtime

from segl.core.protocol import Message
from segl.service import clock, configuration
from segl.service.sender_api.answers import no_content, xml
from segl.service.sender_api.errors import RefusedError, response_to
from segl.service.throttling import throttle

POLL_TIME = "X-Next-permitted-poll-time"


def answer(sender: str, queue: str, take: Callable[[], Message | None]) -> HttpResponse:
    """Return the message that `take` takes from the queue, 204 if there is none, or 429 before the permitted time.

    Each response names the next permitted poll time.
    """
    interval, now = configuration.current().poll_interval, clock.shared()
    permitted = throttle().next_poll(sender, queue)
    if now < permitted <= now + interval:  # A later one was recorded by a clock that was wrong.
        return too_eager(permitted)
    message = take()
    if message is None:
        permitted = clock.shared() + interval
        throttle().found_empty(sender, queue, until=permitted)
        return _permitting(permitted, no_content())
    return _permitting(clock.shared(), xml(message.to_xml()))


def too_eager(permitted: datetime) -> HttpResponse:
    """Return the response to a poll before the permitted time."""
    error = RefusedError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "TOO_EAGER_POLLING",
        f"This queue was empty and may be polled again at {localtime(permitted).isoformat()}: wait until the time in "
        f"the header {POLL_TIME}.",
    )
    return _permitting(permitted, response_to(error))


def _permitting(time: datetime, response: HttpResponse) -> HttpResponse:
    """Add the time of the next permitted poll to a response."""
    response[POLL_TIME] = localtime(time).isoformat()
    return response
