"""More organizations for a running sandbox: each test may have one of its own, with a queue that no other test reads.

`POST {web_root}/sandbox/organizations` with JSON: `name`, `sector` (`public` or `private`) and `broker_for` (numbers),
all optional. The answer has the form that organizations have in the ready file.
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
"""Some files of the PKI are written anew for each organization."""
_EXAMPLE = '{"name": "Nordvik kommune", "sector": "public", "broker_for": ["123456789"]}'


class _WrongError(SeglError):
    """The request is none."""


@csrf_exempt  # a page elsewhere cannot send JSON here without asking first, and nothing here says that it may
@require_POST
def organizations(request: HttpRequest) -> JsonResponse:
    """Register a new organization, with a certificate of the sandbox's."""
    try:
        organization = _asked_for(request)
        with _making:
            [files] = ensure_pki(configuration.current().folder / "pki", [organization]).organizations
        add_organization(number=organization.number, name=organization.name, sector=organization.sector)
        for number in organization.broker_for:
            authorize_broker(sender=number, broker=organization.number)
    except SeglError as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
    return JsonResponse(files.describe(), status=HTTPStatus.CREATED)


def _asked_for(request: HttpRequest) -> SandboxOrganization:
    if request.content_type != _MEDIA_TYPE:
        raise _WrongError(f"The Content-Type is {request.content_type!r}: send {_MEDIA_TYPE}.")
    try:
        asked: Any = json.loads(request.body)
    except ValueError:
        raise _WrongError(f"The body is no JSON: send such as {_EXAMPLE}.") from None
    if not isinstance(asked, dict) or asked.keys() - {"name", "sector", "broker_for"}:
        raise _WrongError(f"Send an object with name, sector and broker_for, such as {_EXAMPLE}.")
    number = _new_number()
    name, sector = asked.get("name", f"Testorganisasjon {number}"), asked.get("sector", "public")
    broker_for = asked.get("broker_for", [])
    if not isinstance(broker_for, list) or not all(isinstance(each, str) for each in (name, sector, *broker_for)):
        raise _WrongError(f"Name and sector are texts, broker_for is a list of numbers as texts, such as {_EXAMPLE}.")
    return SandboxOrganization(number, name, sector, tuple(broker_for))


def _new_number() -> str:
    """A number with the right check digit; those that begin with 3 are synthetic, and no real organization has one."""
    while True:
        number = f"3{secrets.randbelow(10**8):08}"
        if orgnr.is_valid(number):
            return number
