"""The API's resources: one URL each, with a function per method; and what is no resource."""

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
    """One URL of the API: a function per method, called with the caller whose certificate was checked.

    Every error becomes the wire's `error` document.
    """

    def __init__(self, **methods: View) -> None:
        self._methods = methods

    def __call__(self, request: HttpRequest, sender_number: str, **arguments: Any) -> HttpResponseBase:
        try:
            admitted = request.META["asgi.scope"].get("segl.caller") or self.admit(request, sender_number)
            return self._methods[request.method or ""](request, admitted, **arguments)
        except Exception as error:  # the wire has an answer to everything
            return response_to(error)

    def admit(self, request: HttpRequest, sender_number: str) -> Caller:
        """The caller, who may do what the request's head says. Done once, and before the body if there is one.

        Raises:
            RefusedError, BlockedError: There is no such method, or the caller may not call, or calls too often.
        """
        if request.method not in self._methods:
            raise RefusedError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                f"{request.method} is not possible here: use {' or '.join(self._methods)}.",
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
    """Tell a client whose certificate it called with, and for whom."""
    told = f"You are {caller.organization.number}"
    if caller.sender != caller.organization:
        told += f", operating on behalf of {caller.sender.number}"
    return HttpResponse(told, content_type="text/plain; charset=utf-8")


def not_found(_request: HttpRequest) -> HttpResponse:
    """An address that is no resource of the API."""
    return response_to(
        RefusedError(HTTPStatus.NOT_FOUND, "NOT_FOUND", "This address is no resource of the Signature API v1.")
    )
