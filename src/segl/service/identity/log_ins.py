"""Log-ins: the pending one in a signed cookie, and the identity of the person logged in, in the Django session.

Anyone can start log-ins, so a start leaves nothing in the database.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect

from segl.service.identity import provider
from segl.service.identity.provider import LogInFailedError, LogInRequest
from segl.service.jobs.persons import Identity

PENDING_COOKIE = "segl_log_in"
PENDING_SECONDS = 30 * 60
"""How long a person may take at the eID."""
_IDENTITY = "identity"


def begin(*, level: int, return_url: str, then: str) -> HttpResponse:
    """Start a log-in at `level` or higher, and return the response that sends the browser to the eID.

    `return_url` is where the provider sends it back to, `then` the page that the person wants in the end.

    Raises:
        NoProviderError: No provider is configured.
    """
    log_in = LogInRequest(level=level, state=secrets.token_urlsafe(24), return_url=return_url)
    response = redirect(provider.current().begin(log_in))
    response.set_signed_cookie(
        PENDING_COOKIE,
        json.dumps({**asdict(log_in), "then": then}),
        max_age=PENDING_SECONDS,
        path=urlsplit(return_url).path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def end(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return the response after which the browser has no pending log-in, so that each accepts one answer."""
    response.delete_cookie(PENDING_COOKIE, path=request.path, samesite="Lax")
    return response


def finish(request: HttpRequest, answer: Mapping[str, str]) -> str:
    """Complete the browser's pending log-in with the provider's answer, remember the person, and return `then`.

    The session gets a new key, so that nobody who knew the old one is logged in too.

    Raises:
        LogInAbortedError: The person gave up.
        LogInFailedError: The answer does not belong to this browser's log-in, or cannot be trusted.
    """
    pending = _pending(request)
    if not pending or not hmac.compare_digest(pending["state"].encode(), answer.get("state", "").encode()):
        raise LogInFailedError("The answer does not belong to the log-in that was started here last.")
    then = str(pending.pop("then"))
    identity = provider.current().finish(LogInRequest(**pending), answer)
    request.session[_IDENTITY] = {**asdict(identity), "authenticated_at": identity.authenticated_at.isoformat()}
    request.session.cycle_key()
    rotate_token(request)
    return then


def wanted(request: HttpRequest) -> str:
    """Return the page that the person wants after the pending log-in; empty if there is none."""
    return str(_pending(request).get("then", ""))


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


def _pending(request: HttpRequest) -> dict[str, Any]:
    """The browser's pending log-in; empty if it has none, or one that is too old or that we did not write."""
    cookie = request.get_signed_cookie(PENDING_COOKIE, "{}", max_age=PENDING_SECONDS)
    found: dict[str, Any] = json.loads(cookie or "{}")
    return found
