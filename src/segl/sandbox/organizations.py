"""Adds organizations to a running sandbox, so that each test can have one, with a queue that no other test reads.

`POST {web_root}/sandbox/organizations` with JSON: `name`, `sector` (`public` or `private`) and `broker_for` (numbers),
all optional. The response has the form of an organization in the ready file.
"""

import json
import secrets
from http import HTTPStatus
from threading import Lock
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from stdnum.no import orgnr

from segl.core.errors import SeglError
from segl.sandbox.pki import SandboxOrganization, ensure_pki
from segl.service import configuration
from segl.service.organizations import add_organization, authorize_broker

_MEDIA_TYPE = "application/json"
_making = Lock()
"""Each new organization rewrites some files of the PKI."""
_EXAMPLE = '{"name": "Nordvik kommune", "sector": "public", "broker_for": ["123456789"]}'


class _WrongError(SeglError):
    """The request is not valid."""


@csrf_exempt  # pages of other origins cannot send JSON here without a CORS preflight, which is not permitted
@require_POST
def organizations(request: HttpRequest) -> JsonResponse:
    """Register a new organization, with a certificate from the sandbox's PKI."""
    try:
        organization = _requested(request)
        with _making:
            [files] = ensure_pki(configuration.current().folder / "pki", [organization]).organizations
        add_organization(number=organization.number, name=organization.name, sector=organization.sector)
        for number in organization.broker_for:
            authorize_broker(sender=number, broker=organization.number)
    except SeglError as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
    return JsonResponse(files.describe(), status=HTTPStatus.CREATED)


def _requested(request: HttpRequest) -> SandboxOrganization:
    if request.content_type != _MEDIA_TYPE:
        raise _WrongError(f"The Content-Type is {request.content_type!r}: send {_MEDIA_TYPE}.")
    try:
        values: Any = json.loads(request.body)
    except ValueError:
        raise _WrongError(f"The body is not JSON: send an object such as {_EXAMPLE}.") from None
    if not isinstance(values, dict) or values.keys() - {"name", "sector", "broker_for"}:
        raise _WrongError(f"Send an object with name, sector and broker_for, such as {_EXAMPLE}.")
    number = _new_number()
    name, sector = values.get("name", f"Testorganisasjon {number}"), values.get("sector", "public")
    broker_for = values.get("broker_for", [])
    if not isinstance(broker_for, list) or not all(isinstance(each, str) for each in (name, sector, *broker_for)):
        raise _WrongError(f"name and sector must be strings, broker_for a list of strings, as in {_EXAMPLE}.")
    return SandboxOrganization(number, name, sector, tuple(broker_for))


def _new_number() -> str:
    """Return a number with a valid check digit. It begins with 3: such numbers are synthetic."""
    while True:
        number = f"3{secrets.randbelow(10**8):08}"
        if orgnr.is_valid(number):
            return number
