"""Who may see a signer's pages: the person with the signer's identity number, or with the signer's link and code."""

from collections.abc import Callable
from enum import Enum, auto
from functools import wraps
from http import HTTPStatus
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
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
    """Whether a signer's pages are open to a session, and what would open them."""

    OPEN = auto()
    LOG_IN = auto()
    HIGHER_LEVEL = auto()
    CLOSED = auto()


def let_in(request: HttpRequest, signer: Signer) -> None:
    """Open the signer's pages to this session, whose person has entered the right code.

    Everything else in the session is forgotten: nobody signs as the person who used the browser before.
    """
    request.session.flush()
    request.session[_CODE_WAS_RIGHT] = signer.pk
    rotate_token(request)


def is_let_in(request: HttpRequest, signer: Signer) -> bool:
    """Whether the person in this session came by the signer's link and code."""
    return bool(request.session.get(_CODE_WAS_RIGHT) == signer.pk)


def is_known(request: HttpRequest) -> bool:
    """Whether anybody is logged in or let in, and so can log out."""
    return _CODE_WAS_RIGHT in request.session or log_ins.identity_of(request) is not None


def who_can_log_out(request: HttpRequest) -> dict[str, str]:
    """For the header of every page: where the person in this session logs out, if there is one."""
    return {"log_out_url": reverse("log-out")} if is_known(request) else {}


def stay(request: HttpRequest) -> None:
    """Let the session last from this page on.

    Pages alone say so: a picture that is still on its way must not write an older session over a newer one.
    """
    request.session.modified = True


def door(request: HttpRequest, signer: Signer) -> Door:
    """Whether the signer's pages are open to this session."""
    if signer.is_addressed_by_contact_information:
        return Door.OPEN if is_let_in(request, signer) else Door.CLOSED
    person = log_ins.identity_of(request)
    if person is None:
        return Door.LOG_IN
    if person.personal_identification_number != signer.personal_identification_number:
        return Door.CLOSED
    return Door.OPEN if person.level >= signer.job.required_authentication else Door.HIGHER_LEVEL


def for_the_signer(
    view: Callable[Concatenate[HttpRequest, Signer, Parameters], HttpResponse],
) -> Callable[..., HttpResponse]:
    """A view of a signer's pages, given the signer; whoever may not see it gets a page that says why."""

    @wraps(view)
    def guarded(
        request: HttpRequest, job_id: int, number: int, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponse:
        try:
            signer = signer_of(job_id=job_id, number=number)
        except NoSuchJobError as error:
            raise Http404(str(error)) from error
        match door(request, signer):
            case Door.OPEN:
                return view(request, signer, *args, **kwargs)
            case Door.LOG_IN:
                return redirect(log_in_url(signer))
            case Door.HIGHER_LEVEL:
                context = {"signer": signer, "then": signer_url("signer", signer)}
                return render(request, "signer_portal/higher_level.html", context, status=HTTPStatus.FORBIDDEN)
            case Door.CLOSED:
                return closed(request)

    return guarded


def closed(request: HttpRequest) -> HttpResponse:
    """The page for those whose session does not open what they asked for."""
    context = {"person": log_ins.identity_of(request)}
    return render(request, "signer_portal/closed.html", context, status=HTTPStatus.FORBIDDEN)


def signer_url(name: str, signer: Signer) -> str:
    """The path of one of a signer's pages."""
    return reverse(name, args=[signer.job_id, signer.number])


def log_in_url(signer: Signer) -> str:
    """The page that asks to log in and leads back to the signer's page."""
    return f"{reverse('log-in')}?{urlencode({'then': signer_url('signer', signer)})}"
