"""The listeners and what each serves: the API for senders, directly or behind a proxy, and the pages for signers."""

import logging
import os
import socket
import traceback
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied, SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from segl.core.asice import ArchiveLimits
from segl.service import clock, outages
from segl.service.configuration import Configuration, KeyFiles, ProxyListener
from segl.service.http.asgi import Answer, Application, Scope
from segl.service.http.bodies import BodyLimits, address_of
from segl.service.http.health import Readiness, WithHealth, watched
from segl.service.http.held import Held, HeldByAnotherError
from segl.service.http.proxies import BehindProxy
from segl.service.http.servers import Listener, TlsFiles
from segl.service.http.wsgi import environ

logger = logging.getLogger(__name__)

# The documents of a job hold at most 10 MiB; the package, its signature and the manifest add little.
_MOST_API_BYTES = 16 * 1024 * 1024
_MOST_PAGES_BYTES = 1024 * 1024
_MOST_PAGES_BYTES_OF_AN_ADDRESS = 2 * 1024 * 1024  # 32 small bodies that are still arriving
_THREADS = 8
_MOST_PLACES = 5  # for requests that may take seconds; the other threads answer short ones
_MOST_OF_A_SENDER = 2
_SHARE_OF_A_SIGNER = 1  # a sandbox's listeners share their rendering children


def direct_api(bound: socket.socket, configuration: Configuration, server: KeyFiles) -> Listener:
    """The API over mutual TLS."""
    authorities = (*configuration.trust_anchors, *configuration.intermediates, *configuration.clients.issuers)
    tls = TlsFiles(server.certificate, server.private_key, authorities)
    return replace(_api(bound, configuration), tls=tls)


def proxied_api(
    bound: socket.socket, configuration: Configuration, proxy: ProxyListener, readiness: Readiness
) -> Listener:
    """The API over plain HTTP, behind a proxy that terminates the clients' TLS."""

    def around(application: Application) -> Application:
        return WithHealth(
            BehindProxy(application, trusted=proxy.trusted, header=proxy.header, error_answer=_api_error_answer),
            readiness,
        )

    return replace(_api(bound, configuration), around=around)


def _api(bound: socket.socket, configuration: Configuration) -> Listener:
    """What both kinds of the API's listeners have in common."""
    places = _places(configuration)
    unpacked = _MOST_OF_A_SENDER * ArchiveLimits().total_bytes  # in temporary files too
    return Listener(
        "api",
        bound,
        _Handler(),
        threads=_THREADS,
        places=places,
        share=_share_of_a_sender(places, len(os.sched_getaffinity(0))),
        limits=_limits(configuration, _MOST_API_BYTES, configuration.bodies.of_a_sender - unpacked),
        error_answer=_api_error_answer,
        admission=_admission,
        arrival=_arrival,
        caller=_sender,
        long_of=_sender_of_a_new_job,
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
        threads=_THREADS,
        places=_places(configuration),
        share=_SHARE_OF_A_SIGNER,
        limits=_limits(configuration, _MOST_PAGES_BYTES, _MOST_PAGES_BYTES_OF_AN_ADDRESS),
        long_of=_session_of_a_job,
        around=around,
    )


def _places(configuration: Configuration) -> int:
    """No more than rendering children, for which threads would wait in the order of arrival."""
    return min(_MOST_PLACES, configuration.rendering.children)


def _share_of_a_sender(places: int, processors: int) -> int:
    """At most half of the places, and fewer than there are processors: others need one."""
    return max(1, min(_MOST_OF_A_SENDER, places // 2, processors - 1))


def _limits(configuration: Configuration, size: int, of_a_caller: int) -> BodyLimits:
    bodies = configuration.bodies
    return BodyLimits(size, bodies.time.total_seconds(), bodies.bytes_per_second, of_a_caller)


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

        with clock.read_once(), watched():
            if request.META.get("asgi.scope", {}).get("segl.listener") != "api":
                return self._get_response(request)
            return _refused_host(request) or answer(request)

    def process_exception(self, _: HttpRequest, error: Exception) -> None:
        """Log where a page failed, but neither the path nor the error's text, which may contain anything.

        The page for the error logs outages.
        """
        expected = isinstance(error, (Http404, PermissionDenied, SuspiciousOperation, BadRequest))
        if not expected and not outages.reason(error):
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("A page failed: %s\n%s", type(error).__name__, where)


@watched()
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


@watched()
def _arrival(scope: Scope) -> Held | Answer | None:
    """Return what a request for a new job holds once its body is there, if anything, or a refusal.

    Raises:
        HeldByAnotherError: The same request came before and is being handled.
    """
    from segl.service.sender_api.arrivals import arrive
    from segl.service.sender_api.errors import response_to

    close_old_connections()  # as above
    try:
        return arrive(_Request(environ(scope, BytesIO())))
    except HeldByAnotherError:
        raise
    except Exception as error:  # every error has a response
        return answer_of(response_to(error))
    finally:
        close_old_connections()


def _refused_host(request: HttpRequest) -> HttpResponse | None:
    try:
        request.get_host()
    except DisallowedHost:
        return _api_error(HTTPStatus.BAD_REQUEST, "The Host header names another host: use the API's own address.")
    return None


def _sender(scope: Scope) -> str:
    """The sender that was admitted; the client's address where nobody was."""
    admitted = scope.get("segl.caller")
    return str(admitted.sender.pk) if admitted else address_of(scope)


def _sender_of_a_new_job(scope: Scope) -> str | None:
    """The sender of a request that contains documents, which are inspected in rendering children."""
    is_new_job = scope["method"] == "POST" and scope["path"].endswith("/signature-jobs")
    return _sender(scope) if is_new_job else None


def _session_of_a_job(scope: Scope) -> str | None:
    """The session of a request that may render pages or make a signature; without one, the client's address.

    It is read as Django reads it, so that one session cannot have the places of several.
    """
    if not scope["path"].startswith("/jobs/"):
        return None
    cookies = _Request(environ(scope, BytesIO())).COOKIES
    return cookies.get(settings.SESSION_COOKIE_NAME) or address_of(scope)


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
