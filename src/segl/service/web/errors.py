"""The pages for failures: an internal error, and what will work again before long."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from segl.service.http import request_ids
from segl.service.http.bodies import RETRY_SECONDS


def failed(_request: HttpRequest) -> HttpResponse:
    """Render the page without the request, so that the session, which may be what failed, is not used."""
    context = {"request_id": request_ids.current()}
    return render(None, "500.html", context, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def unavailable(request: HttpRequest) -> HttpResponse:
    """Render the page that asks to come back in a moment."""
    page = render(request, "503.html", status=HTTPStatus.SERVICE_UNAVAILABLE)
    page["Retry-After"] = str(RETRY_SECONDS)
    return page
