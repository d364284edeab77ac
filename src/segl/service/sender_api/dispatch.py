"""Routes API requests: admits each by its head, before its body is received, and passes it to its resource."""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve

from segl.service.sender_api.arrivals import answered
from segl.service.sender_api.errors import RefusedError, response_to
from segl.service.sender_api.resources import Resource

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def admit(request: HttpRequest) -> HttpResponse | None:
    """Return the response to a request that is refused by its head, or None if its body may be received.

    The caller is kept in the request's scope, so that the resource does not check it again.
    """
    try:
        found = _resolved(request)
        if isinstance(found.func, Resource):
            found.func.admit(request, found.kwargs["sender_number"])
    except Exception as error:  # every error has a response
        return response_to(error)
    return None


def answer(request: HttpRequest) -> HttpResponseBase:
    """Return the response to a request, without Django's middleware: no session, cookie, language or form."""
    try:
        view, arguments, named = _resolved(request)
        response: HttpResponseBase = view(request, *arguments, **named)
    except Exception as error:  # as above
        response = response_to(error)
    answered(request, response.status_code)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if isinstance(response, HttpResponse):
        response.headers.setdefault("Content-Length", str(len(response.content)))
    return response


def _resolved(request: HttpRequest) -> ResolverMatch:
    """The resource at the request's address.

    Raises:
        RefusedError: There is none.
    """
    try:
        return resolve(request.path_info, settings.SEGL_API_URLCONF)
    except Resolver404:
        raise RefusedError(
            HTTPStatus.NOT_FOUND, "NOT_FOUND", "This address is not a resource of the Signature API v1."
        ) from None
