"""What a sender may ask for in a job, by its sector (ARCHITECTURE.md, rule 2)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from segl.core.plain_text import MOST_PAGES
from segl.core.protocol import (
    LONGEST_AVAILABLE,
    AuthenticationLevel,
    ContactInformation,
    IdentifierInSignedDocuments,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PortalManifest,
    SignatureType,
    Signer,
)
from segl.core.sector import Sector

YEAR_OF_NO_ACTIVATION = 9000  # A datetime ends with the year 9999, and the deadline lies behind the activation.

_NUMBER_AND_NAME = IdentifierInSignedDocuments.PERSONAL_IDENTIFICATION_NUMBER_AND_NAME


class Refusal(NamedTuple):
    """Why a job is refused: the API's error code, and a sentence that says what to do."""

    code: str
    sentence: str


class Terms(NamedTuple):
    """What a job is signed with: the level of the log-in, and each signer's type of signature in their order."""

    level: AuthenticationLevel
    signature_types: tuple[SignatureType, ...]


def terms_of(sector: Sector, manifest: PortalManifest) -> Terms:
    """What counts for this job, by the table of defaults."""
    usual = SignatureType.AUTHENTICATED_SIGNATURE if sector is Sector.PUBLIC else SignatureType.ADVANCED_SIGNATURE
    return Terms(
        manifest.required_authentication or AuthenticationLevel.FOUR,
        tuple(each.signature_type or usual for each in manifest.signers),
    )


def refusals(sector: Sector, manifest: PortalManifest) -> Iterator[Refusal]:
    """Each rule that what is asked for breaks."""
    wanted = terms_of(sector, manifest)
    yield from _terms_not_allowed(sector, manifest)
    if sector is Sector.PUBLIC:
        yield from _too_many_documents(manifest, wanted)
    yield from _identity_shown(sector, manifest, wanted)
    yield from _availability(manifest)
    for number, signer in enumerate(manifest.signers, 1):
        yield from _lookup(sector, number, signer)
        yield from _mobile_number(number, signer)


def notification_refusals(number: int, signer: Signer) -> Iterator[Refusal]:
    """Each rule about notifying a signer that is broken whatever the sender's sector."""
    yield from _lookup(Sector.PUBLIC, number, signer)
    yield from _mobile_number(number, signer)


def contact_of(signer: Signer) -> Notifications | None:
    """Where the signer is notified; None for one who is looked up."""
    given = signer.identifier if isinstance(signer.identifier, ContactInformation) else signer.notifications
    return given if isinstance(given, Notifications) else None


def is_mobile_number(text: str) -> bool:
    """Whether a text message could be sent there: numbers are written in many ways, and none without digits."""
    return any(each.isdecimal() for each in text)


def too_many_pages(pages: int) -> Iterator[Refusal]:
    """Whether documents of so many pages together are too many to be made into one signed PDF."""
    if pages > MOST_PAGES:
        yield Refusal(
            "TOO_MANY_PAGES", f"The documents have {pages} pages together: at most {MOST_PAGES} can be signed."
        )


def _terms_not_allowed(sector: Sector, manifest: PortalManifest) -> Iterator[Refusal]:
    if sector is Sector.PUBLIC:
        return
    for number, signer in enumerate(manifest.signers, 1):
        if signer.signature_type is SignatureType.AUTHENTICATED_SIGNATURE:
            yield Refusal(
                "SIGNATURE_TYPE_NOT_ALLOWED",
                f"Signer {number} has the signature-type {signer.signature_type}: private organizations may ask for "
                f"{SignatureType.ADVANCED_SIGNATURE} only; give that, or leave it out.",
            )
    if manifest.required_authentication not in {None, AuthenticationLevel.FOUR}:
        yield Refusal(
            "REQUIRED_AUTHENTICATION_NOT_ALLOWED",
            f"required-authentication is {manifest.required_authentication}: private organizations may require level "
            "4 only; give 4, or leave it out.",
        )


def _too_many_documents(manifest: PortalManifest, wanted: Terms) -> Iterator[Refusal]:
    if len(manifest.documents) > 1 and SignatureType.ADVANCED_SIGNATURE in wanted.signature_types:
        yield Refusal(
            "SEVERAL_DOCUMENTS_NOT_ALLOWED",
            f"The job has {len(manifest.documents)} documents, and signer "
            f"{wanted.signature_types.index(SignatureType.ADVANCED_SIGNATURE) + 1} the signature-type "
            f"{SignatureType.ADVANCED_SIGNATURE}: with advanced signatures public organizations send 1 document a job. "
            f"Ask for {SignatureType.AUTHENTICATED_SIGNATURE}, or send a job for each document.",
        )


def _identity_shown(sector: Sector, manifest: PortalManifest, wanted: Terms) -> Iterator[Refusal]:
    """Whether the signed documents may name the signers as they are to."""
    asked = manifest.identifier_in_signed_documents
    if asked is None:
        return
    if sector is Sector.PRIVATE and asked is IdentifierInSignedDocuments.NAME:
        yield Refusal(
            "IDENTIFIER_IN_SIGNED_DOCUMENTS_NOT_ALLOWED",
            f"identifier-in-signed-documents is {asked}: private organizations may give {_NUMBER_AND_NAME} or "
            f"{IdentifierInSignedDocuments.DATE_OF_BIRTH_AND_NAME} only.",
        )
    for number, (signer, type_) in enumerate(zip(manifest.signers, wanted.signature_types, strict=True), 1):
        if asked is _NUMBER_AND_NAME and isinstance(signer.identifier, ContactInformation):
            yield Refusal(
                "IDENTITY_NUMBER_NOT_KNOWN",
                f"identifier-in-signed-documents is {asked}, but signer {number} is identified-by-contact-information: "
                "give another value, or the signer's personal-identification-number.",
            )
        if sector is Sector.PUBLIC and asked is not _NUMBER_AND_NAME and type_ is SignatureType.ADVANCED_SIGNATURE:
            yield Refusal(
                "IDENTIFIER_NOT_ALLOWED_WITH_ADVANCED_SIGNATURE",
                f"identifier-in-signed-documents is {asked}, and signer {number} has the signature-type {type_}: with "
                f"advanced signatures public organizations may give {_NUMBER_AND_NAME} only, or leave it out.",
            )


def _availability(manifest: PortalManifest) -> Iterator[Refusal]:
    activation = manifest.availability.activation_time if manifest.availability else None
    if activation is not None and activation.year >= YEAR_OF_NO_ACTIVATION:
        yield Refusal(
            "ACTIVATION_TIME_NOT_ALLOWED",
            f"activation-time is {activation.isoformat()}: give a time before the year {YEAR_OF_NO_ACTIVATION}.",
        )
    seconds = manifest.availability.available_seconds if manifest.availability else None
    most = LONGEST_AVAILABLE // timedelta(seconds=1)
    if seconds is not None and seconds > most:
        yield Refusal(
            "AVAILABLE_SECONDS_NOT_ALLOWED",
            f"available-seconds is {seconds}: a job can be available for at most {most} seconds.",
        )


def _lookup(sector: Sector, number: int, signer: Signer) -> Iterator[Refusal]:
    """Whether the contact register may be asked for this signer, if it is to be."""
    if not isinstance(signer.notifications, NotificationsUsingLookup):
        return
    if sector is Sector.PRIVATE:
        yield Refusal(
            "LOOKUP_NOT_ALLOWED",
            f"Signer {number} has notifications-using-lookup: only public organizations may have the contact register "
            "asked; give notifications with an e-mail address.",
        )
    elif signer.on_behalf_of is OnBehalfOf.OTHER:
        yield Refusal(
            "LOOKUP_NOT_ALLOWED_ON_BEHALF_OF_OTHER",
            f"Signer {number} has notifications-using-lookup and on-behalf-of OTHER: the contact register holds "
            "private addresses only; give notifications with an e-mail address, or on-behalf-of SELF.",
        )


def _mobile_number(number: int, signer: Signer) -> Iterator[Refusal]:
    contact = contact_of(signer)
    if contact and contact.sms and not is_mobile_number(contact.sms.number):
        yield Refusal(
            "MOBILE_NUMBER_NOT_USABLE",
            f"The mobile number of signer {number} has no digits: give one like 99999999, or leave sms out.",
        )
