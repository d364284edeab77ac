"""What is sent again if the service is out of reach, and what never is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from segl.sdk import ClientCertificateError, NoAnswerError, NotReachedError, UntrustedServerError
from segl.sdk.exchange import Request, Response, Wait, backoff, clock_lead, sent
from segl.sdk.pacing import Pace

CALL = Request("GET", "https://api.example.org/api/1", {})
CREATION = Request("POST", "https://api.example.org/api/1", {}, (b"package",), repeatable=False)
GOOD, BUSY = Response(200, {}, b""), Response(503, {}, b"")
Happening = Response | Exception


def played(request: Request, *happenings: Happening, retries: int = 2) -> tuple[Any, list[float]]:
    """The outcome of a request when these things happen to its attempts in turn, and the waits between them."""
    operation, waits, to_come = sent(lambda: request, retries), [], iter(happenings)
    step = next(operation)
    try:
        while True:
            if isinstance(step, Wait):
                waits.append(step.seconds)
                step = operation.send(None)
            else:
                assert step is request
                step = _answer(operation, to_come)
    except StopIteration as end:
        assert next(to_come, None) is None
        return end.value, waits


def _answer(operation: Any, to_come: Iterator[Happening]) -> Request | Wait:
    happening = next(to_come)
    answer = operation.throw(happening) if isinstance(happening, Exception) else operation.send(happening)
    assert isinstance(answer, Request | Wait)
    return answer


@pytest.mark.parametrize("failure", [NoAnswerError("lost"), NotReachedError("no connection"), BUSY], ids=repr)
def test_what_is_safe_is_repeated_after_growing_waits(failure: Happening) -> None:
    response, waits = played(CALL, failure, failure, GOOD)

    assert response._replace(repeated=False) == GOOD
    assert response.repeated == (type(failure) is NoAnswerError)
    assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2


def test_after_the_last_attempt_the_failure_is_returned() -> None:
    assert played(CALL, BUSY, BUSY, BUSY)[0] == BUSY
    with pytest.raises(NoAnswerError, match="lost"):
        played(CALL, BUSY, BUSY, NoAnswerError("lost"))
    assert played(CALL, BUSY, retries=0) == (BUSY, [])


def test_each_attempt_waits_for_its_turn_and_is_built_then() -> None:
    events: list[str] = []

    class Turns(Pace):
        def turn(self, now: float) -> float:
            events.append("turn")
            return 0.25

    def build() -> Request:
        events.append("built")
        return CALL

    operation = sent(build, 1, Turns(8))
    assert next(operation) == Wait(0.25)
    assert operation.send(None) is CALL
    assert isinstance(operation.send(BUSY), Wait)
    assert operation.send(None) == Wait(0.25)
    assert operation.send(None) is CALL
    assert events == ["turn", "built", "turn", "built"]


@pytest.mark.parametrize("failure", [UntrustedServerError("not them"), ClientCertificateError("not us")], ids=repr)
def test_what_repetition_does_not_fix_is_not_repeated(failure: Exception) -> None:
    with pytest.raises(type(failure)):
        played(CALL, failure)


@pytest.mark.parametrize("status", [200, 204, 400, 403, 404, 409, 429])
def test_an_answer_is_an_answer(status: int) -> None:
    assert played(CALL, Response(status, {}, b""))[1] == []


def test_what_may_have_been_done_is_not_sent_again_unless_that_is_safe() -> None:
    assert played(CREATION, BUSY) == (BUSY, [])
    with pytest.raises(NoAnswerError, match="lost"):
        played(CREATION, NoAnswerError("lost"))


def test_what_never_arrived_is_sent_again() -> None:
    response, waits = played(CREATION, NotReachedError("no connection"), GOOD)

    assert response._replace(repeated=False) == GOOD
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [("3", 3, 3), ("60", 10, 10), ("Thu, 26 Nov 2026 12:00:00 GMT", 0, 1), ("-1", 0, 1)],
)
def test_the_service_says_when_to_try_again(retry_after: str, least: float, most: float) -> None:
    _, [wait] = played(CALL, Response(503, {"retry-after": retry_after}, b""), GOOD)

    assert least <= wait <= most


def test_waits_grow_to_a_minute() -> None:
    assert max(backoff(attempt) for attempt in range(2000)) <= 60
    assert backoff(1999) >= 30


def test_the_lead_of_the_services_clock_is_known_if_the_clocks_differ() -> None:
    def lead(ahead: float) -> timedelta:
        moment = datetime.now(UTC) + timedelta(seconds=ahead)
        return clock_lead(Response(200, {"date": format_datetime(moment, usegmt=True)}, b""))

    assert timedelta(seconds=3598) < lead(3600) <= timedelta(seconds=3600)
    assert lead(-3600) < timedelta(seconds=-3599)
    assert lead(0.2) == timedelta()


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": "Thu, 26 Nov 2026 12:00:00"}])
def test_a_service_that_does_not_send_its_time_has_ours(headers: dict[str, str]) -> None:
    assert clock_lead(Response(200, headers, b"")) == timedelta()
