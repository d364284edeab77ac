"""An Idempotency-Key belongs to the request that is under way, and after it to the job or to nobody."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import create, in_threads, organization
from segl.service import clock
from segl.service.due import LEASE
from segl.service.jobs import changes
from segl.service.jobs.creating import Idempotency
from segl.service.jobs.errors import KeyReusedError, UnderWayError
from segl.service.jobs.reserving import KEPT, extend, forget, release, release_all, reserve, sweep
from segl.service.store.models import Reservation

pytestmark = pytest.mark.usefixtures("store")

ONE, OTHER = b"1" * 32, b"2" * 32
FIRST = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = FIRST + timedelta(minutes=1)


@pytest.fixture(autouse=True)
def passes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets time pass for the leases."""
    ahead = timedelta()
    shared = clock.shared

    def let_pass(by: timedelta) -> None:
        nonlocal ahead
        ahead += by

    monkeypatch.setattr(clock, "shared", lambda: shared() + ahead)
    return let_pass


def reserved(body: bytes = ONE, at: datetime = FIRST, sender: str = "123456789") -> Reservation:
    return reserve(sender=organization(sender), key="k", request_sha256=body, received_at=at)


def test_a_repeat_learns_when_the_request_first_arrived() -> None:
    assert reserved().received_at == FIRST
    with pytest.raises(UnderWayError) as error:
        reserved(at=LATER)
    assert error.value.received_at == FIRST


def test_another_request_with_the_key_is_refused_at_once() -> None:
    reserved()
    with pytest.raises(KeyReusedError, match="'k' came with another request, which is being handled"):
        reserved(OTHER)


def test_two_senders_may_use_the_same_key() -> None:
    reserved()
    assert reserved(OTHER, sender="310248711").received_at == FIRST


def test_a_refused_request_frees_its_key() -> None:
    forget(reserved())
    assert not Reservation.objects.exists()


@pytest.mark.parametrize(("body", "received_at"), [(ONE, FIRST), (OTHER, LATER)])
@pytest.mark.parametrize("end", ["released", "all released", "killed"])
def test_a_request_without_an_outcome_is_taken_over(passes: Any, body: bytes, received_at: datetime, end: str) -> None:
    lost = reserved()
    if end == "released":
        release(lost)
    elif end == "all released":
        release_all()
    else:
        passes(LEASE)
    taken = reserved(body, LATER)
    assert taken.received_at == received_at
    for change in (extend, release, forget):  # by one that was not killed after all
        change(lost)
    with pytest.raises(UnderWayError) as error:
        reserved(body, LATER)
    assert error.value.received_at == received_at


def test_a_lease_that_is_extended_is_not_taken_over(passes: Any) -> None:
    held = reserved()
    for _ in range(3):
        passes(LEASE - timedelta(seconds=1))
        with pytest.raises(UnderWayError):
            reserved()
        extend(held)


@pytest.mark.parametrize("is_new", [True, False])
def test_of_many_at_a_time_one_has_the_key(is_new: bool) -> None:
    sender = organization()
    if not is_new:
        release(reserved())

    def attempt() -> Reservation:
        return reserve(sender=sender, key="k", request_sha256=ONE, received_at=LATER)

    outcomes = in_threads(*[attempt] * 4)
    assert sorted(type(each).__name__ for each in outcomes) == ["Reservation", *["UnderWayError"] * 3]


def test_the_reservation_ends_with_the_creation_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one transaction: there is always one of the two."""
    reserved()
    with monkeypatch.context() as patch:
        patch.setattr(changes, "notify", None)
        with pytest.raises(TypeError):
            create(idempotency=Idempotency("k", ONE))
    assert Reservation.objects.exists()
    create(idempotency=Idempotency("k", ONE))
    assert not Reservation.objects.exists()


def test_what_nobody_takes_over_is_swept(passes: Any) -> None:
    release(reserved())
    passes(KEPT - timedelta(seconds=1))
    sweep()
    assert Reservation.objects.exists()
    passes(timedelta(seconds=2))
    sweep()
    assert not Reservation.objects.exists()
