"""Polls of a status queue, of any flow: when they are permitted, and what each is answered."""

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
    """What `take` takes from the sender's queue, or 204, or 429 before the time permitted; each names the next time."""
    permitted = throttle().next_poll(sender, queue)
    if permitted > clock.wall():
        return too_eager(permitted)
    message = take()
    if message is None:
        permitted = clock.wall() + configuration.current().poll_interval
        throttle().found_empty(sender, queue, until=permitted)
        return _permitting(permitted, no_content())
    return _permitting(clock.wall(), xml(message.to_xml()))


def too_eager(permitted: datetime) -> HttpResponse:
    """The answer to a poll before the time permitted."""
    error = RefusedError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "TOO_EAGER_POLLING",
        f"This queue was empty and may be polled again from {localtime(permitted).isoformat()}: wait for the time that "
        f"the header {POLL_TIME} names.",
    )
    return _permitting(permitted, response_to(error))


def _permitting(time: datetime, response: HttpResponse) -> HttpResponse:
    """The answer to a poll, with the time of the next permitted one."""
    response[POLL_TIME] = localtime(time).isoformat()
    return response
