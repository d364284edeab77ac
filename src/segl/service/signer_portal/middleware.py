"""What every answer of the pages says to browsers about safety."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

# There is no script, no frame and nothing from elsewhere. `form-action` counts for where a form's answer redirects to,
# too: an eID on another origin has to be named here.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # A link's token must reach nobody else. `no-referrer` would make browsers send `Origin: null` with our own forms,
    # which the check against forged requests refuses.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Nearly everything here is personal; what is not says so itself.
    "Cache-Control": "no-store",
}
_A_YEAR = 365 * 24 * 3600


class SecurityHeadersMiddleware:
    """Adds the headers to every answer that has not set them itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure():
            response.headers.setdefault("Strict-Transport-Security", f"max-age={_A_YEAR}")
        return response
