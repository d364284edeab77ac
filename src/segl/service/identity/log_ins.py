"""Log-ins in the Django session: the pending one, and the identity of the person logged in."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from segl.service.identity import provider
from segl.service.identity.provider import LogInFailedError, LogInRequest
from segl.service.jobs.persons import Identity

_PENDING = "log_in"
_IDENTITY = "identity"


def begin(request: HttpRequest, *, level: int, return_url: str, then: str) -> str:
    """Start a log-in at `level` or higher, and return the URL to send the browser to.

    `return_url` is where the provider sends it back to, `then` the page that the person wants in the end.

    Raises:
        NoProviderError: No provider is configured.
    """
    log_in = LogInRequest(level=level, state=secrets.token_urlsafe(24), return_url=return_url)
    url = provider.current().begin(log_in)
    request.session[_PENDING] = {**asdict(log_in), "then": then}
    return url


def finish(request: HttpRequest, answer: Mapping[str, str]) -> str:
    """Complete the session's log-in with the provider's answer, remember the person, and return `then`.

    A log-in accepts one answer. The session gets a new key, so that nobody who knew the old one is logged in too.

    Raises:
        LogInAbortedError: The person gave up.
        LogInFailedError: The answer does not belong to this session's log-in, or cannot be trusted.
    """
    pending = _take(request, answer.get("state", ""))
    then = str(pending.pop("then"))
    identity = provider.current().finish(LogInRequest(**pending), answer)
    request.session[_IDENTITY] = {**asdict(identity), "authenticated_at": identity.authenticated_at.isoformat()}
    request.session.cycle_key()
    rotate_token(request)
    return then


def wanted(request: HttpRequest) -> str:
    """Return the page that the person wants after the pending log-in; empty if there is none."""
    return str(request.session.get(_PENDING, {}).get("then", ""))


def identity_of(request: HttpRequest) -> Identity | None:
    """Return the person logged in with an eID in this session, or None."""
    stored = request.session.get(_IDENTITY)
    if stored is None:
        return None
    return Identity(**{**stored, "authenticated_at": datetime.fromisoformat(stored["authenticated_at"])})


def log_out(request: HttpRequest) -> None:
    """Forget everything about this session."""
    request.session.flush()
    rotate_token(request)


def _take(request: HttpRequest, state: str) -> dict[str, Any]:
    pending: dict[str, Any] = request.session.get(_PENDING, {})
    if not pending or not hmac.compare_digest(pending["state"].encode(), state.encode()):
        raise LogInFailedError("The answer does not belong to the log-in that was started here last.")
    del request.session[_PENDING]
    return pending
