"""The listeners and what each serves: the API for senders, directly or behind a proxy, and the pages for signers."""

import logging
import socket
import traceback
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any

from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied, SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from segl.service import clock
from segl.service.configuration import Configuration, KeyFiles, ProxyListener
from segl.service.http.asgi import Answer, Application, Scope
from segl.service.http.health import Readiness, WithHealth
from segl.service.http.proxies import BehindProxy
from segl.service.http.servers import Listener, TlsFiles
from segl.service.http.wsgi import environ

logger = logging.getLogger(__name__)

# The documents of a job hold at most 10 MiB; the package, its signature and the manifest add little.
_MOST_API_BYTES = 16 * 1024 * 1024
_MOST_PAGES_BYTES = 1024 * 1024


def direct_api(bound: socket.socket, configuration: Configuration, server: KeyFiles) -> Listener:
    """The API over mutual TLS."""
    tls = TlsFiles(server.certificate, server.private_key, (*configuration.trust_anchors, *configuration.intermediates))
    return Listener(
        "api",
        bound,
        _Handler(),
        tls,
        body_limit=_MOST_API_BYTES,
        error_answer=_api_error_answer,
        admission=_admission,
        is_long=_is_new_job,
    )


def proxied_api(bound: socket.socket, proxy: ProxyListener, readiness: Readiness) -> Listener:
    """The API over plain HTTP, behind a proxy that terminates the clients' TLS."""

    def around(application: Application) -> Application:
        return WithHealth(
            BehindProxy(application, trusted=proxy.trusted, header=proxy.header, error_answer=_api_error_answer),
            readiness,
        )

    return Listener(
        "api",
        bound,
        _Handler(),
        body_limit=_MOST_API_BYTES,
        error_answer=_api_error_answer,
        admission=_admission,
        is_long=_is_new_job,
        around=around,
    )


def pages(bound: socket.socket, configuration: Configuration, readiness: Readiness | None = None) -> Listener:
    """The pages over plain HTTP; trusted proxies report the client's address and scheme."""
    trusted = [str(network) for network in configuration.web.trusted]

    def around(application: Application) -> Application:
        forwarded: Application = ProxyHeadersMiddleware(application, trusted)  # type: ignore[arg-type,assignment]  # as any ASGI application
        return forwarded if readiness is None else WithHealth(forwarded, readiness)

    return Listener(
        "pages",
        bound,
        _Handler(),
        body_limit=_MOST_PAGES_BYTES,
        is_long=_is_of_a_job,
        around=around,
    )


class _Request(WSGIRequest):
    """Decodes the query as UTF-8, whatever the charset of the Content-Type: Django would use that one.

    Many of Python's codecs do not decode text, and nothing responds to an error raised here.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class _Handler(WSGIHandler):
    request_class = _Request


class ListenerMiddleware:
    """Answers requests on the API's listeners itself, with the API's URLs; all others go on to the pages.

    It comes first: the API has no sessions, languages, cookies or forms.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        from segl.service.sender_api.dispatch import answer  # which loads the models

        with clock.read_once():
            if request.META.get("asgi.scope", {}).get("segl.listener") != "api":
                return self._get_response(request)
            return _refused_host(request) or answer(request)

    def process_exception(self, _: HttpRequest, error: Exception) -> None:
        """Log where a page failed, but neither the path nor the error's text, which may contain anything."""
        if not isinstance(error, (Http404, PermissionDenied, SuspiciousOperation, BadRequest)):
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("A page failed: %s\n%s", type(error).__name__, where)


def _admission(scope: Scope) -> Answer | None:
    """Return the API's response by a request's head alone, before its body is received, or None to receive it."""
    from segl.service.sender_api.dispatch import admit

    request = _Request(environ(scope, BytesIO()))
    close_old_connections()  # as Django does around each request
    try:
        refused = _refused_host(request) or admit(request)
    finally:
        close_old_connections()
    return answer_of(refused) if refused else None


def _refused_host(request: HttpRequest) -> HttpResponse | None:
    try:
        request.get_host()
    except DisallowedHost:
        return _api_error(HTTPStatus.BAD_REQUEST, "The Host header names another host: use the API's own address.")
    return None


def _is_new_job(scope: Scope) -> bool:
    """Whether the request contains documents, which are inspected in rendering children."""
    return bool(scope["method"] == "POST" and scope["path"].endswith("/signature-jobs"))


def _is_of_a_job(scope: Scope) -> bool:
    """Whether the request may render pages or make a signature."""
    return bool(scope["path"].startswith("/jobs/"))


def _api_error_answer(status: HTTPStatus, reason: str) -> Answer:
    return answer_of(_api_error(status, reason))


def answer_of(response: HttpResponse) -> Answer:
    """Convert one of Django's responses to an `Answer`."""
    own = {name: value for name, value in response.items() if name != "Content-Type"}
    return Answer(HTTPStatus(response.status_code), response["Content-Type"], response.content, own)


def _api_error(status: HTTPStatus, reason: str) -> HttpResponse:
    from segl.service.sender_api.errors import response

    codes = {
        HTTPStatus.FORBIDDEN: "NOT_AUTHORIZED",
        HTTPStatus.BAD_REQUEST: "INVALID_REQUEST",
        HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR",
    }
    return response(status, codes.get(status, status.name), reason)
