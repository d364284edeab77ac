"""The API's resources: one URL each, with a function per method; and the response to any other URL."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from segl.service import configuration
from segl.service.sender_api.authentication import Caller, caller
from segl.service.sender_api.errors import BlockedError, RefusedError, response_to
from segl.service.throttling import throttle

View = Callable[..., HttpResponseBase]


class Resource:
    """One URL of the API: a function per method, called with the authenticated caller.

    Every error becomes an `error` document.
    """

    def __init__(self, **methods: View) -> None:
        self._methods = methods

    def __call__(self, request: HttpRequest, sender_number: str, **arguments: Any) -> HttpResponseBase:
        try:
            admitted = request.META["asgi.scope"].get("segl.caller") or self.admit(request, sender_number)
            return self._methods[request.method or ""](request, admitted, **arguments)
        except Exception as error:  # every error has a response
            return response_to(error)

    def admit(self, request: HttpRequest, sender_number: str) -> Caller:
        """Return the caller, authorized by the request's head. Runs once, before a body is received.

        Raises:
            RefusedError, BlockedError: The resource lacks the method, or the caller is not authorized or calls too
                often.
        """
        if request.method not in self._methods:
            raise RefusedError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                f"{request.method} is not allowed here: use {' or '.join(self._methods)}.",
            )
        admitted = caller(request, sender_number)
        _check_pace(admitted)
        request.META["asgi.scope"]["segl.caller"] = admitted
        return admitted


def _check_pace(caller: Caller) -> None:
    limit = configuration.current().calls_per_second
    if limit and throttle().is_blocked(caller.sender.pk, calls_per_second=limit):
        raise BlockedError


def who_am_i(_request: HttpRequest, caller: Caller) -> HttpResponse:
    """Tell the client which organization its certificate names, and which one it acts for."""
    text = f"You are {caller.organization.number}"
    if caller.sender != caller.organization:
        text += f", operating on behalf of {caller.sender.number}"
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
