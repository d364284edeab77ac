"""Routes API requests: admits each by its head, before its body is received, and passes it to its resource."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import resolve

from segl.service.sender_api.errors import response_to
from segl.service.sender_api.resources import Resource, not_found

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def admit(request: HttpRequest) -> HttpResponse | None:
    """Return the response to a request that is refused by its head, or None if its body may be received.

    The caller is kept in the request's scope, so that the resource does not check it again.
    """
    try:
        found = resolve(request.path_info, settings.SEGL_API_URLCONF)
        if found.func is not_found:
            return not_found(request)
        if isinstance(found.func, Resource):
            found.func.admit(request, found.kwargs["sender_number"])
    except Exception as error:  # every error has a response
        return response_to(error)
    return None


def answer(request: HttpRequest) -> HttpResponseBase:
    """Return the response to a request, without Django's middleware: no session, cookie, language or form."""
    try:
        view, arguments, named = resolve(request.path_info, settings.SEGL_API_URLCONF)
        response: HttpResponseBase = view(request, *arguments, **named)
    except Exception as error:  # as above
        response = response_to(error)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if isinstance(response, HttpResponse):
        response.headers.setdefault("Content-Length", str(len(response.content)))
    return response
