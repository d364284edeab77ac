"""What can be decided by a request's head, before its body is received: the address, the method, the caller."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from segl.service.sender_api.errors import response_to
from segl.service.sender_api.resources import Resource, not_found


def admit(request: HttpRequest) -> HttpResponse | None:
    """The answer to a request that is refused as it stands; None when its body may come.

    The caller is kept in the request's scope for the resource, which checks nothing twice.
    """
    try:
        found = resolve(request.path_info, settings.SEGL_API_URLCONF)
        if found.func is not_found:
            return not_found(request)
        if isinstance(found.func, Resource):
            found.func.admit(request, found.kwargs["sender_number"])
    except Exception as error:  # the wire has an answer to everything
        return response_to(error)
    return None
