"""`{web root}/sandbox/faults`: where faults are requested (POST), listed (GET) and taken back (DELETE).

Pages from other origins must not be able to request faults through a browser. They can send neither JSON nor DELETE
without a CORS preflight, which is never permitted.
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
    """Request a fault, list the pending ones, or take them all back."""
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
    """Take one fault back, if it is still pending."""
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
        return _refused(HTTPStatus.BAD_REQUEST, 'The body is not JSON: send an object such as {"fault": "503"}.')
    known.add(fault)
    return JsonResponse(asdict(fault), status=HTTPStatus.CREATED)


def _refused(status: HTTPStatus, sentence: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")


def unless(fault: OtherFault, view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the view, made to respond with 503 while this fault is pending."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if Faults(configuration.current().folder).happens(fault):
            return _refused(
                HTTPStatus.SERVICE_UNAVAILABLE, f"This is down, as requested (the fault {fault} of this sandbox)."
            )
        return view(request)

    return answer
