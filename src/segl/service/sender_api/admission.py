"""What can be decided by a request's head, before its body is received: the address, the method, the caller."""

from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from segl.service.sender_api.errors import response_to
from segl.service.sender_api.views import Resource, not_found


def admit(request: HttpRequest) -> HttpResponse | None:
    """The answer to a request that is refused as it stands; None when its body may come.

    The caller is kept in the request's scope for the resource, which checks nothing twice.
    """
    try:
        found = resolve(request.path_info, "segl.service.sender_api.urls")
        if not isinstance(found.func, Resource):
            return not_found(request)
        found.func.admit(request, found.kwargs["sender_number"])
    except Exception as error:  # the wire has an answer to everything
        return response_to(error)
    return None
