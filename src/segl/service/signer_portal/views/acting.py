"""The acts: signing, and rejecting after a confirmation."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from segl.service.identity import log_ins
from segl.service.jobs import signing
from segl.service.jobs.errors import LevelTooLowError, NotOpenError, PagesNotShownError
from segl.service.jobs.finding import originals
from segl.service.jobs.signing import Agreement
from segl.service.signer_portal import ends, words
from segl.service.signer_portal.access import for_the_signer, signer_url
from segl.service.signer_portal.situation import named
from segl.service.signer_portal.views.reading import show
from segl.service.store.models import Signer
from segl.service.work.perform import sign_now

_LONGEST_USER_AGENT = 300


@require_POST
@for_the_signer
def sign(request: HttpRequest, signer: Signer) -> HttpResponse:
    """Sign: the person has pressed «Signer»."""
    person = log_ins.identity_of(request)
    if person is None or request.POST.get("log_in") != person.reference:
        return show(request, signer, changed=True)
    try:
        sign_now(job_id=signer.job_id, number=signer.number, identity=person, agreement=_agreement(request, signer))
    except NotOpenError as error:
        return _refused(request, signer, error)
    except LevelTooLowError:
        return show(request, signer, changed=True)
    except PagesNotShownError as error:
        return _ask_again(request, signer, error)
    return redirect(signer_url("receipt", signer))


def _ask_again(request: HttpRequest, signer: Signer, error: PagesNotShownError) -> HttpResponse:
    """Ask whether the person signs though pages have not been shown."""
    titles = {each.number: each.title for each in originals(job=signer.job)}
    missing = [(titles[number], words.pages(pages)) for number, pages in error.pages.items()]
    first = next((number, pages[0]) for number, pages in error.pages.items())
    return render(request, "signer_portal/not_shown.html", {"signer": signer, "missing": missing, "first": first})


@require_http_methods(["GET", "HEAD", "POST"])
@for_the_signer
def reject(request: HttpRequest, signer: Signer) -> HttpResponse:
    """Ask for confirmation; then reject."""
    person = None if signer.is_addressed_by_contact_information else log_ins.identity_of(request)
    try:
        if request.method == "POST":
            signing.reject(job_id=signer.job_id, number=signer.number, identity=person)
            return redirect(signer_url("receipt", signer))
        signing.check_open(signer)
    except NotOpenError as error:
        return _refused(request, signer, error)
    return render(request, "signer_portal/reject.html", {"signer": signer})


def _agreement(request: HttpRequest, signer: Signer) -> Agreement:
    """Return the evidence of the agreement, with the sentence in the language in which the form showed it."""
    shown_in = request.POST.get("language", "")
    language = shown_in if shown_in in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    return Agreement(
        sentence=words.agreement(len(originals(job=signer.job)), language),
        ip_address=request.META["REMOTE_ADDR"],
        user_agent=_printable(request.headers.get("User-Agent", ""))[:_LONGEST_USER_AGENT],
        without_pictures="without_pictures" in request.POST,
    )


def _printable(text: str) -> str:
    """Remove control characters, which XML, and so the evidence, cannot contain."""
    return "".join(each for each in text if each.isprintable())


def _refused(request: HttpRequest, signer: Signer, error: NotOpenError) -> HttpResponse:
    situation = named(error.reason)
    if situation.is_acted:
        return ends.acted_already(request, signer, situation)
    return ends.not_open(request, signer, situation)
