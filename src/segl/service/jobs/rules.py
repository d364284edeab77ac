"""What a sender may ask for, and the defaults for what it leaves out (ARCHITECTURE.md, rules 1 and 2)."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from segl.core.pades import fonts
from segl.core.protocol import (
    MOST_DOCUMENT_BYTES,
    NotificationsUsingLookup,
    PortalManifest,
    Signer,
)
from segl.core.sector import Sector
from segl.core.terms import Refusal, Terms, contact_of, refusals, terms_of, too_many_pages
from segl.service import configuration
from segl.service.jobs.errors import NotAllowedError

DEFAULT_AVAILABLE_SECONDS = 30 * 24 * 3600


def permitted_terms(sector: Sector, manifest: PortalManifest) -> Terms:
    """The terms of a job by the table of defaults.

    Raises:
        NotAllowedError: The sector may not ask for this, a title could not be printed, or a signer not be notified.
    """
    _refuse(refusals(sector, manifest))
    for title in (manifest.title, *(each.title for each in manifest.documents)):
        _check_printable(title)
    for number, signer in enumerate(manifest.signers, 1):
        _check_reachable(number, signer)
        _check_register(number, signer)
    return terms_of(sector, manifest)


def is_mail_address(text: str) -> bool:
    """Whether mail could be sent there."""
    local, at, domain = text.rpartition("@")
    # RFC 6531 allows any character beyond ASCII in the local part, which Django's validator rejects.
    as_ascii = "".join("x" if each.isprintable() and not each.isascii() else each for each in local)
    try:
        validate_email(as_ascii + at + domain)
    except ValidationError:
        return False
    return True


def check_size(size: int) -> None:
    """Make sure that the documents of a job, of this total size in bytes, are not too large.

    Raises:
        NotAllowedError: They are too large.
    """
    if size > MOST_DOCUMENT_BYTES:
        raise NotAllowedError(
            "DOCUMENTS_TOO_LARGE",
            f"The documents hold {size} bytes together: at most {MOST_DOCUMENT_BYTES} can be signed.",
        )


def check_pages(pages: int) -> None:
    """Make sure that the documents of a job, with this total of pages, can be made into one signed PDF.

    Raises:
        NotAllowedError: There are too many pages.
    """
    _refuse(too_many_pages(pages))


def _refuse(found: Iterable[Refusal]) -> None:
    for refusal in found:
        raise NotAllowedError(*refusal)


def _check_printable(title: str) -> None:
    """Make sure that the sealed PDF can print a title."""
    if missing := fonts.missing(title):
        raise NotAllowedError(
            "TITLE_NOT_PRINTABLE",
            f"A title has {fonts.named(missing)}, which no font of the signed document has: give one without.",
        )


def _check_reachable(number: int, signer: Signer) -> None:
    """Make sure that the contact information of a signer, if any, can be used to send a message."""
    contact = contact_of(signer)
    if contact is None:
        return
    if contact.email is None:
        if not configuration.current().sms.gateway:
            raise NotAllowedError(
                "SMS_NOT_AVAILABLE",
                f"Signer {number} has a mobile number only, and no SMS gateway is configured: "
                "give an e-mail address too.",
            )
        return
    if not is_mail_address(contact.email.address):
        raise NotAllowedError(
            "EMAIL_ADDRESS_NOT_USABLE",
            f"The e-mail address of signer {number} cannot receive mail: give one like name@example.com.",
        )


def _check_register(number: int, signer: Signer) -> None:
    """Make sure that a signer who is to be looked up can be."""
    if isinstance(signer.notifications, NotificationsUsingLookup) and configuration.current().contact_register is None:
        raise NotAllowedError(
            "CONTACT_REGISTER_NOT_AVAILABLE",
            f"Signer {number} has notifications-using-lookup, and this service has no contact register: "
            "give notifications with an e-mail address.",
        )
