"""`{web root}/sandbox/faults`: where faults are asked for (POST), listed (GET) and taken back (DELETE).

A browser must not be made to ask for faults by a page from elsewhere. Such a page can send neither JSON nor DELETE
without asking first (the preflight of CORS), and is never permitted to.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from segl.core.errors import InvalidInput
from segl.sandbox.faults.pending import Fault, Faults, OtherFault
from segl.service import configuration


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST", "DELETE"])
def faults(request: HttpRequest) -> HttpResponse:
    """Ask for a fault, list those to come, or take them all back."""
    known = Faults(configuration.current().folder)
    if request.method == "POST":
        return _requested(request, known)
    if request.method == "DELETE":
        known.take_back()
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return JsonResponse([asdict(each) for each in known.pending()], safe=False)


@csrf_exempt
@require_http_methods(["DELETE"])
def one_fault(_request: HttpRequest, fault_id: str) -> HttpResponse:
    """Take one fault back, if it is still to come."""
    Faults(configuration.current().folder).take_back(fault_id)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _requested(request: HttpRequest, known: Faults) -> HttpResponse:
    if request.content_type != "application/json":
        return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the fault with Content-Type: application/json.")
    try:
        fault = Fault.requested(json.loads(request.body))
    except InvalidInput as error:
        return _refused(HTTPStatus.BAD_REQUEST, str(error))
    except (ValueError, RecursionError):
        return _refused(HTTPStatus.BAD_REQUEST, 'The body is no JSON: send an object such as {"fault": "503"}.')
    known.add(fault)
    return JsonResponse(asdict(fault), status=HTTPStatus.CREATED)


def _refused(status: HTTPStatus, sentence: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")


def unless(fault: OtherFault, view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """The view, which answers 503 while this fault is asked for."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if Faults(configuration.current().folder).happens(fault):
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, f"This is down: the fault {fault} was asked for.")
        return view(request)

    return answer
