"""The sandbox's contact register: it responds like the real one, about people whose entries tests can edit.

Everyone else is registered with an e-mail address (`usual_email`), so that mails go to the outbox. Edited entries
are kept in the sandbox's folder. `/contact-register` on the pages' host accepts:

- `GET`: returns the edited entries as JSON: `{"personer": […]}`, in the register's own format.
- `POST` of the same: replaces the entries of these people; members that are left out mean `AKTIV`, `KAN_VARSLES`, not
  reserved and without `kontaktinformasjon`.
- `DELETE`: removes all edited entries.

With the fault `register-down`, register and token server respond with 503.
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
"""How many people one request may look up."""
_CHOICES = {
    "reservasjon": ("NEI", "JA"),
    "status": ("AKTIV", "SLETTET", "IKKE_REGISTRERT"),
    "varslingsstatus": ("KAN_VARSLES", "KAN_IKKE_VARSLES"),
}
"""The values of each member; the first is the default."""
_CONTACT = {"epostadresse", "mobiltelefonnummer"}
_lock = Lock()


class _BadRequestError(Exception):
    """The request is not valid; the message says why."""


def usual_email(number: str) -> str:
    """Return the address of a person whose entry was not edited."""
    return f"person-{hashlib.sha256(number.encode()).hexdigest()[:16]}@example.com"


@csrf_exempt  # programs edit it, not pages
@require_http_methods(["GET", "POST", "DELETE"])
def edit(request: HttpRequest) -> HttpResponse:
    """Return, change or remove the edited entries."""
    try:
        with _lock:
            if request.method == "POST":
                _write(_edited() | _given(_json(request)))
            elif request.method == "DELETE":
                _write({})
            return JsonResponse({"personer": list(_edited().values())})
    except _BadRequestError as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)


@csrf_exempt  # the token authenticates the caller
@require_POST
def look_up(request: HttpRequest) -> HttpResponse:
    """`POST /rest/v2/personer`."""
    if not maskinporten.is_valid(request.headers.get("Authorization", "")):
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
    try:
        numbers = _numbers(_json(request))
    except _BadRequestError as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
    edited = _edited()
    return JsonResponse({"personer": [_person(number, edited.get(number)) for number in numbers]})


def _file() -> Path:
    folder: Path = configuration.current().folder
    return folder / "contact-register.json"


def _edited() -> dict[str, dict[str, Any]]:
    """Return the edited entries, by identity number."""
    edited: dict[str, dict[str, Any]] = json.loads(_file().read_bytes()) if _file().exists() else {}
    return edited


def _write(edited: dict[str, dict[str, Any]]) -> None:
    write_atomically(_file(), json.dumps(edited).encode(), mode=0o600)


def _given(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    people = values.pop("personer", None)
    if values or not isinstance(people, list):
        raise _BadRequestError('Send {"personer": […]}.')
    return {each["personidentifikator"]: each for each in map(_read, people)}


def _read(person: Any) -> dict[str, Any]:
    """Return a person's entry in the register's format, with defaults filled in."""
    if not isinstance(person, dict) or not _is_number(person.get("personidentifikator")):
        raise _BadRequestError("Send each person as an object with a personidentifikator of 11 digits.")
    usual = {name: choices[0] for name, choices in _CHOICES.items()}
    whole: dict[str, Any] = {**usual, "kontaktinformasjon": {}, **person}
    for name, choices in _CHOICES.items():
        if whole[name] not in choices:
            raise _BadRequestError(f"{name} must be {' or '.join(choices)}.")
    contact = whole["kontaktinformasjon"]
    if (
        not isinstance(contact, dict)
        or contact.keys() - _CONTACT
        or not all(isinstance(x, str) for x in contact.values())
    ):
        raise _BadRequestError(
            f"kontaktinformasjon must be an object with the optional strings {' and '.join(sorted(_CONTACT))}."
        )
    if unknown := whole.keys() - _CHOICES.keys() - {"personidentifikator", "kontaktinformasjon"}:
        raise _BadRequestError(f"A person has no {', '.join(sorted(unknown))}: leave it out.")
    return whole


def _person(number: str, edited: dict[str, Any] | None) -> dict[str, Any]:
    """Return a person's entry as the register does: without `kontaktinformasjon` unless the person is AKTIV."""
    contact = {"epostadresse": usual_email(number)}
    person = dict(edited or _read({"personidentifikator": number, "kontaktinformasjon": contact}))
    if person["status"] != "AKTIV":
        del person["kontaktinformasjon"]
    return person


def _numbers(values: dict[str, Any]) -> list[str]:
    numbers = values.get("personidentifikatorer")
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= MOST_PEOPLE or not all(map(_is_number, numbers)):
        raise _BadRequestError(f"Send personidentifikatorer, a list of 1 to {MOST_PEOPLE} numbers of 11 digits.")
    return numbers


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9]{11}", value) is not None


def _json(request: HttpRequest) -> dict[str, Any]:
    try:
        values = json.loads(request.body)
    except ValueError:
        values = None
    if request.content_type != "application/json" or not isinstance(values, dict):
        raise _BadRequestError("Send a JSON object with the Content-Type application/json.")
    return values
