"""The two listeners and what answers on each: the API for senders, the pages for people."""

import socket
from collections.abc import Callable
from http import HTTPStatus

from django.core.exceptions import DisallowedHost
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from segl.service.config.bodies import Answer, Scope
from segl.service.config.servers import Listener, TlsFiles

# The documents of a job hold at most 10 MiB; the package, its signature and the manifest add little.
_MOST_API_BYTES = 16 * 1024 * 1024
_MOST_PAGES_BYTES = 1024 * 1024


def listeners(*, api: socket.socket, pages: socket.socket, tls: TlsFiles) -> list[Listener]:
    """The API over mutual TLS and the pages over plain HTTP, answered by one application."""
    application = get_wsgi_application()
    return [
        Listener("api", api, application, tls, body_limit=_MOST_API_BYTES, refusal=_api_refusal, is_long=_is_new_job),
        Listener("pages", pages, application, body_limit=_MOST_PAGES_BYTES, is_long=_is_of_a_job),
    ]


class ListenerMiddleware:
    """Gives requests on the API's listener the API's URLs; all others have those of the pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.META.get("asgi.scope", {}).get("segl.listener") != "api":
            return self._get_response(request)
        request.urlconf = "segl.service.sender_api.urls"
        try:
            request.get_host()
        except DisallowedHost:
            return _api_error(HTTPStatus.BAD_REQUEST, "The Host header names another host: use the API's own address.")
        return self._get_response(request)


def _is_new_job(scope: Scope) -> bool:
    """Whether documents come with the request, which are looked at in rendering children."""
    return bool(scope["method"] == "POST" and scope["path"].endswith("/signature-jobs"))


def _is_of_a_job(scope: Scope) -> bool:
    """Whether pages may be drawn or a signature made."""
    return bool(scope["path"].startswith("/jobs/"))


def _api_refusal(status: HTTPStatus, reason: str) -> Answer:
    refused = _api_error(status, reason)
    return Answer(status, refused["Content-Type"], refused.content)


def _api_error(status: HTTPStatus, reason: str) -> HttpResponse:
    from segl.service.sender_api.errors import response

    return response(status, status.name, reason)
