"""The page for an internal error."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from segl.service.http import request_ids


def failed(_request: HttpRequest) -> HttpResponse:
    """Render the page without the request, so that the session, which may be what failed, is not used."""
    context = {"request_id": request_ids.current()}
    return render(None, "500.html", context, status=HTTPStatus.INTERNAL_SERVER_ERROR)
