"""The Idempotency-Key of a request for a new job of any flow, which is reserved from when its body is there."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

from django.db import Error, close_old_connections
from django.http import HttpRequest

from segl.service import outages
from segl.service.http.asgi import Scope
from segl.service.http.held import Held, HeldByAnotherError
from segl.service.jobs import reserving
from segl.service.jobs.creating import Idempotency, retried_job
from segl.service.jobs.errors import UnderWayError
from segl.service.sender_api.errors import RefusedError
from segl.service.store.models import Reservation

logger = logging.getLogger(__name__)

_LONGEST_KEY = 255
_IDEMPOTENCY, _RESERVATION, _RECEIVED_AT = "segl.idempotency", "segl.reservation", "segl.received_at"


def idempotency(request: HttpRequest) -> Idempotency | None:
    """Return what identifies a retry: the Idempotency-Key header and a digest of the body; None without the header.

    The header is defined in draft-ietf-httpapi-idempotency-key-header.

    Raises:
        RefusedError: The key is not valid.
    """
    scope, key = request.META["asgi.scope"], request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if _IDEMPOTENCY not in scope:
        scope[_IDEMPOTENCY] = Idempotency(_plain(key), sha256(scope["segl.body"]).digest())
    made: Idempotency = scope[_IDEMPOTENCY]
    return made


@dataclass(frozen=True, slots=True)
class _Reserved:
    """A request's reservation, as the listener holds it (`segl.service.http.held.Held`) until it is answered."""

    scope: Scope

    def keep(self) -> None:
        self._change(reserving.extend)

    def release(self) -> None:
        self._change(reserving.release)

    def _change(self, change: Callable[[Reservation], None]) -> None:
        close_old_connections()  # as Django does around each request
        if reservation := self.scope.get(_RESERVATION):
            _attempt(change, reservation)
        close_old_connections()


def arrive(request: HttpRequest) -> Held | None:
    """Reserve the request's key; None if it has no key, or its job was created before.

    From then on the request counts as received when its body first arrived, as far as that is known.

    Raises:
        RefusedError, KeyReusedError: The key is not valid, or came with another request.
        HeldByAnotherError: The same request came before and is being handled.
    """
    scope, asked = request.META["asgi.scope"], idempotency(request)
    if asked is None:
        return None
    sender = scope["segl.caller"].sender
    if retried_job(sender=sender, idempotency=asked):
        return None
    try:
        reservation = reserving.reserve(
            sender=sender, key=asked.key, request_sha256=asked.request_sha256, received_at=scope[_RECEIVED_AT]
        )
    except UnderWayError as error:
        scope[_RECEIVED_AT] = error.received_at  # also if that request is refused while this one waits
        raise HeldByAnotherError from error
    scope[_RESERVATION], scope[_RECEIVED_AT] = reservation, reservation.received_at
    return _Reserved(scope)


def answered(request: HttpRequest, status: int) -> None:
    """Free the key of a request that is answered; if the service failed, a repeat goes on with its reservation."""
    scope = request.META["asgi.scope"]
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and (reservation := scope.pop(_RESERVATION, None)):
        _attempt(reserving.forget, reservation)


def _attempt(change: Callable[[Reservation], None], reservation: Reservation) -> None:
    """Change a reservation, unless the database is away: then its lease ends by itself."""
    try:
        change(reservation)
    except Error as error:
        logger.warning("A reservation could not be changed: %s", outages.reason(error) or type(error).__name__)


def _plain(key: str) -> str:
    """Return the key without the quotes that the draft requires and some clients omit."""
    plain = re.sub(r'\A"(.*)"\Z', r"\1", key.strip())
    if bad := re.search(r"[^\x21\x23-\x7e]", plain):
        problem = f"has the character {bad[0]!r} in {plain[:40]!r}"
    elif not 0 < len(plain) <= _LONGEST_KEY:
        problem = f"is {len(plain)} characters long"
    else:
        return plain
    raise RefusedError(
        HTTPStatus.BAD_REQUEST,
        "INVALID_IDEMPOTENCY_KEY",
        f"The header Idempotency-Key {problem}: send 1 to {_LONGEST_KEY} visible ASCII characters other than quotes, "
        "such as a UUID.",
    )
