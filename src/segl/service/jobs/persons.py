"""A person's identity, as an eID confirmed it, and how much of it a signed document may show."""

from dataclasses import dataclass
from datetime import date, datetime

from stdnum.exceptions import ValidationError
from stdnum.no import fodselsnummer

from segl.core.protocol import IdentifierInSignedDocuments
from segl.service.store.models import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A log-in with an eID.

    `method` is the eID (`TestID`, `BankID`), `provider` who vouches for it, `level` 3 or 4, `reference` the provider's
    name for this log-in. The national identity number must reach no log, URL or insecure channel.
    """

    personal_identification_number: str
    name: str
    method: str
    provider: str
    level: int
    authenticated_at: datetime
    reference: str

    def __repr__(self) -> str:
        return f"Identity(method={self.method!r}, level={self.level}, reference={self.reference!r})"


def birth_date(personal_identification_number: str) -> date | None:
    """The date of birth in a national identity number; None for numbers that hold no date.

    D-numbers add 40 to the day; synthetic numbers add 40 or 80 to the month (ARCHITECTURE.md, rule 6).
    """
    month = int(personal_identification_number[2:4])
    real_month = f"{month % 40:02}"
    ordinary = personal_identification_number[:2] + real_month + personal_identification_number[4:]
    try:
        return fodselsnummer.get_birth_date(ordinary)
    except ValidationError:
        return None


def shown_identity(signer: Signer, identity: Identity) -> str:
    """What signed documents show beside the signer's name: a number, a date of birth or nothing.

    Unless the sender chose, it is the national identity number for signers addressed by it, else the date of birth.
    """
    number = identity.personal_identification_number
    chosen = signer.job.identifier_in_signed_documents
    default = IdentifierInSignedDocuments.PERSONAL_IDENTIFICATION_NUMBER_AND_NAME
    if chosen == IdentifierInSignedDocuments.NAME:
        return ""
    if (chosen or default) == default and not signer.is_addressed_by_contact_information:
        return number
    born = birth_date(number)
    return born.strftime("%d.%m.%Y") if born else ""
