"""A sender's Idempotency-Key is reserved for the request that is under way, so that a repeat waits for its outcome.

A reservation is held with a lease. It is gone once the job is created (in the same transaction) or the request is
refused. If its process is killed or the service fails, it stays, and a repeat with the same body takes it over once
the lease has ended: the signing time of the package is still judged by when this body first arrived.
"""

import secrets
from datetime import datetime, timedelta

from django.db.models import QuerySet

from segl.service import clock
from segl.service.due import LEASE
from segl.service.jobs.errors import KeyReusedError, UnderWayError
from segl.service.store.models import Organization, Reservation
from segl.service.store.transactions import write

KEPT = timedelta(hours=1)
"""How long a reservation that nobody takes over is kept; clients repeat a request within minutes."""


def reserve(*, sender: Organization, key: str, request_sha256: bytes, received_at: datetime) -> Reservation:
    """Reserve the key for the request with this body, which arrived at `received_at`; the row has its first arrival.

    Raises:
        UnderWayError: The same request is being handled.
        KeyReusedError: Another request with this key is being handled.
    """
    now, its = clock.shared(), Reservation.objects.filter(sender=sender, key=key)
    if found := its.first():
        _check_free(found, request_sha256, now)  # Those who wait ask often, and need no lock.
    ours = Reservation(
        sender=sender,
        key=key,
        request_sha256=request_sha256,
        received_at=received_at,
        lease_until=now + LEASE,
        holder=secrets.token_urlsafe(16),
    )
    with write():
        # Inserts the row, or locks the one that exists: nobody can delete it in between.
        Reservation.objects.bulk_create(
            [ours], update_conflicts=True, unique_fields=["sender", "key"], update_fields=["key"]
        )
        found = its.get()
        if found.holder != ours.holder:
            _check_free(found, request_sha256, now)
            ours.pk = found.pk
            if bytes(found.request_sha256) == request_sha256:
                ours.received_at = found.received_at
            ours.save()
    return ours


def _check_free(found: Reservation, request_sha256: bytes, now: datetime) -> None:
    if found.lease_until <= now:
        return
    if bytes(found.request_sha256) == request_sha256:
        raise UnderWayError(found.received_at)
    raise KeyReusedError(
        f"The Idempotency-Key {found.key!r} came with another request, which is being handled: send a new request with "
        "a new key, and a retry with exactly the same body."
    )


def extend(reservation: Reservation) -> None:
    """Hold the reservation for another lease from now, unless it has been taken over or is gone."""
    with write():
        _held(reservation).update(lease_until=clock.shared() + LEASE)


def release(reservation: Reservation) -> None:
    """Let a repeat take the reservation over at once."""
    with write():
        _held(reservation).update(lease_until=clock.shared())


def release_all() -> None:
    """Release every reservation. Only for a service that is known to be alone on its database."""
    with write():
        now = clock.shared()
        Reservation.objects.filter(lease_until__gt=now).update(lease_until=now)


def forget(reservation: Reservation) -> None:
    """Delete the reservation, if it is not gone with the creation of the job."""
    with write():
        _held(reservation).delete()


def sweep() -> None:
    """Delete the reservations that nobody has taken over."""
    with write():
        Reservation.objects.filter(lease_until__lt=clock.shared() - KEPT).delete()


def _held(reservation: Reservation) -> QuerySet[Reservation]:
    return Reservation.objects.filter(pk=reservation.pk, holder=reservation.holder)
