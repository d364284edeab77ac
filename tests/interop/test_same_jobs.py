"""The same job through the official Java client and through our SDK: what arrives means the same.

Both send it to a sandbox, which accepts it, through a relay that keeps it. What may differ is set aside: the defaults
that Java writes (order 0, an availability without content), how a moment is spelled, and the files' names, which are
the clients' own: a document's content stands for its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import unquote_plus
from xml.etree.ElementTree import canonicalize
from zipfile import ZipFile

import pytest
from lxml import etree

import pdfs
from java_client import JavaClient, JavaProgram
from recording_relay import RecordedRequest, Relay, recording_relay
from running_sandbox import ROOT, Sandbox
from segl.core.asice import open_package
from segl.core.certificates import TrustAnchors
from segl.sdk import (
    AuthenticationLevel,
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    FileType,
    IdentifierInSignedDocuments,
    Job,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PersonalIdentificationNumber,
    PollingQueue,
    PortalClient,
    Sender,
    SignatureType,
    Signer,
    Sms,
)

SENDER = "123456789"
NAMES = {
    "m": "http://signering.posten.no/schema/v1",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xades": "http://uri.etsi.org/01903/v1.3.2#",
}
CONTRACT = (ROOT / "demo" / "contract.pdf").read_bytes()
NUMBER, EMAIL, MOBILE = "01017012345", "kari@example.com", "99999999"
KARI = {"personal_identification_number": NUMBER, "email": EMAIL}


def by_number(**more: Any) -> Signer:
    return Signer(PersonalIdentificationNumber(NUMBER), Notifications(Email(EMAIL)), **more)


def by_contact(**contact: Any) -> Signer:
    return Signer(ContactInformation(**contact))


@dataclass(frozen=True)
class Case:
    """A use case in the words of the Java program, and in those of our SDK; a plain job except for the values given."""

    java_signers: list[dict[str, Any]] = field(default_factory=lambda: [KARI])
    our_signers: list[Signer] = field(default_factory=lambda: [by_number()])
    java: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)

    def java_job(self) -> dict[str, Any]:
        return {"title": "Contract", "documents": [{"title": "Contract", "content": CONTRACT}], **self.java}

    def our_job(self) -> Job:
        document = Document("Contract", None, FileType.PDF, CONTRACT)
        return Job(**{"document": document, "signers": self.our_signers, **self.ours})


def signer(java: dict[str, Any], ours: Signer) -> Case:
    return Case([java], [ours])


BEGIN = datetime.now(UTC).replace(microsecond=123000) + timedelta(days=1)
LONG = "Les <nøye> & signér.\n\nHilsen Kari"
TERMS, SECOND = "Vær snille med hverandre.\n".encode(), pdfs.pdf("Second")
CASES = {
    "identity number with e-mail": Case(),
    "identity number with SMS": signer(
        {"personal_identification_number": NUMBER, "mobile_number": MOBILE},
        Signer(PersonalIdentificationNumber(NUMBER), Notifications(sms=Sms(MOBILE))),
    ),
    "identity number with e-mail and SMS": signer(
        {**KARI, "mobile_number": MOBILE},
        Signer(PersonalIdentificationNumber(NUMBER), Notifications(Email(EMAIL), Sms(MOBILE))),
    ),
    "lookup of the e-mail address": signer(
        {"personal_identification_number": NUMBER, "lookup": "EMAIL_ONLY"},
        Signer(PersonalIdentificationNumber(NUMBER), NotificationsUsingLookup()),
    ),
    "lookup of e-mail address and mobile number": signer(
        {"personal_identification_number": NUMBER, "lookup": "EMAIL_AND_SMS"},
        Signer(PersonalIdentificationNumber(NUMBER), NotificationsUsingLookup(sms=True)),
    ),
    "contact information, e-mail": signer({"email": EMAIL}, by_contact(email=Email(EMAIL))),
    "contact information, SMS": signer({"mobile_number": MOBILE}, by_contact(sms=Sms(MOBILE))),
    "contact information, e-mail and SMS": signer(
        {"email": EMAIL, "mobile_number": MOBILE}, by_contact(email=Email(EMAIL), sms=Sms(MOBILE))
    ),
    **{
        f"signature type {each.name}": signer({**KARI, "signature_type": each.name}, by_number(signature_type=each))
        for each in SignatureType
    },
    **{
        f"on behalf of {each.name}": signer({**KARI, "on_behalf_of": each.name}, by_number(on_behalf_of=each))
        for each in OnBehalfOf
    },
    "order": Case(
        [{**KARI, "order": 2}, {"email": EMAIL, "order": 1}, {"mobile_number": MOBILE}],
        [
            by_number(order=2),
            Signer(ContactInformation(email=Email(EMAIL)), order=1),
            Signer(ContactInformation(sms=Sms(MOBILE)), order=0),
        ],
    ),
    **{
        f"authentication level {each.name}": Case(
            java={"required_authentication": each.name}, ours={"authentication_level": each}
        )
        for each in AuthenticationLevel
    },
    "several documents": Case(
        java={
            "title": "Tre dokumenter",
            "documents": [
                {"title": "Avtale på blå resept", "content": CONTRACT},
                {"title": "Vilkår: 1/2", "content": TERMS, "type": "TXT"},
                {"title": "Avtale på blå resept", "content": SECOND, "type": "PDF"},
            ],
        },
        ours={
            "title": "Tre dokumenter",
            "document": [
                Document("Avtale på blå resept", None, FileType.PDF, CONTRACT),
                Document("Vilkår: 1/2", None, FileType.TXT, TERMS),
                Document("Avtale på blå resept", None, FileType.PDF, SECOND),
            ],
        },
    ),
    "description": Case(java={"description": LONG}, ours={"description": LONG}),
    "a description as the document's message": Case(
        java={"description": "This is the content"},
        ours={"document": Document("Contract", "This is the content", FileType.PDF, CONTRACT)},
    ),
    "non-sensitive title": Case(java={"nonsensitive_title": "Et brev"}, ours={"non_sensitive_title": "Et brev"}),
    "activation": Case(java={"activation_time": BEGIN.isoformat()}, ours={"activation_time": BEGIN}),
    "availability": Case(java={"available_seconds": 3600}, ours={"available": timedelta(hours=1)}),
    "activation and availability": Case(
        java={"activation_time": BEGIN.isoformat(), "available_seconds": 14 * 86400},
        ours={"activation_time": BEGIN, "available": timedelta(days=14)},
    ),
    **{
        f"identifier in signed documents {each.name}": Case(
            java={"identifier_in_signed_documents": each.name}, ours={"identifier_in_signed_documents": each}
        )
        for each in IdentifierInSignedDocuments
    },
    "reference": Case(java={"reference": "myReferenceToJob Æ&<"}, ours={"reference": "myReferenceToJob Æ&<"}),
    "queue": Case(
        java={"sender": {"organization_number": SENDER, "polling_queue": "CustomPollingQueue"}},
        ours={"sender": Sender(SENDER, PollingQueue("CustomPollingQueue"))},
    ),
}


@pytest.fixture(scope="module")
def relay(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with recording_relay(sandbox, SENDER, tmp_path_factory.mktemp("relay")) as running:
        yield running


@pytest.fixture(scope="module")
def java_client(java: JavaProgram, relay: Relay) -> JavaClient:
    return JavaClient(java, relay.sandbox, SENDER)


@pytest.fixture(scope="module")
def our_client(relay: Relay) -> Iterator[PortalClient]:
    with PortalClient(ClientConfiguration.sandbox(relay.sandbox.ready_file, SENDER)) as client:
        yield client


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_both_clients_send_the_same_job(
    case: Case, java_client: JavaClient, our_client: PortalClient, relay: Relay
) -> None:
    java_client.create(case.java_signers, **case.java_job())
    java = Meaning.of(relay.last(), relay)

    our_client.create(case.our_job())
    ours = Meaning.of(relay.last(), relay)

    assert ours.message == java.message
    assert ours.manifest == java.manifest
    assert ours.documents == java.documents


@dataclass(frozen=True)
class Meaning:
    """A create request but for what may differ: message and manifest as canonical XML, and the signed files.

    `documents` are the SHA-256 of each document with the media type that the package's signature gives it, in order.
    """

    message: str
    manifest: str
    documents: list[tuple[str, str]]

    @classmethod
    def of(cls, request: RecordedRequest, relay: Relay) -> "Meaning":
        package = open_package(
            request.package,
            trust=TrustAnchors.from_pem(relay.anchors.read_bytes()),
            now=datetime.now(UTC),
            tolerance=timedelta(seconds=30),
            expected_signer=None,
        )
        digests = {name: sha256(content).hexdigest() for name, content in package.documents.items()}
        types = signed_media_types(request.package)
        return cls(
            canonical(etree.fromstring(request.message)),
            canonical(without_defaults(etree.fromstring(bytes(package.manifest)), digests)),
            [(digests[name], types[name]) for name in package.documents],
        )


def without_defaults(manifest: etree._Element, digests: dict[str, str]) -> etree._Element:
    for each in manifest.iterfind(".//m:signer[@order='0']", NAMES):
        del each.attrib["order"]
    for each in manifest.findall("m:availability", NAMES):
        if len(each) == 0:
            manifest.remove(each)
    for each in manifest.iterfind(".//m:activation-time", NAMES):
        each.text = datetime.fromisoformat(each.text or "").astimezone(UTC).isoformat()
    for each in manifest.iterfind(".//m:document", NAMES):
        each.set("href", digests[each.attrib["href"]])
    return manifest


def canonical(element: etree._Element) -> str:
    return canonicalize(etree.tostring(element, encoding="unicode"), rewrite_prefixes=True)


def signed_media_types(package: bytes) -> dict[str, str]:
    """The media type that the signature gives each file, by the file's name."""
    with ZipFile(BytesIO(package)) as archive:
        signature = etree.fromstring(archive.read("META-INF/signatures.xml"))
    names = {
        each.attrib["Id"]: unquote_plus(each.attrib["URI"])
        for each in signature.iterfind(".//ds:Reference[@Id]", NAMES)
    }
    return {
        names[each.attrib["ObjectReference"].removeprefix("#")]: each.findtext("xades:MimeType", "", NAMES)
        for each in signature.iterfind(".//xades:DataObjectFormat", NAMES)
    }
