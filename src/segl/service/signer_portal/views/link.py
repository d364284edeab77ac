"""A signer's unique link: asks for the code in the same message, and until then hides title and documents."""

import re
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from segl.service.jobs import links, security_codes
from segl.service.jobs.errors import NoSuchLinkError, NotOpenError, WrongCodeError
from segl.service.signer_portal import access, ends, words
from segl.service.signer_portal.situation import Situation
from segl.service.store.models import Signer


@require_http_methods(["GET", "HEAD", "POST"])
def code_page(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for the code; the right one opens the signer's pages, at addresses without the token, to this session."""
    signer = _signer(token)
    if signer.wrong_codes >= security_codes.MOST_WRONG_CODES:
        return ends.not_open(request, signer, Situation.BLOCKED)
    if signer.links_ended_at:
        return ends.link_ended(request, signer)
    if request.method != "POST":
        if access.is_let_in(request, signer):
            return redirect(access.signer_url("signer", signer))
        return _page(request, signer, token)
    return _entered(request, signer, token)


def _entered(request: HttpRequest, signer: Signer, token: str) -> HttpResponse:
    code = re.sub(r"\s", "", request.POST.get("code", ""))
    if not re.fullmatch(r"[0-9]{6}", code):
        return _page(request, signer, token, error=_("Koden er på 6 sifre. Du finner den i meldingen du fikk."))
    try:
        access.let_in(request, security_codes.enter_code(token=token, code=code))
    except WrongCodeError as error:
        signer.wrong_codes = security_codes.MOST_WRONG_CODES - error.tries_left
        return _page(request, signer, token, error=_("Koden er feil."))
    except NotOpenError as error:
        if error.reason == "link_ended":
            return ends.link_ended(request, signer)
        return ends.not_open(request, signer, Situation.BLOCKED)
    return redirect(access.signer_url("signer", signer))


@require_POST
def new_code(request: HttpRequest, token: str) -> HttpResponse:
    """Send a new link and code to the address that the sender gave."""
    signer = _signer(token)
    if signer.links_ended_at:
        return ends.link_ended(request, signer)
    try:
        security_codes.send_new_code(token=token)
    except NotOpenError as error:
        if error.reason == "too_many_codes":
            context = {"sent": False}
            return render(request, "signer_portal/new_code.html", context, status=HTTPStatus.TOO_MANY_REQUESTS)
        ended = _("Det sendes ikke flere koder for dette dokumentet. Bruk den siste.")
        return _page(request, signer, token, error=ended)
    return render(request, "signer_portal/new_code.html", {"sent": True})


def _page(request: HttpRequest, signer: Signer, token: str, error: str = "") -> HttpResponse:
    tries = words.tries(security_codes.MOST_WRONG_CODES - signer.wrong_codes)
    context = {"signer": signer, "token": token, "error": error, "tries": tries}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return render(request, "signer_portal/code.html", context, status=status)


def _signer(token: str) -> Signer:
    try:
        return links.signer_of_link(token=token)
    except NoSuchLinkError as error:
        raise Http404(str(error)) from error
