"""The page for a failure of ours."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from segl.service.http import request_ids


def failed(_request: HttpRequest) -> HttpResponse:
    """Made without the request, so that nothing is asked of the session: it may be what failed."""
    context = {"request_id": request_ids.current()}
    return render(None, "500.html", context, status=HTTPStatus.INTERNAL_SERVER_ERROR)
