"""The front page, logging in with an eID, and logging out."""

from dataclasses import dataclass
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from segl.service import configuration
from segl.service.identity import log_ins
from segl.service.identity.provider import LogInAbortedError, LogInFailedError, NoProviderError
from segl.service.jobs.errors import NoSuchJobError
from segl.service.jobs.finding import signer_of, signers_of_person
from segl.service.jobs.persons import Identity
from segl.service.signer_portal import ends
from segl.service.signer_portal.access import Door, door, forget_pictures, is_known, signer_url, stay
from segl.service.signer_portal.situation import Situation, situations_of
from segl.service.store.models import Signer

_LOWEST_LEVEL = 3


@dataclass(frozen=True, slots=True)
class _Row:
    """A job in a person's list; `title` is the non-sensitive one if the log-in's level is too low for the other."""

    signer: Signer
    title: str
    situation: Situation
    url: str


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """List the documents of the person logged in, or ask to log in."""
    person = log_ins.identity_of(request)
    if person is None:
        return render(request, "signer_portal/log_in.html", {"then": reverse("start")})
    number, wanted = person.personal_identification_number, request.GET.get("page", "")
    page = signers_of_person(personal_identification_number=number, page=wanted)
    signers = list(page)
    rows = [_row(*each, person) for each in zip(signers, situations_of(signers), strict=True)]
    context = {
        "person": person,
        "page": page,
        "waiting": [each for each in rows if each.situation is Situation.OPEN],
        "others": [each for each in rows if each.situation is not Situation.OPEN],
    }
    stay(request)
    return render(request, "signer_portal/start.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Ask to log in, and start the log-in at the level that the wanted page requires."""
    if request.method != "POST":
        return render(request, "signer_portal/log_in.html", {"then": _safe(request.GET.get("then", ""))})
    then = _safe(request.POST.get("then", ""))
    return_url = configuration.current().web_root + reverse("log-in-return")
    try:
        return log_ins.begin(level=_level_for(request, then), return_url=return_url, then=then)
    except NoProviderError:
        sentence = _("Tjenesten mangler oppsett for eID. Si fra til den som driver den.")
        end = ends.End(_("Her kan ingen logge inn"), sentence)
        return ends.page(request, end, HTTPStatus.SERVICE_UNAVAILABLE)


@require_safe
def come_back(request: HttpRequest) -> HttpResponse:
    """Complete the log-in: the eID sends the browser back to here."""
    wanted = log_ins.wanted(request) or reverse("start")
    try:
        return log_ins.end(request, redirect(log_ins.finish(request, request.GET.dict())))
    except LogInAbortedError:
        context = {"heading": _("Du avbrøt innloggingen"), "then": wanted}
    except LogInFailedError:
        context = {"heading": _("Innloggingen lyktes ikke"), "then": wanted}
    page = render(request, "signer_portal/log_in_ended.html", context, status=HTTPStatus.BAD_REQUEST)
    return log_ins.end(request, page)


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """Log out, and remove everything in the session."""
    log_ins.log_out(request)
    return forget_pictures(render(request, "signer_portal/logged_out.html"))


def _row(signer: Signer, situation: Situation, person: Identity) -> _Row:
    may_see = person.level >= signer.job.required_authentication
    title = signer.job.title if may_see else signer.job.nonsensitive_title or _("Et dokument til signering")
    return _Row(signer, title, situation, signer_url("signer", signer))


def _safe(then: str) -> str:
    """Return the path if it is one of a signer's page, to which a log-in may lead, else the front page."""
    return then if _signer_in(then) else reverse("start")


def _level_for(request: HttpRequest, then: str) -> int:
    """The level that the wanted page requires, as far as the session may know: strangers could count jobs by it."""
    wanted = _signer_in(then)
    if not wanted or not is_known(request):
        return _LOWEST_LEVEL
    try:
        signer = signer_of(**wanted)
    except NoSuchJobError:
        return _LOWEST_LEVEL
    return _LOWEST_LEVEL if door(request, signer) is Door.CLOSED else signer.job.required_authentication


def _signer_in(path: str) -> dict[str, int]:
    """Job and number of the signer whose page has this path, whether they exist or not; empty for other paths."""
    try:
        match = resolve(path)
    except Resolver404:
        return {}
    return match.kwargs if match.url_name == "signer" else {}
