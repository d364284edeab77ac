"""How packages and create requests are explained: good ones are described, broken ones with each rule they break."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

import tls_service
from certificates import NOW, Authority, subject
from clients import DOTNET, JAVA, Shape, package, signatures, zipped
from segl.core.errors import InvalidDocument, InvalidInput, InvalidMessage
from segl.core.keys import PrivateKey
from segl.core.protocol import (
    AuthenticationLevel,
    Availability,
    Email,
    ManifestDocument,
    Notifications,
    PersonalIdentificationNumber,
    PortalJobRequest,
    PortalManifest,
    SignatureType,
    Signer,
)
from segl.core.sector import Sector
from segl.diagnosis.explaining import CHECKS, Explanation, Surroundings, explain
from segl.diagnosis.findings import Finding, State
from segl.sdk import (
    ClientCertificate,
    ContactInformation,
    Document,
    FileType,
    Job,
    Sender,
)
from segl.sdk.portal.operations import PortalOperations

ROOT = Authority.root()
ISSUER = ROOT.intermediate()
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
KEY = ISSUER.organization("123456789")
PDF = b"%PDF-1.7 the contract"
DOCUMENTS = {"contract.pdf": PDF, "terms.txt": "Vilkår".encode()}
MANIFEST = PortalManifest(
    signers=(
        Signer(PersonalIdentificationNumber("01017012345"), Notifications(Email("kari@example.com")), order=1),
        Signer(ContactInformation(email=Email("ola@example.com"))),
    ),
    sender="123456789",
    title="Contract",
    documents=(
        ManifestDocument("Contract", "contract.pdf", "application/pdf"),
        ManifestDocument("Terms", "terms.txt", "text/plain"),
    ),
)
XML = MANIFEST.to_xml()


def packed(
    manifest: bytes = XML,
    documents: Mapping[str, bytes] = DOCUMENTS,
    key: PrivateKey = KEY,
    shape: Shape = JAVA,
) -> bytes:
    return package(shape, {**documents, "manifest.xml": manifest}, key)


def damaged(changes: Mapping[str, bytes | None] | None = None, edit: Callable[[str], str] = str) -> bytes:
    """The good package with files replaced, added or (None) left out, and its signature edited, after it was signed."""
    files = {**DOCUMENTS, "manifest.xml": XML}
    signed = edit(signatures(JAVA, files, KEY).decode()).encode()
    changed = {**files, "META-INF/signatures.xml": signed, **(changes or {})}
    return zipped({name: content for name, content in changed.items() if content is not None})


def body(package: bytes, request: bytes = PortalJobRequest("Ref 7", "queue").to_xml()) -> bytes:
    return (
        b"--b0\r\nContent-Type: application/xml\r\n\r\n" + request + b"\r\n--b0\r\n"
        b"Content-Type: application/octet-stream\r\n\r\n" + package + b"\r\n--b0--\r\n"
    )


def head(sender: str = "123456789", *more: str) -> bytes:
    lines = [
        f"POST /api/{sender}/portal/signature-jobs HTTP/1.1",
        "Host: localhost",
        "Content-Type: multipart/mixed; boundary=b0",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chunked(content: bytes) -> bytes:
    pieces = [content[at : at + 1000] for at in range(0, len(content), 1000)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def one_page(name: str, media_type: str, content: memoryview) -> int:
    return 1


def explained(data: bytes) -> Explanation:
    return explain(data, Surroundings(ROOT.trust(), NOW, count_pages=one_page))


def faults(explanation: Explanation) -> list[Finding]:
    return [each for each in explanation.findings if each.state is State.FAULT]


GOOD = {
    "package": packed(),
    "package of .NET": package(DOTNET, {**DOCUMENTS, "manifest.xml": XML}, replace(KEY, chain=())),
    "body": body(packed()),
    "body with its head": head() + body(packed()),
    "body with its headers": b"Content-Type: multipart/mixed; boundary=b0\n\n" + body(packed()),
    "chunked body with its head": head("123456789", "Transfer-Encoding: chunked") + chunked(body(packed())),
    "body that was chunked": head("123456789", "Transfer-Encoding: chunked") + body(packed()),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good_is_described(name: str) -> None:
    trust = ROOT.trust()._replace(intermediates=(ISSUER.key.certificate,))
    found = explain(GOOD[name], Surroundings(trust, NOW, count_pages=one_page))

    request = "package" not in name
    assert [each.check for each in found.findings] == [*CHECKS][0 if request else 1 :]
    assert {each.state for each in found.findings} == {State.OK}, found.findings
    assert found.to_dict() == {
        "reference": "Ref 7" if request else None,
        "polling_queue": "queue" if request else None,
        "title": "Contract",
        "sender": "123456789",
        "signers": [
            {
                "identity_number": "010170*****",
                "email": "kari@example.com",
                "sms": None,
                "order": 1,
                "signature_type": None,
            },
            {"identity_number": None, "email": "ola@example.com", "sms": None, "order": None, "signature_type": None},
        ],
        "documents": [
            {"name": "contract.pdf", "size": len(PDF), "title": "Contract", "media_type": "application/pdf"},
            {"name": "terms.txt", "size": 7, "title": "Terms", "media_type": "text/plain"},
        ],
        "signed_by": {"name": "Virksomhet AS", "organization_number": "123456789"},
        "signed_at": NOW.isoformat(),
    }


def test_a_number_in_the_common_name_alone_is_a_warning() -> None:
    [finding] = [
        each
        for each in explained(packed(key=ISSUER.issue(subject("VIRKSOMHET AS 123456789")))).findings
        if each.check == "certificate"
    ]
    assert finding.state is State.WARNING
    assert "organization number 123456789" in finding.sentence
    assert "neither in organizationIdentifier (NTRNO- and 9 digits) nor in serialNumber" in finding.sentence


def test_what_the_sdk_sends_is_good() -> None:
    sent: list[bytes] = []
    present = tls_service.Authority("Present Root").organization("123456789")
    key = ClientCertificate(present.certificate, present.chain, present.key)
    calls = PortalOperations(
        "https://localhost/api", key, Sender("123456789"), see_package=lambda _, package: sent.append(package)
    )
    request = next(calls.create(Job(Document("Contract", None, FileType.PDF, PDF), list(MANIFEST.signers))))

    now = datetime.now(UTC)
    body = b"".join(request.content)  # type: ignore[union-attr]
    assert faults(explain(sent[0], Surroundings(at=now))) == faults(explain(body, Surroundings(at=now))) == []


def manifest(**unlike: object) -> bytes:
    """A package with another manifest."""
    return packed(replace(MANIFEST, **unlike).to_xml())  # type: ignore[arg-type]  # given by name in each test


def rewritten(old: str, new: str) -> bytes:
    """A package whose manifest was edited, against any rules, before it was signed."""
    text = XML.decode()
    assert old in text
    return packed(text.replace(old, new, 1).encode())


def twice(text: str) -> str:
    start, end = text.index("<Signature "), text.index("</Signature>") + len("</Signature>")
    return text[:end] + text[start:end] + text[end:]


def issued(
    not_after: datetime = NOW + timedelta(days=1), *, number: str = "123456789", sign: bool = True
) -> PrivateKey:
    name = subject("Virksomhet", organization_identifier=f"NTRNO-{number}")
    return ISSUER.issue(name, not_after=not_after, digital_signature=sign, content_commitment=sign)


EXCLUSIVE_1_1 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
LARGE = {"contract.pdf": PDF + Random(7).randbytes(10_485_760), "terms.txt": b"x"}
# What is broken; which checks find it, and how the first says so.
FAULTS: dict[str, tuple[bytes, str, str]] = {
    "body cut off": (body(packed())[:-9], "request", "ends before its closing boundary: send all of it"),
    "not multipart/mixed": (
        head().replace(b"multipart/mixed", b"multipart/form-data") + body(packed()),
        "request",
        "send multipart/mixed with a boundary",
    ),
    "parts swapped": (
        body(packed()).replace(b"application/xml", b"application/octet-stream", 1),
        "request",
        "needs two parts, application/xml and then application/octet-stream",
    ),
    "reference too long": (
        body(packed(), PortalJobRequest("x").to_xml().replace(b">x<", b">" + 51 * b"x" + b"<")),
        "request",
        "reference is 51 characters .*; at most 50",
    ),
    "not a request": (body(packed(), b"<order/>"), "request", "root element is order; it must be"),
    "ZIP cut off": (packed()[:-30], "archive", "is not a ZIP file as it must be: it has no end record"),
    "unpacks to too much": (zipped({"x": bytes(13_000_000)}), "archive", "unpacks to 13000000 bytes; at most"),
    "unsafe name": (zipped({"../x": b""}), "archive", "unsafe name '../x'"),
    "no manifest": (damaged({"manifest.xml": None}), "archive, files", "has no manifest.xml; add it"),
    "no signature": (damaged({"META-INF/signatures.xml": None}), "archive", "has no META-INF/signatures.xml; add it"),
    "mimetype of another": (damaged({"mimetype": b"application/zip"}), "archive", "file mimetype must say"),
    "two signatures": (damaged(edit=twice), "signature", "exactly one Signature"),
    "wrong canonicalization": (
        packed(shape=replace(JAVA, canonicalization=EXCLUSIVE_1_1)),
        "signature",
        "CanonicalizationMethod is .*WithComments', which is not accepted; use one of",
    ),
    "SHA-1": (
        packed(shape=replace(JAVA, signature_method="http://www.w3.org/2000/09/xmldsig#rsa-sha1")),
        "signature",
        "SignatureMethod is .*rsa-sha1', which is not accepted",
    ),
    "signed properties changed": (
        damaged(edit=lambda text: text.replace("T12:00:00", "T12:00:01")),
        "signature",
        "SignedProperties was changed after signing",
    ),
    "signature of another key": (
        damaged(edit=lambda text: text.replace("<SignatureValue>", "<SignatureValue>AAAA")),
        "signature",
        "The signature value does not match",
    ),
    "wrong digest": (damaged({"contract.pdf": b"%PDF-"}), "files", "The file contract.pdf was changed after"),
    "unsigned file": (
        damaged({"extra.pdf": PDF}),
        "files, documents",
        "The file extra.pdf is not signed; sign",
    ),
    "missing file": (
        damaged({"terms.txt": None}),
        "files, documents",
        "refers to 'terms.txt', which is not a separate file",
    ),
    "missing files": (
        damaged(dict.fromkeys(DOCUMENTS)),
        "files, files, documents",
        "refers to 'contract.pdf', which is not a separate file",
    ),
    "signed too early": (
        packed(shape=replace(JAVA, signing_time=NOW - timedelta(seconds=6))),
        "signing-time",
        "more than 5 seconds from .*, the time it arrived; correct the clock",
    ),
    "certificate expired": (packed(key=issued(NOW - timedelta(days=1))), "certificate", "expired 2026-11-23"),
    "no organization": (packed(key=issued(number="12")), "certificate", "has no organization number: sign with an org"),
    "not for signing": (packed(key=issued(sign=False)), "certificate", "its key usage allows no signatures"),
    "for servers": (
        packed(key=ISSUER.organization("123456789", extensions=[x509.ExtendedKeyUsage([SERVER_AUTH])])),
        "certificate",
        "not for clients: its extended key usage lacks clientAuth, it has serverAuth; use an organization certificate",
    ),
    "chain from elsewhere": (
        packed(key=Authority.root("Somebody Else").organization("123456789")),
        "chain",
        "does not chain to a trust anchor",
    ),
    "manifest not XML": (packed(b"x"), "manifest", "The XML is not well-formed"),
    "direct flow": (
        packed(XML.replace(b"portal-", b"direct-")),
        "manifest",
        "root element is .*direct-signature-job-manifest; it must be .*portal",
    ),
    "unknown attribute": (rewritten("<sender>", '<sender x="">'), "manifest", "has an attribute it may not have: x"),
    "title too long": (rewritten("<title>Contract<", f"<title>{81 * 'x'}<"), "manifest", "title is 81 characters"),
    "identity number too long": (
        rewritten("01017012345", "010170123456"),
        "manifest",
        "must be exactly 11 digits; the value given is not",
    ),
    "identity number in the wrong place": (
        rewritten("<signers>", "<signers>01017012345"),
        "manifest",
        r"signers has text of its own, '01017012345'; it may not",
    ),
    "nobody notified": (
        rewritten('<notifications><email address="kari@example.com"/></notifications>', "<notifications/>"),
        "manifest",
        "neither email nor sms",
    ),
    "unknown element": (
        rewritten("<sender>", "<from/><sender>"),
        "manifest",
        "sender is missing; there is from instead",
    ),
    "document not in the package": (
        manifest(documents=(*MANIFEST.documents, ManifestDocument("More", "more.pdf", "application/pdf"))),
        "documents",
        "missing from the package: more.pdf; missing from the manifest: none",
    ),
    "document not in the manifest": (manifest(documents=MANIFEST.documents[:1]), "documents", "manifest: terms.txt"),
    "not a PDF": (packed(documents={**DOCUMENTS, "contract.pdf": b"PK"}), "documents", "contract.pdf: .* not a PDF"),
    "not UTF-8": (packed(documents={**DOCUMENTS, "terms.txt": b"\xff"}), "documents", "terms.txt: .* UTF-8 at byte 0"),
    "text of control characters": (
        packed(documents={**DOCUMENTS, "terms.txt": b"a\x1b[31mb"}),
        "documents",
        "terms.txt: The text has the character U.001B, which cannot be shown: remove it, or send a PDF",
    ),
    "text too long": (
        packed(documents={**DOCUMENTS, "terms.txt": 1_000_001 * b"x"}),
        "documents",
        "terms.txt: The text has 1000001 characters; at most 1000000",
    ),
    "text of too many lines": (
        packed(documents={**DOCUMENTS, "terms.txt": 108_001 * b"\n"}),
        "documents",
        "terms.txt: The text has 108001 lines, 54 on a page; at most 2000 pages",
    ),
    "no e-mail address": (
        rewritten("kari@example.com", "nobody"),
        "terms",
        "address of signer 1 cannot receive mail: give one like name@example.com",
    ),
    "e-mail address of nobody": (rewritten("ola@example.com", "@example.com"), "terms", "of signer 2 cannot receive"),
    "e-mail address nowhere": (rewritten("ola@example.com", "ola@ "), "terms", "of signer 2 cannot receive mail"),
    "other media type": (
        manifest(documents=(ManifestDocument("A", "contract.pdf", "image/png"), MANIFEST.documents[1])),
        "documents",
        "has the media type 'image/png': send application/pdf or text/plain",
    ),
    "too large": (packed(documents=LARGE), "documents", "have 10485782 bytes together: at most"),
    "another's sender": (
        head("987654321") + body(packed()),
        "sender",
        "manifest names 123456789 as sender, the URL 987654321: they must be the same",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_its_check(name: str) -> None:
    data, checks, sentence = FAULTS[name]

    found = faults(explained(data))

    assert ", ".join(each.check for each in found) == checks, found
    assert re.search(sentence, found[0].sentence), found[0].sentence


def test_each_of_many_faults_is_found() -> None:
    old = ISSUER.issue(subject("Nobody"), not_after=NOW - timedelta(days=9))
    broken = XML.replace(b"01017012345", b"1").replace(b"<title>Contract<", b"<title><", 1).replace(b"terms", b"other")
    files = {"contract.pdf": b"no", "terms.txt": b"\xff", "manifest.xml": broken}
    signed = signatures(replace(JAVA, signing_time=NOW + timedelta(hours=1)), {**files, "terms.txt": b"x"}, old)
    data = zipped({**files, "extra.pdf": PDF, "META-INF/signatures.xml": signed})

    around = Surroundings(Authority.root("Else").trust(), NOW)
    found = faults(explain(head("987654321") + body(data, b"<order/>"), around))

    assert [each.check for each in found] == [
        "request",
        "files",
        "files",
        "signing-time",
        "certificate",
        "certificate",
        "chain",
        "manifest",
        "manifest",
        "documents",
        "documents",
        "sender",
    ]


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {
                "<required-authentication>4": "<required-authentication>5",
                "<title>Contract<": f"<title>{81 * 'x'}<",
                ">123456789<": ">12<",
            },
            [
                "required-authentication is '5'; it must be one of 3, 4.",
                "sender organization-number must be exactly 9 digits; '12' is not.",
                f"title is 81 characters ('{40 * 'x'}'…); at most 80 are accepted.",
            ],
        ),
        (
            {"<notifications>": "<signature-type>FOO</signature-type><notifications>", "01017012346": "1"},
            [
                f"signature-type is 'FOO'; it must be one of {', '.join(SignatureType)}.",
                "personal-identification-number must be exactly 11 digits; the value given is not.",
            ],
        ),
        (
            {'order="1"': 'order="first"', 'order="2"': 'order="10"'}
            | {">2026-12-01T00:00:00+00:00<": ">tomorrow<", ">60<": ">a minute<"},
            [
                "signer order is 'first'; it must be a whole number.",
                "signer order is 10; it must be from 0 to 9.",
                "activation-time 'tomorrow' is not a date-time such as 2026-01-31T12:00:00+01:00.",
                "available-seconds is 'a minute'; it must be a whole number.",
            ],
        ),
    ],
)
def test_each_value_that_cannot_be_read_is_reported(changes: dict[str, str], sentences: list[str]) -> None:
    """The service refuses the first, in the same words."""
    xml = replace(
        MANIFEST,
        signers=(
            MANIFEST.signers[0],
            Signer(PersonalIdentificationNumber("01017012346"), Notifications(Email("ola@example.com")), order=2),
        ),
        required_authentication=AuthenticationLevel.FOUR,
        availability=Availability(datetime(2026, 12, 1, tzinfo=UTC), 60),
    ).to_xml()
    for old, new in changes.items():
        assert old.encode() in xml
        xml = xml.replace(old.encode(), new.encode(), 1)

    found = [each.sentence for each in explained(packed(xml)).findings if each.check == "manifest"]

    assert found == sentences
    with pytest.raises(InvalidMessage) as refused:
        PortalManifest.from_xml(xml)
    assert str(refused.value) in sentences


def test_what_depends_on_a_fault_is_skipped_and_all_else_is_checked() -> None:
    found = {each.check: each.state for each in explained(damaged({"contract.pdf": b"no"}, edit=twice)).findings}

    assert {each for each, state in found.items() if state is State.SKIPPED} == {
        "files",
        "signing-time",
        "certificate",
        "chain",
    }
    assert {each for each, state in found.items() if state is State.FAULT} == {"signature", "documents"}


def test_without_a_time_and_trust_anchors_neither_signing_time_nor_chain_is_checked() -> None:
    """The certificate is then checked as of the signing."""
    found = {each.check: each for each in explain(packed(key=issued(NOW + timedelta(seconds=1)))).findings}

    assert {each for each, one in found.items() if one.state is State.SKIPPED} == {"signing-time", "chain", "pages"}
    assert found["signing-time"].sentence.startswith(f"It was signed at {NOW.isoformat(timespec='seconds')}")
    assert "give the time of arrival with --at" in found["signing-time"].sentence
    assert found["chain"].sentence == "Not checked: no trust anchors were given."
    assert found["certificate"].state is State.OK


def test_what_one_sector_may_not_ask_for_is_a_fault_for_it_and_a_warning_without_a_sector() -> None:
    data = manifest(required_authentication=AuthenticationLevel.THREE, availability=Availability(None, 90 * 86400 + 1))

    def terms(sector: Sector | None) -> list[tuple[State, str]]:
        found = explain(data, Surroundings(sector=sector)).findings
        return [(each.state, each.sentence.split()[0]) for each in found if each.check == "terms"]

    found = {sector: terms(sector) for sector in (None, *Sector)}
    level, days = "required-authentication", "available-seconds"
    assert found == {
        None: [(State.FAULT, days), (State.WARNING, level)],
        Sector.PUBLIC: [(State.FAULT, days)],
        Sector.PRIVATE: [(State.FAULT, level), (State.FAULT, days)],
    }


def test_pages_are_counted_by_the_function_given() -> None:
    def count(name: str, media_type: str, content: memoryview) -> int:
        assert (name, media_type) in {("contract.pdf", "application/pdf"), ("terms.txt", "text/plain")}
        assert bytes(content) == DOCUMENTS[name]
        if name == "contract.pdf":
            raise InvalidDocument(f"{name}: It is protected by a password.")
        return 2001

    found = [each for each in explain(packed(), Surroundings(count_pages=count)).findings if each.check == "pages"]
    assert found == [
        Finding("pages", State.FAULT, "contract.pdf: It is protected by a password."),
        Finding("pages", State.FAULT, "The documents have 2001 pages together: at most 2000 can be signed."),
    ]


def test_a_title_that_may_not_be_printable_is_a_warning() -> None:
    around = Surroundings(count_pages=lambda *_: 1, missing=lambda title: "U+0043" * (title == "Contract"))
    found = [each for each in explain(packed(), around).findings if each.check == "pages"]
    assert [each.state for each in found] == [State.OK, State.WARNING]
    assert found[1].sentence == "The title 'Contract' has U+0043, which no font here has: the service may refuse it."


def test_a_broker_is_reported() -> None:
    [*_, sender, _terms] = explained(packed(key=ISSUER.organization("987654321"))).findings

    assert (sender.check, sender.state) == ("sender", State.WARNING)
    assert sender.sentence == "987654321 signed for 123456789, which must have authorized it as its broker."


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7",
        b"<manifest/>",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        KEY.certificate.public_bytes(Encoding.PEM),
    ],
)
def test_what_is_neither_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"neither a document package .* nor a create request"):
        explain(data)
