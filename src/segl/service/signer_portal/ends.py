"""The pages on which a signer cannot go on: one heading, one sentence, at most one thing to do."""

from dataclasses import dataclass
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from segl.service.signer_portal.access import signer_url
from segl.service.signer_portal.situation import Situation
from segl.service.store.models import Signer
from segl.service.web.words import moment


@dataclass(frozen=True, slots=True)
class End:
    """The content of such a page; `action` and `url` are a link, or empty if there is nothing to do."""

    heading: str
    sentence: str
    action: str = ""
    url: str = ""


def page(request: HttpRequest, end: End, status: HTTPStatus) -> HttpResponse:
    """Render the page of an end."""
    return render(request, "signer_portal/end.html", {"end": end}, status=status)


def not_open(request: HttpRequest, signer: Signer, situation: Situation) -> HttpResponse:
    """Return the page for a signer who cannot sign now. It reveals no more than the message to the signer did."""
    status = HTTPStatus.FORBIDDEN if situation.is_coming or situation is Situation.BLOCKED else HTTPStatus.GONE
    return page(request, _end(signer, situation), status)


def link_ended(request: HttpRequest, signer: Signer) -> HttpResponse:
    """Return the page for anyone with a link that its signer has ended."""
    sender = {"sender": signer.job.sender.name}
    end = End(
        _("Lenken er avsluttet"),
        _("Ingen kan åpne dokumentet med den lenger. Trenger du det, må du be %(sender)s om det.") % sender,
    )
    return page(request, end, HTTPStatus.GONE)


def acted_already(request: HttpRequest, signer: Signer, situation: Situation) -> HttpResponse:
    """Return the page for a signer who has already signed or rejected."""
    rejected = situation is Situation.REJECTED
    end = End(
        _("Du har allerede avvist") if rejected else _("Du har allerede signert"),
        _("Det gjelder fortsatt. Du kan ikke gjøre det om her."),
        _("Se kvitteringen"),
        signer_url("receipt", signer),
    )
    return page(request, end, HTTPStatus.CONFLICT)


def _end(signer: Signer, situation: Situation) -> End:
    sender = {"sender": signer.job.sender.name}
    match situation:
        case Situation.NOT_ACTIVE:
            when = moment(signer.activated_at or signer.job.activates_at)
            return End(_("Du kan ikke signere ennå"), _("Dokumentet åpnes %(when)s.") % {"when": when})
        case Situation.WAITING:
            return End(
                _("Det er ikke din tur ennå"),
                _("Andre skal signere før deg. Du får en melding når det er din tur."),
            )
        case Situation.EXPIRED:
            return End(
                _("Fristen har gått ut"),
                _("Vil du fortsatt signere, må du be %(sender)s om å sende dokumentet på nytt.") % sender,
                *_overview(signer),
            )
        case Situation.CANCELLED:
            return End(
                _("Avsenderen har trukket dokumentet tilbake"),
                _("Du trenger ikke gjøre noe. Spør %(sender)s hvis du lurer på hvorfor.") % sender,
                *_overview(signer),
            )
        case Situation.BLOCKED:
            return End(
                _("Tilgangen er sperret"),
                _("Sikkerhetskoden ble skrevet feil for mange ganger. Be %(sender)s om å sende dokumentet på nytt.")
                % sender,
            )
        case _:
            return End(_("Signeringen er stoppet"), _why_stopped(situation) % sender, *_overview(signer))


def _why_stopped(situation: Situation) -> str:
    match situation:
        case Situation.RESERVED:
            return _("Du har reservert deg mot digital kommunikasjon med det offentlige. Ta kontakt med %(sender)s.")
        case Situation.CONTACT_INFORMATION_MISSING:
            return _("Kontaktregisteret har ingen adresse vi kan varsle deg på. Ta kontakt med %(sender)s.")
        case _:
            return _("En annen som skulle signere, gjorde det ikke. Spør %(sender)s hvis du vil vite mer.")


def _overview(signer: Signer) -> tuple[str, str]:
    if signer.is_addressed_by_contact_information:
        return "", ""
    return _("Til dokumentene dine"), reverse("start")
