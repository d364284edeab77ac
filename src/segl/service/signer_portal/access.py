"""Who may see a signer's pages: the person with the signer's identity number, or with the signer's link and code."""

from collections.abc import Callable
from enum import Enum, auto
from functools import wraps
from http import HTTPStatus
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.urls import reverse

from segl.service.identity import log_ins
from segl.service.jobs.errors import NoSuchJobError
from segl.service.jobs.finding import signer_of
from segl.service.store.models import Signer

Parameters = ParamSpec("Parameters")
_CODE_WAS_RIGHT = "let_in_by_code"


class Door(Enum):
    """Whether a session has access to a signer's pages, and what would give it access."""

    OPEN = auto()
    HIGHER_LEVEL = auto()
    CLOSED = auto()


def let_in(request: HttpRequest, signer: Signer) -> None:
    """Give this session, in which the right code was entered, access to the signer's pages.

    Everything else in the session is removed, so that nobody signs as the person who used the browser before.
    """
    request.session.flush()
    request.session[_CODE_WAS_RIGHT] = signer.pk
    rotate_token(request)


def is_let_in(request: HttpRequest, signer: Signer) -> bool:
    """Whether the right code for this signer was entered in this session, and the signer's links have not ended."""
    return bool(request.session.get(_CODE_WAS_RIGHT) == signer.pk) and signer.links_ended_at is None


def is_known(request: HttpRequest) -> bool:
    """Whether someone is logged in or let in, and so can log out."""
    return _CODE_WAS_RIGHT in request.session or log_ins.identity_of(request) is not None


def who_can_log_out(request: HttpRequest) -> dict[str, str]:
    """Return the context for the header of every page: where to log out, if someone can."""
    return {"log_out_url": reverse("log-out")} if is_known(request) else {}


def stay(request: HttpRequest) -> None:
    """Extend the session from this page on.

    Only pages do so: a picture that is still loading must not overwrite a newer session with an older one.
    """
    request.session.modified = True


def door(request: HttpRequest, signer: Signer) -> Door:
    """Return whether this session has access to the signer's pages."""
    if signer.is_addressed_by_contact_information:
        return Door.OPEN if is_let_in(request, signer) else Door.CLOSED
    person = log_ins.identity_of(request)
    if person is None or person.personal_identification_number != signer.personal_identification_number:
        return Door.CLOSED
    return Door.OPEN if person.level >= signer.job.required_authentication else Door.HIGHER_LEVEL


def for_the_signer(
    view: Callable[Concatenate[HttpRequest, Signer, Parameters], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Pass the signer to a view of the signer's pages; sessions without access get a page that says why.

    Job numbers count from 1: sessions without access must get the same whether the job exists or not.
    """

    @wraps(view)
    def guarded(
        request: HttpRequest, job_id: int, number: int, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponseBase:
        signer = _signer(job_id, number) if is_known(request) else None
        if signer is None or door(request, signer) is Door.CLOSED:
            return _closed(request, then=reverse("signer", args=[job_id, number]))
        if door(request, signer) is Door.HIGHER_LEVEL:
            context = {"signer": signer, "then": signer_url("signer", signer)}
            return render(request, "signer_portal/higher_level.html", context, status=HTTPStatus.FORBIDDEN)
        return view(request, signer, *args, **kwargs)

    return guarded


def _signer(job_id: int, number: int) -> Signer | None:
    try:
        return signer_of(job_id=job_id, number=number)
    except NoSuchJobError:
        return None


def _closed(request: HttpRequest, then: str) -> HttpResponse:
    person = log_ins.identity_of(request)
    if person is None:
        return redirect(f"{reverse('log-in')}?{urlencode({'then': then})}")
    return render(request, "signer_portal/closed.html", {"person": person}, status=HTTPStatus.FORBIDDEN)


def forget_pictures(response: HttpResponse) -> HttpResponse:
    """Have the browser of someone who has logged out remove the pictures it keeps."""
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def signer_url(name: str, signer: Signer) -> str:
    """Return the path of one of a signer's pages."""
    return reverse(name, args=[signer.job_id, signer.number])
