"""The manifest of a portal job: what is to be signed, by whom and until when."""

from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Self

from lxml import etree

from segl.core.errors import InvalidLookup, InvalidMessage
from segl.core.protocol import _rules
from segl.core.protocol._message import Message, Reader, add, add_optional
from segl.core.protocol.common import check_sender, read_sender, write_sender
from segl.core.protocol.documents import ManifestDocument, check_documents, read_documents, write_documents
from segl.core.protocol.values import (
    AuthenticationLevel,
    ContactInformation,
    IdentifierInSignedDocuments,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PersonalIdentificationNumber,
    SignatureType,
    read_contact,
    write_contact,
)
from segl.core.xml import format_date_time

LONGEST_AVAILABLE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who is to sign, how they are notified, and in which order (0 to 9: lower signs first, equal in parallel).

    One identified by `ContactInformation` is notified there and has no notifications; all others must have them.
    """

    identifier: PersonalIdentificationNumber | ContactInformation
    notifications: Notifications | NotificationsUsingLookup | None = None
    _: KW_ONLY
    signature_type: SignatureType | None = None
    on_behalf_of: OnBehalfOf | None = None
    order: int | None = None

    def __post_init__(self) -> None:
        _check_kinds(self)
        by_contact = isinstance(self.identifier, ContactInformation)
        if by_contact and self.notifications is not None:
            raise InvalidMessage(
                "A signer identified by contact information is notified there; leave notifications out."
            )
        if not by_contact and self.notifications is None:
            raise InvalidMessage("A signer with an identity number needs notifications or notifications-using-lookup.")
        _rules.between("signer order", self.order, 0, 9)


def _check_kinds(signer: Signer) -> None:
    """A plain string must not become an identity of either kind: what it is decides who may sign."""
    _rules.kind(
        "signer identifier",
        signer.identifier,
        (PersonalIdentificationNumber, ContactInformation),
        write='PersonalIdentificationNumber("…") or ContactInformation(Email("…"))',
        secret=True,
    )
    _rules.kind(
        "signer notifications",
        signer.notifications,
        (Notifications, NotificationsUsingLookup),
        write='Notifications(Email("…")) or NotificationsUsingLookup()',
        optional=True,
    )
    for name, value, words in (
        ("signature-type", signer.signature_type, SignatureType),
        ("on-behalf-of", signer.on_behalf_of, OnBehalfOf),
    ):
        _rules.kind(name, value, words, write=f"{words.__name__}.{next(iter(words)).name}", optional=True)


@dataclass(frozen=True, slots=True)
class Availability:
    """From when a job can be signed (None: at once), and for how many seconds (None: as the service says)."""

    activation_time: datetime | None = None
    available_seconds: int | None = None

    def __post_init__(self) -> None:
        _rules.aware("activation-time", self.activation_time)
        _rules.between("available-seconds", self.available_seconds, 0, _rules.LONG - 1)


@dataclass(frozen=True, slots=True)
class PortalManifest(Message):
    """What is to be signed by whom: `manifest.xml` in the package. `sender` is an organization number.

    The deprecated form with one document is read too, and written in the present form.
    """

    tag: ClassVar[str] = "portal-signature-job-manifest"

    signers: tuple[Signer, ...]
    sender: str
    title: str
    documents: tuple[ManifestDocument, ...]
    nonsensitive_title: str | None = None
    description: str | None = None
    required_authentication: AuthenticationLevel | None = None
    availability: Availability | None = None
    identifier_in_signed_documents: IdentifierInSignedDocuments | None = None

    def __post_init__(self) -> None:
        _rules.count("signers", len(self.signers), 1, 10)
        check_sender(self.sender)
        _rules.text("title", self.title, least=1, most=80)
        _rules.text("nonsensitive-title", self.nonsensitive_title, least=1, most=80)
        _rules.text("description", self.description, most=220)
        check_documents(self.documents)

    def _write(self, root: etree._Element) -> None:
        signers = add(root, "signers")
        for signer in self.signers:
            _write_signer(signers, signer)
        write_sender(root, self.sender)
        add(root, "title", self.title)
        add_optional(root, "nonsensitive-title", self.nonsensitive_title)
        add_optional(root, "description", self.description)
        write_documents(root, self.documents)
        add_optional(root, "required-authentication", self.required_authentication)
        _write_availability(root, self.availability)
        add_optional(root, "identifier-in-signed-documents", self.identifier_in_signed_documents)

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        with reader.child("signers") as element:
            signers = tuple(_read_signer(*each) for each in enumerate(element.each("signer"), 1))
        sender = read_sender(reader)
        if legacy := reader.optional("document"):
            texts, documents = _read_legacy_document(legacy)
        else:
            texts = _read_texts(reader)
            documents = read_documents(reader)
        title, nonsensitive_title, description = texts
        return cls(
            signers,
            sender,
            title,
            documents,
            nonsensitive_title,
            description,
            reader.optional_word_of("required-authentication", AuthenticationLevel),
            _read_availability(reader.optional("availability")),
            reader.optional_word_of("identifier-in-signed-documents", IdentifierInSignedDocuments),
        )


def _write_signer(signers: etree._Element, signer: Signer) -> None:
    element = add(signers, "signer", **({} if signer.order is None else {"order": str(signer.order)}))
    if isinstance(signer.identifier, PersonalIdentificationNumber):
        add(element, "personal-identification-number", signer.identifier.value)
    else:
        add(element, "identified-by-contact-information")
    add_optional(element, "signature-type", signer.signature_type)
    if isinstance(signer.notifications, NotificationsUsingLookup):
        lookup = add(element, "notifications-using-lookup")
        add(lookup, "email")
        if signer.notifications.sms:
            add(lookup, "sms")
    elif isinstance(signer.identifier, ContactInformation):
        write_contact(add(element, "notifications"), signer.identifier)
    elif signer.notifications:
        write_contact(add(element, "notifications"), signer.notifications)
    add_optional(element, "on-behalf-of", signer.on_behalf_of)


def _read_signer(number: int, reader: Reader) -> Signer:
    with reader:
        order = reader.optional_attribute("order")
        who = reader.child("personal-identification-number", "identified-by-contact-information")
        signature_type = reader.optional_word_of("signature-type", SignatureType)
        how = reader.child("notifications", "notifications-using-lookup")
        on_behalf_of = reader.optional_word_of("on-behalf-of", OnBehalfOf)
    return Signer(
        *_read_addressing(number, who, how),
        signature_type=signature_type,
        on_behalf_of=on_behalf_of,
        order=_rules.integer("signer order", order) if order is not None else None,
    )


def _read_addressing(
    signer: int, who: Reader, how: Reader
) -> tuple[PersonalIdentificationNumber | ContactInformation, Notifications | NotificationsUsingLookup | None]:
    if who.name == "personal-identification-number":
        number = PersonalIdentificationNumber(who.text())
        return number, (Notifications(*read_contact(how)) if how.name == "notifications" else _read_lookup(how))
    who.end()
    if how.name == "notifications-using-lookup":
        raise InvalidLookup(
            f"Signer {signer} is identified-by-contact-information and has notifications-using-lookup: the contact "
            "register is asked by identity number; give notifications with email or sms, or the signer's "
            "personal-identification-number."
        )
    return ContactInformation(*read_contact(how)), None


def _read_lookup(reader: Reader) -> NotificationsUsingLookup:
    with reader:
        reader.child("email").end()
        sms = reader.optional("sms")
        if sms:
            sms.end()
        return NotificationsUsingLookup(sms=sms is not None)


def _read_texts(reader: Reader) -> tuple[str, str | None, str | None]:
    return (
        reader.text_of("title"),
        reader.optional_text_of("nonsensitive-title"),
        reader.optional_text_of("description"),
    )


def _read_legacy_document(
    reader: Reader,
) -> tuple[tuple[str, str | None, str | None], tuple[ManifestDocument, ...]]:
    with reader:
        href, media_type = reader.attribute("href"), reader.attribute("mime")
        texts = _read_texts(reader)
        return texts, (ManifestDocument(texts[0], href, media_type),)


def _write_availability(root: etree._Element, availability: Availability | None) -> None:
    if availability is None:
        return
    element = add(root, "availability")
    if availability.activation_time is not None:
        add(element, "activation-time", format_date_time(availability.activation_time))
    add_optional(element, "available-seconds", availability.available_seconds)


def _read_availability(reader: Reader | None) -> Availability | None:
    if reader is None:
        return None
    with reader:
        activation = reader.optional_text_of("activation-time")
        seconds = reader.optional_text_of("available-seconds")
    return Availability(
        _rules.date_time("activation-time", activation) if activation is not None else None,
        _rules.integer("available-seconds", seconds) if seconds is not None else None,
    )
