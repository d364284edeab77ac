"""What the sender's sector lets it ask for (functional documentation, Senders and Identity shown)."""

from segl.core.protocol import (
    AuthenticationLevel,
    ContactInformation,
    IdentifierInSignedDocuments,
    NotificationsUsingLookup,
    OnBehalfOf,
    PortalManifest,
    SignatureType,
    Signer,
)
from segl.service.jobs.errors import NotAllowedError
from segl.service.store.models import Sector

_NUMBER_AND_NAME = IdentifierInSignedDocuments.PERSONAL_IDENTIFICATION_NUMBER_AND_NAME


def signature_types(sector: Sector, manifest: PortalManifest) -> tuple[SignatureType, ...]:
    """Each signer's type of signature, in their order, by the table of defaults.

    Raises:
        NotAllowedError: The sector may not have the type that is asked for, or not of several documents.
    """
    types = tuple(_signature_type(sector, number, signer) for number, signer in enumerate(manifest.signers, 1))
    if sector == Sector.PUBLIC and len(manifest.documents) > 1 and SignatureType.ADVANCED_SIGNATURE in types:
        raise NotAllowedError(
            "SEVERAL_DOCUMENTS_NOT_ALLOWED",
            f"The job has {len(manifest.documents)} documents, and signer "
            f"{types.index(SignatureType.ADVANCED_SIGNATURE) + 1} the signature-type "
            f"{SignatureType.ADVANCED_SIGNATURE}: with advanced signatures public organizations send 1 document a job. "
            f"Ask for {SignatureType.AUTHENTICATED_SIGNATURE}, or send a job for each document.",
        )
    return types


def authentication_level(sector: Sector, manifest: PortalManifest) -> AuthenticationLevel:
    """The level of the log-in by the table of defaults.

    Raises:
        NotAllowedError: The sector may not have the level that is asked for.
    """
    level = manifest.required_authentication or AuthenticationLevel.FOUR
    if sector == Sector.PRIVATE and level is not AuthenticationLevel.FOUR:
        raise NotAllowedError(
            "REQUIRED_AUTHENTICATION_NOT_ALLOWED",
            f"required-authentication is {level}: private organizations may require level 4 only; give 4, or leave "
            "it out.",
        )
    return level


def check_lookup(sector: Sector, number: int, signer: Signer) -> None:
    """Make sure that the contact register may be asked for this signer, if it is to be.

    Raises:
        NotAllowedError: It may not.
    """
    if not isinstance(signer.notifications, NotificationsUsingLookup):
        return
    if sector == Sector.PRIVATE:
        raise NotAllowedError(
            "LOOKUP_NOT_ALLOWED",
            f"Signer {number} has notifications-using-lookup: only public organizations may have the contact register "
            "asked; give notifications with an e-mail address.",
        )
    if signer.on_behalf_of is OnBehalfOf.OTHER:
        raise NotAllowedError(
            "LOOKUP_NOT_ALLOWED_ON_BEHALF_OF_OTHER",
            f"Signer {number} has notifications-using-lookup and on-behalf-of OTHER: the contact register holds "
            "private addresses only; give notifications with an e-mail address, or on-behalf-of SELF.",
        )


def check_identity_shown(sector: Sector, manifest: PortalManifest, types: tuple[SignatureType, ...]) -> None:
    """Make sure that the signed documents may name the signers as they are to.

    Raises:
        NotAllowedError: They may not.
    """
    asked = manifest.identifier_in_signed_documents
    if asked is None:
        return
    if sector == Sector.PRIVATE and asked is IdentifierInSignedDocuments.NAME:
        raise NotAllowedError(
            "IDENTIFIER_IN_SIGNED_DOCUMENTS_NOT_ALLOWED",
            f"identifier-in-signed-documents is {asked}: private organizations may give {_NUMBER_AND_NAME} or "
            f"{IdentifierInSignedDocuments.DATE_OF_BIRTH_AND_NAME} only.",
        )
    for number, (signer, type_) in enumerate(zip(manifest.signers, types, strict=True), 1):
        if asked is _NUMBER_AND_NAME and isinstance(signer.identifier, ContactInformation):
            raise NotAllowedError(
                "IDENTITY_NUMBER_NOT_KNOWN",
                f"identifier-in-signed-documents is {asked}, but signer {number} is identified-by-contact-information: "
                "give another value, or the signer's personal-identification-number.",
            )
        if sector == Sector.PUBLIC and asked is not _NUMBER_AND_NAME and type_ is SignatureType.ADVANCED_SIGNATURE:
            raise NotAllowedError(
                "IDENTIFIER_NOT_ALLOWED_WITH_ADVANCED_SIGNATURE",
                f"identifier-in-signed-documents is {asked}, and signer {number} has the signature-type {type_}: with "
                f"advanced signatures public organizations may give {_NUMBER_AND_NAME} only, or leave it out.",
            )


def _signature_type(sector: Sector, number: int, signer: Signer) -> SignatureType:
    if sector == Sector.PUBLIC:
        return signer.signature_type or SignatureType.AUTHENTICATED_SIGNATURE
    if signer.signature_type is SignatureType.AUTHENTICATED_SIGNATURE:
        raise NotAllowedError(
            "SIGNATURE_TYPE_NOT_ALLOWED",
            f"Signer {number} has the signature-type {signer.signature_type}: private organizations may ask for "
            f"{SignatureType.ADVANCED_SIGNATURE} only; give that, or leave it out.",
        )
    return SignatureType.ADVANCED_SIGNATURE
