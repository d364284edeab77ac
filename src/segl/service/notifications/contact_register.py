"""The common contact and reservation register (KRR): how to reach a person. Version 2 of its REST API."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from segl.service import remote
from segl.service.notifications.maskinporten import Maskinporten
from segl.service.remote import RemoteError

_SERVICE = "The contact register"
_TELEPHONE_NUMBER = re.compile(r"\+?[0-9 ().-]{3,30}")


@dataclass(frozen=True, slots=True)
class ContactDetails:
    """What the register says of a person.

    A person who `is_reserved` wants nothing digital from public bodies. `email` and `mobile` are as registered, and
    empty if there are none, or if the person is not registered (any more) or must not be notified. `mobile` is also
    empty if it cannot be a telephone number.
    """

    is_reserved: bool
    email: str = ""
    mobile: str = ""


class ContactRegister(Protocol):
    """Where people's contact details are looked up."""

    def look_up(self, personal_identification_number: str) -> ContactDetails:
        """The contact details of one person. It may wait for the network: call it outside transactions.

        Raises:
            RemoteError: The register does not answer, or not as it should.
        """
        ...


class HttpContactRegister:
    """The register's REST API, version 2, at `url`."""

    def __init__(self, url: str, *, maskinporten: Maskinporten, http: remote.Http = remote.HTTP) -> None:
        self._url = f"{url.rstrip('/')}/rest/v2/personer"
        self._maskinporten = maskinporten
        self._http = http

    def look_up(self, personal_identification_number: str) -> ContactDetails:
        token = self._maskinporten.token()
        query = {"personidentifikatorer": [personal_identification_number]}
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = self._http.fetch_json("POST", self._url, service=_SERVICE, json=query, headers=headers)
        except RemoteError as error:
            if error.status in {HTTPStatus.UNAUTHORIZED, None}:  # without an answer, the token may be what is wrong
                self._maskinporten.forget(token)
            raise
        return _details(answer, personal_identification_number)


def _details(answer: object, personal_identification_number: str) -> ContactDetails:
    match answer:
        case {
            "personer": [
                {"personidentifikator": found, "reservasjon": "JA" | "NEI" as reserved, "status": str(status), **more}
            ]
        } if found == personal_identification_number:
            contact = more.get("kontaktinformasjon")
            # Clients that may not ask for the varslingsstatus do not get it.
            if status != "AKTIV" or more.get("varslingsstatus") == "KAN_IKKE_VARSLES" or not isinstance(contact, dict):
                contact = {}
            mobile = _text(contact, "mobiltelefonnummer")
            return ContactDetails(
                reserved == "JA", _text(contact, "epostadresse"), mobile if _TELEPHONE_NUMBER.fullmatch(mobile) else ""
            )
    raise RemoteError(f"{_SERVICE} did not answer with reservasjon and status of the requested person.")


def _text(contact: dict[str, object], name: str) -> str:
    value = contact.get(name)
    return value.strip() if isinstance(value, str) else ""


_current: ContactRegister | None = None


def configure(register: ContactRegister) -> None:
    """Give this process its register; called once at start."""
    global _current  # noqa: PLW0603 - one register in one place
    _current = register


def current() -> ContactRegister:
    """The register of this process.

    Raises:
        RemoteError: None is configured (any more).
    """
    if _current is None:
        raise RemoteError("No contact register is configured: write the settings of `[contact_register]`.")
    return _current
