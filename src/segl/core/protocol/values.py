"""Who signs, how they are notified, and the API's words for the choices of a job."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from lxml import etree

from segl.core.protocol import _rules
from segl.core.protocol._message import Reader, add


class SignatureType(StrEnum):
    ADVANCED_SIGNATURE = "ADVANCED_ELECTRONIC_SIGNATURE"
    AUTHENTICATED_SIGNATURE = "AUTHENTICATED_ELECTRONIC_SIGNATURE"


class AuthenticationLevel(StrEnum):
    """Security level of the eID a signer must use."""

    THREE = "3"
    FOUR = "4"


class OnBehalfOf(StrEnum):
    """Whether a signer signs for themselves or for somebody else, such as an employer."""

    SELF = "SELF"
    OTHER = "OTHER"


class IdentifierInSignedDocuments(StrEnum):
    """How signers are named in the signed documents."""

    PERSONAL_IDENTIFICATION_NUMBER_AND_NAME = "PERSONAL_IDENTIFICATION_NUMBER_AND_NAME"
    DATE_OF_BIRTH_AND_NAME = "DATE_OF_BIRTH_AND_NAME"
    NAME = "NAME"


@dataclass(frozen=True, slots=True, repr=False)
class PersonalIdentificationNumber:
    """A national identity number or D-number: 11 digits, check digits not looked at. Masked when printed."""

    value: str

    def __post_init__(self) -> None:
        _rules.digits("personal-identification-number", self.value, 11, secret=True)

    def __repr__(self) -> str:
        return f"PersonalIdentificationNumber({self.value[:6]}*****)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Email:
    """An e-mail address."""

    address: str

    def __post_init__(self) -> None:
        _rules.kind("email address", self.address, str, write='Email("name@example.com")')
        _rules.text("email address", self.address)


@dataclass(frozen=True, slots=True)
class Sms:
    """A mobile number, with or without country code."""

    number: str

    def __post_init__(self) -> None:
        _rules.kind("sms number", self.number, str, write='Sms("99999999")')
        _rules.text("sms number", self.number)


@dataclass(frozen=True, slots=True)
class Notifications:
    """Where a signer is notified: an e-mail address, a mobile number or both."""

    element: ClassVar[str] = "notifications"

    email: Email | None = None
    sms: Sms | None = None

    def __post_init__(self) -> None:
        _rules.kind(f"{self.element} email", self.email, Email, write='Email("name@example.com")', optional=True)
        _rules.kind(f"{self.element} sms", self.sms, Sms, write='Sms("99999999")', optional=True)
        if self.email is None and self.sms is None:
            _rules.refuse(f"{self.element} has neither email nor sms; give at least one of them.")


class ContactInformation(Notifications):
    """A signer identified by e-mail address, mobile number or both, which is also where they are notified."""

    __slots__ = ()
    element = "identified-by-contact-information"


@dataclass(frozen=True, slots=True)
class NotificationsUsingLookup:
    """The service looks the signer up in the contact register: e-mail, and SMS too when `sms` is true."""

    sms: bool = False

    def __post_init__(self) -> None:
        _rules.kind("notifications-using-lookup sms", self.sms, bool, write="True or False")


def write_contact(element: etree._Element, contact: Notifications) -> None:
    if contact.email:
        add(element, "email", address=contact.email.address)
    if contact.sms:
        add(element, "sms", number=contact.sms.number)


def read_contact(reader: Reader) -> tuple[Email | None, Sms | None]:
    with reader:
        email, sms = reader.optional("email"), reader.optional("sms")
        return (
            Email(_only_attribute(email, "address")) if email else None,
            Sms(_only_attribute(sms, "number")) if sms else None,
        )


def _only_attribute(reader: Reader, name: str) -> str:
    with reader:
        return reader.attribute(name)
