"""What a sender may ask for, and what counts when it says nothing (functional documentation, Senders)."""

from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from segl.core.protocol import (
    MOST_DOCUMENT_BYTES,
    AuthenticationLevel,
    ContactInformation,
    NotificationsUsingLookup,
    PortalManifest,
    SignatureType,
    Signer,
)
from segl.service.jobs import sector_rules
from segl.service.jobs.errors import NotAllowedError
from segl.service.store.models import Sector

DEFAULT_AVAILABLE_SECONDS = 30 * 24 * 3600
LONGEST_AVAILABLE_SECONDS = 90 * 24 * 3600
MOST_PAGES = 2000
YEAR_OF_NO_ACTIVATION = 9000  # A datetime ends with the year 9999, and the deadline lies behind the activation.


@dataclass(frozen=True, slots=True)
class Terms:
    """What a job is signed with: the level of the log-in, and each signer's type of signature in their order."""

    level: AuthenticationLevel
    signature_types: tuple[SignatureType, ...]


def terms(sector: Sector, manifest: PortalManifest) -> Terms:
    """The terms of a job by the table of defaults.

    Raises:
        NotAllowedError: The sector may not ask for this, or nobody could be told of the job.
    """
    types = sector_rules.signature_types(sector, manifest)
    level = sector_rules.authentication_level(sector, manifest)
    sector_rules.check_identity_shown(sector, manifest, types)
    _check_availability(manifest)
    for number, signer in enumerate(manifest.signers, 1):
        _check_reachable(number, signer)
        sector_rules.check_lookup(sector, number, signer)
        _check_register(number, signer)
    return Terms(level, types)


def is_mail_address(text: str) -> bool:
    """Whether mail could be sent there."""
    local, at, domain = text.rpartition("@")
    # RFC 6531 takes anything beyond ASCII in the local part for letters, which Django's validator does not know.
    as_ascii = "".join("x" if each.isprintable() and not each.isascii() else each for each in local)
    try:
        validate_email(as_ascii + at + domain)
    except ValidationError:
        return False
    return True


def is_mobile_number(text: str) -> bool:
    """Whether a text message could be sent there: numbers are written in many ways, and none without digits."""
    return any(each.isdecimal() for each in text)


def check_size(size: int) -> None:
    """Make sure that the documents of a job, together of this size in bytes, are not too large.

    Raises:
        NotAllowedError: They are.
    """
    if size > MOST_DOCUMENT_BYTES:
        raise NotAllowedError(
            "DOCUMENTS_TOO_LARGE",
            f"The documents hold {size} bytes together: at most {MOST_DOCUMENT_BYTES} can be signed.",
        )


def check_pages(pages: int) -> None:
    """Make sure that the documents of a job, together of so many pages, can be made into one signed PDF.

    Raises:
        NotAllowedError: They cannot.
    """
    if pages > MOST_PAGES:
        raise NotAllowedError(
            "TOO_MANY_PAGES", f"The documents have {pages} pages together: at most {MOST_PAGES} can be signed."
        )


def _check_availability(manifest: PortalManifest) -> None:
    activation = manifest.availability.activation_time if manifest.availability else None
    if activation is not None and activation.year >= YEAR_OF_NO_ACTIVATION:
        raise NotAllowedError(
            "ACTIVATION_TIME_NOT_ALLOWED",
            f"activation-time is {activation.isoformat()}: give a time before the year {YEAR_OF_NO_ACTIVATION}.",
        )
    seconds = manifest.availability.available_seconds if manifest.availability else None
    if seconds is not None and seconds > LONGEST_AVAILABLE_SECONDS:
        raise NotAllowedError(
            "AVAILABLE_SECONDS_NOT_ALLOWED",
            f"available-seconds is {seconds}: a job can be available for at most {LONGEST_AVAILABLE_SECONDS} seconds.",
        )


def _check_reachable(number: int, signer: Signer) -> None:
    """A message that no mail server would take reaches nobody, and then nobody would be told."""
    contact = signer.identifier if isinstance(signer.identifier, ContactInformation) else signer.notifications
    if contact is None or isinstance(contact, NotificationsUsingLookup):
        return
    if contact.sms and not is_mobile_number(contact.sms.number):
        raise NotAllowedError(
            "MOBILE_NUMBER_NOT_USABLE",
            f"The mobile number of signer {number} has no digits: give one like 99999999, or leave sms out.",
        )
    if contact.email is None:
        if not settings.SEGL_SMS_GATEWAY:
            raise NotAllowedError(
                "SMS_NOT_AVAILABLE",
                f"Signer {number} has a mobile number only, and no SMS gateway is configured: "
                "give an e-mail address too.",
            )
        return
    if not is_mail_address(contact.email.address):
        raise NotAllowedError(
            "EMAIL_ADDRESS_NOT_USABLE",
            f"The e-mail address of signer {number} is none that mail could be sent to: "
            "give one like name@example.com.",
        )


def _check_register(number: int, signer: Signer) -> None:
    """Whom nobody looks up is never told."""
    if isinstance(signer.notifications, NotificationsUsingLookup) and settings.SEGL_CONTACT_REGISTER is None:
        raise NotAllowedError(
            "CONTACT_REGISTER_NOT_AVAILABLE",
            f"Signer {number} has notifications-using-lookup, and this service has no contact register: "
            "give notifications with an e-mail address.",
        )
