"""An eID for sandboxes: a page that accepts any identity.

It is separate from the service like a real provider: the log-in goes out in the URL, and the identity comes back as a
code in the URL, encrypted because nobody must be able to read a national identity number there.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from segl.service import clock
from segl.service.identity.provider import LogInAbortedError, LogInFailedError, LogInRequest
from segl.service.jobs.persons import Identity

METHOD = "TestID"
PROVIDER = "Segl test eID"
_REQUEST_SECONDS = 30 * 60
_CODE_SECONDS = 60
_LONGEST_NAME = 100
_LEVELS = (4, 3)


class EidForTests:
    """The test eID as an `EidProvider`."""

    def begin(self, request: LogInRequest) -> str:
        """Return the URL of the page, which contains the log-in."""
        return f"{reverse('test-eid')}?{urlencode({'request': _encrypted('request', asdict(request))})}"

    def finish(self, request: LogInRequest, answer: Mapping[str, str]) -> Identity:
        """Return the person who was entered on the page."""
        if answer.get("error") == "access_denied":
            raise LogInAbortedError("The person gave up at the test eID.")
        person = _decrypted("code", answer.get("code", ""), _CODE_SECONDS)
        if not hmac.compare_digest(person["state"], request.state):
            raise LogInFailedError("The test eID's code belongs to another log-in.")
        return Identity(
            personal_identification_number=person["number"],
            name=person["name"],
            method=METHOD,
            provider=PROVIDER,
            level=person["level"],
            authenticated_at=clock.now(),
            reference=person["reference"],
        )


@dataclass(slots=True)
class _Form:
    """The page's form: what was entered, and what is wrong with it, by the field's name."""

    number: str = ""
    name: str = ""
    level: str = "4"
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, posted: Mapping[str, str]) -> "_Form":
        number = re.sub(r"\s", "", posted.get("identity_number", ""))
        form = cls(number, " ".join(posted.get("name", "").split()), posted.get("level", ""))
        if not re.fullmatch(r"[0-9]{11}", form.number):
            form.errors["identity_number"] = _("Skriv et fødselsnummer med 11 sifre.")
        if not form.name or len(form.name) > _LONGEST_NAME or not form.name.isprintable():
            form.errors["name"] = _("Skriv et navn med høyst 100 tegn.")
        if form.level not in {str(each) for each in _LEVELS}:
            form.errors["level"] = _("Velg et sikkerhetsnivå.")
        return form


@require_http_methods(["GET", "POST"])
def test_eid(request: HttpRequest) -> HttpResponse:
    """The page: asks who the person wants to be."""
    try:
        log_in = LogInRequest(**_decrypted("request", request.GET.get("request", ""), _REQUEST_SECONDS))
    except LogInFailedError:
        return render(request, "stand_ins/test_eid_expired.html", status=400)
    if request.method == "POST" and "abort" in request.POST:
        return _back(log_in, error="access_denied")
    form = _Form.of(request.POST.dict()) if request.method == "POST" else _Form()
    if request.method == "GET" or form.errors:
        context = {"form": form, "levels": _LEVELS, "required_level": log_in.level}
        return render(request, "stand_ins/test_eid.html", context, status=422 if form.errors else 200)
    person = {
        "state": log_in.state,
        "number": form.number,
        "name": form.name,
        "level": int(form.level),
        "reference": secrets.token_hex(16),
    }
    return _back(log_in, code=_encrypted("code", person))


def _back(log_in: LogInRequest, **answer: str) -> HttpResponse:
    return HttpResponseRedirect(f"{log_in.return_url}?{urlencode({'state': log_in.state, **answer})}")


def _cipher(purpose: str) -> Fernet:
    key = hmac.new(settings.SECRET_KEY.encode(), f"test eID {purpose}".encode(), hashlib.sha256).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def _encrypted(purpose: str, values: Mapping[str, Any]) -> str:
    return _cipher(purpose).encrypt(json.dumps(values).encode()).decode()


def _decrypted(purpose: str, token: str, seconds: int) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(_cipher(purpose).decrypt(token.encode(), ttl=seconds))
    except InvalidToken as error:
        raise LogInFailedError(f"The test eID's {purpose} is broken or too old.") from error
    return values
