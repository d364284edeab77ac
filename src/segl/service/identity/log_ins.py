"""Log-ins in the Django session: the one under way, and the identity it led to."""

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

_UNDER_WAY = "log_in"
_IDENTITY = "identity"


def begin(request: HttpRequest, *, level: int, return_url: str, then: str) -> str:
    """Start a log-in at `level` or higher; gives the URL to send the browser to.

    `return_url` is where the provider sends it back to, `then` the page that the person wants in the end.

    Raises:
        NoProviderError: None is configured.
    """
    asked = LogInRequest(level=level, state=secrets.token_urlsafe(24), return_url=return_url)
    url = provider.current().begin(asked)
    request.session[_UNDER_WAY] = {**asdict(asked), "then": then}
    return url


def finish(request: HttpRequest, answer: Mapping[str, str]) -> str:
    """End the session's log-in with the provider's answer, and remember who it was; gives `then`.

    A log-in is good for one answer. The session gets a new key, so that nobody who knew the old one is logged in too.

    Raises:
        LogInAbortedError: The person gave up.
        LogInFailedError: The answer is not one to this session's log-in, or cannot be trusted.
    """
    under_way = _take(request, answer.get("state", ""))
    then = str(under_way.pop("then"))
    identity = provider.current().finish(LogInRequest(**under_way), answer)
    request.session[_IDENTITY] = {**asdict(identity), "authenticated_at": identity.authenticated_at.isoformat()}
    request.session.cycle_key()
    rotate_token(request)
    return then


def wanted(request: HttpRequest) -> str:
    """The page that the person wants after the log-in under way; an empty text when none is."""
    return str(request.session.get(_UNDER_WAY, {}).get("then", ""))


def identity_of(request: HttpRequest) -> Identity | None:
    """Who is logged in with an eID in this session."""
    stored = request.session.get(_IDENTITY)
    if stored is None:
        return None
    return Identity(**{**stored, "authenticated_at": datetime.fromisoformat(stored["authenticated_at"])})


def log_out(request: HttpRequest) -> None:
    """Forget everything about this session."""
    request.session.flush()
    rotate_token(request)


def _take(request: HttpRequest, state: str) -> dict[str, Any]:
    under_way: dict[str, Any] = request.session.get(_UNDER_WAY, {})
    if not under_way or not hmac.compare_digest(under_way["state"].encode(), state.encode()):
        raise LogInFailedError("This is not an answer to the log-in that was started here last.")
    del request.session[_UNDER_WAY]
    return under_way
