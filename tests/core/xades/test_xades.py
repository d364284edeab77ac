"""A signer's signature: made, verified, accepted by others; and what is said when something about it is wrong."""

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from certificates import NOW, Authority, subject
from clients import DS, JAVA, XADES, signatures
from segl.core import xmldsig
from segl.core.certificates import TrustAnchors
from segl.core.errors import InvalidInput, InvalidSignature
from segl.core.evidence import read_evidence, write_evidence
from segl.core.keys import SigningKey
from segl.core.verification import DocumentState, SignatureReport, Verdict
from segl.core.xades import Evidence, SignedDocument, sign, verify
from segl.core.xmldsig import algorithms

ROOT = Authority.root()
SEAL = ROOT.intermediate().seal()
TRUST = ROOT.trust()
DOCUMENTS = {"kontrakt æ & 1.pdf": b"%PDF-1.4", "2.pdf": b"%PDF-1.5"}
EVIDENCE = Evidence(
    job_id=7,
    job_title="Avtale <1> & 2",
    signer_number=1,
    signer_name="Kari Nordmann",
    signer_identity="",
    signature_type="AUTHENTICATED_ELECTRONIC_SIGNATURE",
    method="TestID",
    provider="Segl",
    authentication_level=4,
    authenticated_at=datetime(2026, 11, 24, 11, 59, 30, 123456, tzinfo=UTC),
    agreed_at=NOW,
    agreement="Jeg har lest «Avtale»\r\nog signerer.",
    ip_address="127.0.0.1",
    user_agent="Mozilla/5.0\t(…)",
    login_reference="b5c9",
)


def _sign(key: SigningKey = SEAL, evidence: Evidence = EVIDENCE) -> bytes:
    documents = [SignedDocument(name, "application/pdf", sha256(each).digest()) for name, each in DOCUMENTS.items()]
    return sign(key=key, documents=documents, evidence=evidence, signing_time=NOW)


SIGNED = _sign()


def _verify(
    xml: bytes = SIGNED,
    documents: dict[str, bytes] | None = DOCUMENTS,
    *,
    trust: TrustAnchors = TRUST,
    at: datetime = NOW,
) -> SignatureReport:
    (report,) = verify(xml, trust=trust, documents=documents, at=at, name="xades-1.xml")
    return report


def _states(report: SignatureReport) -> dict[str, DocumentState]:
    return {each.name: each.state for each in report.documents}


def test_a_signature_passes_and_tells_who_signed_what_and_when() -> None:
    report = _verify()
    assert (report.verdict, report.intact, report.trusted, report.reasons) == (Verdict.PASSED, True, True, ())
    assert (report.kind, report.name, report.signer, report.signed_at) == ("XAdES", "xades-1.xml", "Kari Nordmann", NOW)
    assert report.evidence == EVIDENCE
    assert _states(report) == dict.fromkeys(DOCUMENTS, DocumentState.INTACT)
    assert report.certificate_subject == "CN=Segl,2.5.4.97=NTRNO-984661185,O=Segl"
    assert report.certificate_issuer == "CN=Test Issuer"


def test_a_report_can_be_written_as_json() -> None:
    report_ = json.loads(json.dumps(_verify().to_dict()))
    assert (report_["verdict"], report_["signed_at"]) == ("TOTAL-PASSED", "2026-11-24T12:00:00+00:00")
    assert report_["documents"][1] == {
        "name": "2.pdf",
        "state": "intact",
        "sha256": sha256(b"%PDF-1.5").hexdigest(),
        "given_as": "2.pdf",
    }
    assert report_["evidence"]["agreed_at"] == "2026-11-24T12:00:00+00:00"


def test_an_organizations_rsa_key_signs_too() -> None:
    assert _verify(_sign(ROOT.organization("123456789"))).verdict is Verdict.PASSED


def test_a_package_signature_is_verified_too_and_named_by_its_certificate() -> None:
    report = _verify(signatures(JAVA, DOCUMENTS, ROOT.organization("123456789", "Virksomhet AS")))
    assert (report.verdict, report.signer, report.evidence) == (Verdict.PASSED, "Virksomhet AS", None)


@pytest.mark.parametrize("number", [0, 1])
def test_a_changed_document_fails(number: int) -> None:
    name = list(DOCUMENTS)[number]
    report = _verify(documents={**DOCUMENTS, name: b"other"})
    assert (report.verdict, report.intact, report.trusted) == (Verdict.FAILED, False, True)
    assert report.reasons == (f"The document {name} is not the one that was signed.",)
    assert _states(report)[name] is DocumentState.CHANGED


def test_a_missing_document_leaves_it_open() -> None:
    report = _verify(documents={"2.pdf": DOCUMENTS["2.pdf"]})
    assert (report.verdict, report.intact) == (Verdict.INDETERMINATE, True)
    assert report.reasons == ("The document kontrakt æ & 1.pdf is signed, but it is not among the documents given.",)


def test_a_document_that_is_not_covered_leaves_it_open() -> None:
    report = _verify(documents={**DOCUMENTS, "3.pdf": b"%PDF"})
    assert (report.verdict, report.intact) == (Verdict.INDETERMINATE, True)
    assert report.reasons == ("The document 3.pdf was given, but this signature does not cover it.",)


def test_a_hundred_signatures_are_verified_and_no_more() -> None:
    signature = SIGNED[SIGNED.index(b"<ds:Signature") :]
    with pytest.raises(InvalidSignature, match="There are 101 signatures"):
        verify(b"<a>" + 101 * signature + b"</a>", trust=TRUST, documents=None, at=NOW)
    with pytest.raises(InvalidSignature, match="occurs more than once"):
        verify(b"<a>" + 100 * signature + b"</a>", trust=TRUST, documents=None, at=NOW)


def test_a_signature_over_no_document_leaves_it_open() -> None:
    report = _verify(sign(key=SEAL, documents=[], evidence=EVIDENCE, signing_time=NOW), documents=None)
    assert (report.verdict, report.reasons) == (Verdict.INDETERMINATE, ("The signature covers no document.",))


def test_a_renamed_document_is_found_by_its_content() -> None:
    report = _verify(documents={"a.pdf": DOCUMENTS["kontrakt æ & 1.pdf"], "2.pdf": DOCUMENTS["2.pdf"]})
    assert report.verdict is Verdict.PASSED
    assert report.documents[0].given_as == "a.pdf"


def test_without_documents_the_signature_over_their_digests_is_judged() -> None:
    report = _verify(documents=None)
    assert report.verdict is Verdict.PASSED
    assert _states(report) == dict.fromkeys(DOCUMENTS, DocumentState.NOT_GIVEN)


@pytest.mark.parametrize(
    ("trust", "at", "reason"),
    [
        (Authority.root("Somebody Else").trust(), NOW, "does not chain to a trust anchor"),
        (TRUST, NOW + timedelta(days=400), "expired 2027-11-24"),
        (TRUST, NOW - timedelta(days=400), "is not valid before"),
    ],
)
def test_a_signature_that_is_not_trusted_is_intact_but_left_open(
    trust: TrustAnchors, at: datetime, reason: str
) -> None:
    report = _verify(trust=trust, at=at)
    assert (report.verdict, report.intact, report.trusted) == (Verdict.INDETERMINATE, True, False)
    assert reason in report.reasons[0]
    assert (report.signer, report.evidence, report.claimed_evidence) == ("Segl", None, EVIDENCE)


def test_a_signature_by_a_certificate_for_logging_in_is_left_open() -> None:
    name = subject("Virksomhet", organization="Virksomhet AS")
    report = _verify(_sign(ROOT.issue(name, kind="P-256", content_commitment=False)))
    assert (report.verdict, report.intact, report.trusted) == (Verdict.INDETERMINATE, True, False)
    assert "is for authentication only" in report.reasons[0]


def test_a_signature_by_a_certificate_for_servers_is_left_open() -> None:
    key = ROOT.organization("123456789", extensions=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])])
    report = _verify(_sign(key))
    assert (report.verdict, report.intact, report.trusted) == (Verdict.INDETERMINATE, True, False)
    assert "its extended key usage has only 1.3.6.1.5.5.7.3.1." in report.reasons[0]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Kari Nordmann", b"Ola Nordmann", "Evidence was changed after signing."),
        (b"SigningTime>2026", b"SigningTime>2025", "SignedProperties was changed after signing."),
        (b'URI="2.pdf"', b'URI="3.pdf"', "The signature value does not match: what was signed was changed,"),
    ],
)
def test_of_a_changed_signature_nothing_is_believed(old: bytes, new: bytes, reason: str) -> None:
    report = _verify(SIGNED.replace(old, new))
    assert (report.verdict, report.intact) == (Verdict.FAILED, False)
    assert report.reasons[0].startswith(reason)
    assert (report.signer, report.signed_at, report.evidence) == ("Segl", None, None)


def _without_evidence_reference(xml: bytes) -> bytes:
    start, end = xml.index(b'<ds:Reference Id="ID_2"'), xml.index(b'<ds:Reference Id="ID_3"')
    return xml[:start] + xml[end:]


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda xml: b"no xml", "not well-formed"),
        (lambda xml: b"<a/>", "There are 0 signatures in the XML"),
        (lambda xml: bytes(10_000_001), "The XML is 10000001 bytes; at most 10000000"),
        (lambda xml: xml.replace(b'Id="Evidence"', b'Id="ID_0"'), "Id ID_0 occurs more than once"),
        (lambda xml: xml.replace(b"xml-exc-c14n#", b"xml-exc-c14n#WithComments"), "not accepted"),
        (lambda xml: xml.replace(b"<ds:Object Id", b"<ds:Other/><ds:Object Id"), "must consist of"),
    ],
)
def test_what_cannot_be_read_as_a_signature_is_refused(edit: Callable[[bytes], bytes], sentence: str) -> None:
    with pytest.raises(InvalidSignature, match=sentence):
        _verify(edit(SIGNED))


@pytest.mark.parametrize(
    ("of_properties", "of_evidence"),
    [
        (algorithms.OBJECT_TYPE, algorithms.OBJECT_TYPE),
        (algorithms.SIGNED_PROPERTIES_TYPE, algorithms.SIGNED_PROPERTIES_TYPE),
        (algorithms.OBJECT_TYPE, algorithms.SIGNED_PROPERTIES_TYPE),
    ],
    ids=["none", "two", "another"],
)
def test_exactly_one_reference_must_be_to_these_signed_properties(
    of_properties: str, of_evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(algorithms, "SIGNED_PROPERTIES_TYPE", of_properties)
    monkeypatch.setattr(algorithms, "OBJECT_TYPE", of_evidence)
    with pytest.raises(InvalidSignature, match="The signature does not sign its SignedProperties"):
        _verify(_sign())


def test_a_part_that_is_signed_twice_is_refused() -> None:
    """Only one of its digests would be compared."""
    signature, evidence = etree.Element(f"{{{DS}}}Signature"), write_evidence(EVIDENCE)
    profile = xmldsig.Profile(xmldsig.EXCLUSIVE, signing_certificate=2)
    xmldsig.sign(signature, key=SEAL, files=[], objects=[evidence, evidence], signing_time=NOW, profile=profile)
    with pytest.raises(InvalidSignature, match="Two references point to the same part"):
        _verify(etree.tostring(signature))


def test_evidence_that_is_not_signed_is_not_believed() -> None:
    report = _verify(_without_evidence_reference(SIGNED))
    assert (report.verdict, report.evidence) == (Verdict.FAILED, None)


@pytest.mark.parametrize(
    ("after", "added"),
    [
        (b"</ds:KeyInfo>", b"<ds:Object/>"),
        (b"</ds:KeyInfo>", b'<ds:Object Id="More"><evidence/></ds:Object>'),
        (b"</ds:Object>", b"<ds:Object>More</ds:Object>"),
        (b"</xades:QualifyingProperties>", b"<evidence/>"),
        (b"</xades:QualifyingProperties>", b"More"),
        (b"</xades:SignedProperties>", b"<evidence/>"),
        (b"</xades:SignedProperties>", b"More"),
    ],
)
def test_what_is_added_to_a_signature_and_not_signed_fails_it(after: bytes, added: bytes) -> None:
    report = _verify(SIGNED.replace(after, after + added, 1))
    assert (report.verdict, report.intact, report.evidence) == (Verdict.FAILED, False, None)
    assert report.reasons == ("The signature has something in an Object that no reference covers.",)


def test_unsigned_properties_may_be_added() -> None:
    added = b"</xades:SignedProperties><xades:UnsignedProperties><a/></xades:UnsignedProperties>\n<!-- space -->"
    assert _verify(SIGNED.replace(b"</xades:SignedProperties>", added)).verdict is Verdict.PASSED


def _written() -> str:
    return etree.tostring(write_evidence(EVIDENCE), encoding="unicode")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("evidence", "other", "it is not there"),
        ("job-id", "other", "job-id"),
        (">7<", ">seven<", "invalid literal"),
        ("+00:00", "", "has no offset"),
    ],
)
def test_evidence_that_cannot_be_read_is_refused_with_the_reason(old: str, new: str, reason: str) -> None:
    assert read_evidence(_written().encode()) == EVIDENCE
    with pytest.raises(InvalidSignature, match=f"The evidence in the signature cannot be read: .*{reason}"):
        read_evidence(_written().replace(old, new).encode())


def test_what_xml_cannot_carry_is_replaced_in_the_evidence() -> None:
    report = _verify(_sign(evidence=replace(EVIDENCE, user_agent="a\x00b\ud800")))
    assert report.evidence
    assert report.evidence.user_agent == "a\ufffdb\ufffd"


class _Authority:
    """Remembers the digest it was asked to stamp."""

    asked = b""

    def timestamp(self, digest: bytes) -> bytes:
        self.asked = digest
        return b"token"


def test_a_timestamp_is_taken_over_the_canonical_signature_value() -> None:
    authority = _Authority()
    documents = [SignedDocument(name, "application/pdf", sha256(each).digest()) for name, each in DOCUMENTS.items()]
    xml = sign(key=SEAL, documents=documents, evidence=EVIDENCE, signing_time=NOW, timestamp_authority=authority)
    root = etree.fromstring(xml)
    value = root.findtext(f"{{{DS}}}SignatureValue")
    by_hand = f'<ds:SignatureValue xmlns:ds="{DS}">{value}</ds:SignatureValue>'
    assert authority.asked == sha256(by_hand.encode()).digest()
    assert root.findtext(f".//{{{XADES}}}EncapsulatedTimeStamp") == b64encode(b"token").decode()
    assert _verify(xml).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("old", "new", "accepted"),
    [
        (b"", b"", True),
        (b"<ds:SignatureMethod", b"<?a b?><ds:SignatureMethod", False),
        (b"<xades:SigningTime>", b"<?a b?><xades:SigningTime>", False),
        (b"<ds:SignedInfo>", b'<ds:SignedInfo xml:lang="nb">', False),
        (b"<xades:SigningTime>", b'<xades:SigningTime xml:lang="nb">', False),
        (b"<ds:Signature ", b'<ds:Signature xml:lang="nb" ', True),  # nothing is inherited in exclusive form
        (b"<xades:SigningTime>", b"<xades:SigningTime><!-- a -->", True),
    ],
)
def test_xmlsec1_accepts_the_same_signatures(tmp_path: Path, old: bytes, new: bytes, accepted: bool) -> None:
    xml = SIGNED.replace(old, new, 1)
    try:
        report = _verify(xml)
    except InvalidSignature:
        assert not accepted
    else:
        assert report.intact is accepted
    if shutil.which("xmlsec1") is None:
        pytest.skip("xmlsec1 is not installed: apt-get install xmlsec1")
    for name, content in {**DOCUMENTS, "xades.xml": xml}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "root.pem").write_bytes(ROOT.key.certificate.public_bytes(Encoding.PEM))
    arguments = ["--trusted-pem", "root.pem", "--verification-gmt-time", f"{NOW:%F %T}"]
    arguments += ["--id-attr:Id", f"{XADES}:SignedProperties", "--id-attr:Id", f"{DS}:Object"]
    done = subprocess.run(
        ["xmlsec1", "--verify", *arguments, "xades.xml"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode == 0) is accepted, done.stderr.decode()


def test_the_signature_is_valid_by_the_schemas_of_its_namespaces(reference: Path) -> None:
    folder = reference / "schema" / "thirdparty"
    etree.XMLSchema(etree.parse(folder / "xmldsig-core-schema.xsd")).assertValid(etree.fromstring(SIGNED))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # negative ones, which are refused with the rest
@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_a_signature_with_a_changed_byte_is_refused_fails_or_means_the_same(position: int, byte: int) -> None:
    """The same only where the byte means nothing to the XML, such as the space between attributes."""
    changed = SIGNED[:position] + bytes([SIGNED[position] ^ byte]) + SIGNED[position + 1 :]
    try:
        report = _verify(changed)
    except InvalidInput:
        return
    assert report.verdict is not Verdict.PASSED or report == _verify()


def test_equal_documents_stand_for_one_reference_each() -> None:
    twins = [SignedDocument(name, "application/pdf", sha256(b"same").digest()) for name in ("a.pdf", "b.pdf")]
    xml = sign(key=SEAL, documents=twins, evidence=EVIDENCE, signing_time=NOW)
    report = _verify(xml, {"x.pdf": b"same", "y.pdf": b"same"})
    assert report.verdict is Verdict.PASSED
    assert [each.given_as for each in report.documents] == ["x.pdf", "y.pdf"]


def test_what_has_no_canonical_form_is_refused() -> None:
    xml = _sign().replace(b"<ds:Signature ", b'<ds:Signature xmlns:q="relative" ', 1)
    with pytest.raises(InvalidSignature, match="no canonical form"):
        _verify(xml)
