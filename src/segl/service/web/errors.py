"""The page for an internal error, or for an outage."""

import logging
import sys
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from segl.service import outages
from segl.service.http import request_ids
from segl.service.http.bodies import RETRY_SECONDS

logger = logging.getLogger(__name__)


def failed(_request: HttpRequest) -> HttpResponse:
    """Render the page without the request, so that the session, which may be what failed, is not used."""
    context = {"request_id": request_ids.current()}
    error = sys.exception()
    if error and (reason := outages.reason(error)):
        logger.error("A page cannot be shown for now: %s", reason)
        page = render(None, "500.html", context, status=HTTPStatus.SERVICE_UNAVAILABLE)
        page["Retry-After"] = str(RETRY_SECONDS)
        return page
    return render(None, "500.html", context, status=HTTPStatus.INTERNAL_SERVER_ERROR)
