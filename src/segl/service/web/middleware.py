"""The pages' security headers, and which cookies count as a session's."""

import re
from collections.abc import Callable

from django.conf import settings
from django.contrib.sessions import middleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# No scripts, no frames, and nothing from other origins. `form-action` also applies to where a form's response redirects
# to: an eID on another origin must be named here.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # A link's token must not leak. `no-referrer` would make browsers send `Origin: null` with our own forms, which the
    # CSRF check refuses.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Nearly everything here is personal; other responses set this header themselves.
    "Cache-Control": "no-store",
}
_SESSION_KEY = re.compile(r"[a-z0-9]{32}")
_A_YEAR = 365 * 24 * 3600


class SecurityHeadersMiddleware:
    """Adds the headers to every response that has not set them itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure():
            response.headers.setdefault("Strict-Transport-Security", f"max-age={_A_YEAR}")
        return response


class SessionMiddleware(middleware.SessionMiddleware):
    """Django's, which would look up any cookie value in the database; PostgreSQL fails on some of them."""

    def process_request(self, request: HttpRequest) -> None:
        if not _SESSION_KEY.fullmatch(request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")):
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        super().process_request(request)
