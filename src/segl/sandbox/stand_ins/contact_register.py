"""The sandbox's contact register: it answers as the real one does, of people that a test can edit.

Whoever was not edited is registered with an e-mail address (`usual_email`), so that a mail goes to the outbox. What was
edited lies in the folder. `/contact-register` on the pages' host takes:

- `GET`: who was edited, as JSON: `{"personer": […]}`, each in the register's own words.
- `POST` of the same: these people stand there as they are given, instead of what was known of them; what is left out of
  one is `AKTIV`, `KAN_VARSLES`, not reserved and without `kontaktinformasjon`.
- `DELETE`: everything is as in the beginning.

The fault `register-down` has register and token server answer 503.
"""

import hashlib
import json
import re
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from segl.sandbox.files import write_atomically
from segl.sandbox.stand_ins import maskinporten
from segl.service import configuration

MOST_PEOPLE = 1000
"""As many can be asked about at once."""
_WORDS = {
    "reservasjon": ("NEI", "JA"),
    "status": ("AKTIV", "SLETTET", "IKKE_REGISTRERT"),
    "varslingsstatus": ("KAN_VARSLES", "KAN_IKKE_VARSLES"),
}
"""What may be said of a person; the first of each is what counts when nothing is."""
_CONTACT = {"epostadresse", "mobiltelefonnummer"}
_lock = Lock()


class _RefusedError(Exception):
    """The text says what is wrong with what was sent."""


def usual_email(number: str) -> str:
    """The address of one who was not edited."""
    return f"person-{hashlib.sha256(number.encode()).hexdigest()[:16]}@example.com"


@csrf_exempt  # programs edit it, not pages
@require_http_methods(["GET", "POST", "DELETE"])
def edit(request: HttpRequest) -> HttpResponse:
    """Tell, change or forget what was edited."""
    try:
        with _lock:
            if request.method == "POST":
                _write(_edited() | _given(_json(request)))
            elif request.method == "DELETE":
                _write({})
            return JsonResponse({"personer": list(_edited().values())})
    except _RefusedError as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)


@csrf_exempt  # the token says who asks
@require_POST
def look_up(request: HttpRequest) -> HttpResponse:
    """`POST /rest/v2/personer`."""
    if not maskinporten.is_valid(request.headers.get("Authorization", "")):
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
    try:
        numbers = _numbers(_json(request))
    except _RefusedError as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
    edited = _edited()
    return JsonResponse({"personer": [_person(number, edited.get(number)) for number in numbers]})


def _file() -> Path:
    folder: Path = configuration.current().folder
    return folder / "contact-register.json"


def _edited() -> dict[str, dict[str, Any]]:
    """Who was edited, by their numbers."""
    edited: dict[str, dict[str, Any]] = json.loads(_file().read_bytes()) if _file().exists() else {}
    return edited


def _write(edited: dict[str, dict[str, Any]]) -> None:
    write_atomically(_file(), json.dumps(edited).encode(), mode=0o600)


def _given(asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
    people = asked.pop("personer", None)
    if asked or not isinstance(people, list):
        raise _RefusedError('Send {"personer": […]}.')
    return {each["personidentifikator"]: each for each in map(_read, people)}


def _read(person: Any) -> dict[str, Any]:
    """A person in the register's words."""
    if not isinstance(person, dict) or not _is_number(person.get("personidentifikator")):
        raise _RefusedError("Give each person as an object with a personidentifikator of 11 digits.")
    usual = {name: choices[0] for name, choices in _WORDS.items()}
    whole: dict[str, Any] = {**usual, "kontaktinformasjon": {}, **person}
    for name, choices in _WORDS.items():
        if whole[name] not in choices:
            raise _RefusedError(f"{name} is {' or '.join(choices)}.")
    contact = whole["kontaktinformasjon"]
    if (
        not isinstance(contact, dict)
        or contact.keys() - _CONTACT
        or not all(isinstance(x, str) for x in contact.values())
    ):
        raise _RefusedError(f"kontaktinformasjon is an object that may have {' and '.join(sorted(_CONTACT))}, texts.")
    if unknown := whole.keys() - _WORDS.keys() - {"personidentifikator", "kontaktinformasjon"}:
        raise _RefusedError(f"Nothing is known of {', '.join(sorted(unknown))}: leave it out.")
    return whole


def _person(number: str, edited: dict[str, Any] | None) -> dict[str, Any]:
    """What the register answers; `kontaktinformasjon` is absent of those who are not AKTIV."""
    contact = {"epostadresse": usual_email(number)}
    person = dict(edited or _read({"personidentifikator": number, "kontaktinformasjon": contact}))
    if person["status"] != "AKTIV":
        del person["kontaktinformasjon"]
    return person


def _numbers(asked: dict[str, Any]) -> list[str]:
    numbers = asked.get("personidentifikatorer")
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= MOST_PEOPLE or not all(map(_is_number, numbers)):
        raise _RefusedError(f"Send personidentifikatorer, a list of 1 to {MOST_PEOPLE} numbers of 11 digits.")
    return numbers


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9]{11}", value) is not None


def _json(request: HttpRequest) -> dict[str, Any]:
    try:
        told = json.loads(request.body)
    except ValueError:
        told = None
    if request.content_type != "application/json" or not isinstance(told, dict):
        raise _RefusedError("Send a JSON object, with the Content-Type application/json.")
    return told
