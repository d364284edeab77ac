"""The seal and its verification: what was sealed stays as it was, or it shows."""

import asyncio
import hashlib
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from asn1crypto import cms, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

import pdfs
from certificates import NOW, Authority, subject
from segl.core import xades
from segl.core.certificates import TrustAnchors
from segl.core.errors import InvalidSignature
from segl.core.evidence import Evidence
from segl.core.keys import PrivateKey, RevocationValues
from segl.core.pades import Attachment, FrontPage, assemble, seal, sealing, verify
from segl.core.verification import DocumentState, SignatureReport, Verdict

CONTRACT = pdfs.pdf("The contract")
FrontPages = Callable[..., FrontPage]


@pytest.fixture(scope="session")
def sealed(seal_key: PrivateKey) -> bytes:
    return seal(pdfs.pdf("Signed"), key=seal_key, sealed_at=NOW)


@pytest.fixture
def signed_and_sealed(front_page: FrontPages, seal_key: PrivateKey) -> bytes:
    """The whole result of a job with one signer."""
    signature = Attachment("signatur-1.xml", "application/xml", "Signatur av Kari Nordmann", signature_by(seal_key))
    pdf = assemble(documents=[CONTRACT], front_page=front_page(1), attachments=[signature])
    return seal(pdf, key=seal_key, sealed_at=NOW)


def signature_by(key: PrivateKey, *, job_id: int = 1, content: bytes = CONTRACT) -> bytes:
    evidence = Evidence(
        job_id=job_id,
        job_title="Leieavtale",
        signer_number=1,
        signer_name="Kari Nordmann",
        signer_identity="01018012345",
        signature_type="AUTHENTICATED_ELECTRONIC_SIGNATURE",
        method="TestID",
        provider="http://127.0.0.1/eid",
        authentication_level=4,
        authenticated_at=NOW,
        agreed_at=NOW,
        agreement="Jeg signerer dokumentet.",
        ip_address="127.0.0.1",
        user_agent="Browser",
        login_reference="42",
    )
    document = xades.SignedDocument("contract.pdf", "application/pdf", hashlib.sha256(content).digest())
    return xades.sign(key=key, documents=[document], evidence=evidence, signing_time=NOW)


def appended(sealed: bytes, text: str = "And one million more") -> bytes:
    """The file with an incremental update that writes on the first page."""
    writer = IncrementalPdfFileWriter(BytesIO(sealed))
    content = writer.add_object(StreamObject(stream_data=f"BT /F 14 Tf 20 20 Td ({text}) Tj ET".encode()))
    writer.add_stream_to_page(0, content)
    changed = BytesIO()
    writer.write(changed)
    return changed.getvalue()


def hidden(sealed: bytes) -> bytes:
    """The file with an update that readers which look for the last line find, and those that look for lines do not."""
    update = appended(sealed)[len(sealed) :]
    new = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*$", update)
    old = re.findall(rb"startxref\s+(\d+)\s+%%EOF", sealed)[-1]
    assert new
    return sealed + update[: new.start()] + b"startxref\n" + old + b"\n%%EOF\nstartxref " + new[1] + b" %%EOF"


def report_of(pdf: bytes, trust: TrustAnchors, **changes: object) -> SignatureReport:
    (report,) = verify(pdf, **{"trust": trust, "documents": None, "at": NOW} | changes)  # type: ignore[arg-type]
    return report


def test_a_seal_passes_and_says_who_sealed_when(sealed: bytes, authority: Authority) -> None:
    report = report_of(sealed, authority.trust())
    assert (report.verdict, report.intact, report.trusted, report.reasons) == (Verdict.PASSED, True, True, ())
    assert (report.kind, report.name, report.signer, report.signed_at) == ("PAdES", "Seal", "Nordvik segl", NOW)


def test_a_seal_is_a_pades_certification_that_allows_no_changes_and_keeps_the_version(sealed: bytes) -> None:
    reader = PdfFileReader(BytesIO(sealed))
    (signature,) = reader.embedded_regular_signatures
    assert signature.docmdp_level == MDPPerm.NO_CHANGES
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert signature.md_algorithm == "sha256"
    attributes = {each["type"].native for each in signature.signer_info["signed_attrs"]}
    assert {"signing_certificate_v2", "message_digest", "content_type"} <= attributes
    assert "signing_time" not in attributes
    assert len(signature.other_embedded_certs) == 2
    assert reader.input_version == (1, 7)
    assert list(reader.root["/Extensions"]) == ["/ESIC"]


def test_an_rsa_seal_passes_too(authority: Authority) -> None:
    organization = authority.organization("984661185", "Nordvik")
    rsa_sealed = seal(pdfs.pdf("Signed"), key=organization, sealed_at=NOW)
    assert report_of(rsa_sealed, authority.trust()).verdict == Verdict.PASSED


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5])
def test_a_changed_byte_fails_the_seal(
    front_page: FrontPages, seal_key: PrivateKey, authority: Authority, part: float
) -> None:
    pdf = assemble(documents=[CONTRACT], front_page=front_page(1), attachments=[])
    whole = bytearray(seal(pdf, key=seal_key, sealed_at=NOW))
    whole[int(len(pdf) * part)] ^= 1
    try:
        report = report_of(bytes(whole), authority.trust())
    except InvalidSignature:
        return  # so changed that it cannot even be read
    assert (report.verdict, report.intact, report.signed_at) == (Verdict.FAILED, False, None)
    assert "The sealed part of the file has been changed." in report.reasons


def test_a_page_written_on_after_sealing_fails_the_seal(sealed: bytes, authority: Authority) -> None:
    report = report_of(appended(sealed), authority.trust())
    assert (report.verdict, report.intact) == (Verdict.FAILED, False)
    assert re.fullmatch(
        r"The file was changed after it was sealed: object \d+ was added or changed\.", report.reasons[0]
    )


def test_an_update_hidden_from_some_readers_fails_the_seal(sealed: bytes, authority: Authority) -> None:
    assert report_of(hidden(sealed), authority.trust()).verdict == Verdict.FAILED


def test_a_key_for_logging_in_cannot_seal(authority: Authority) -> None:
    key = authority.issue(subject("Virksomhet AS", organization="Virksomhet AS"), content_commitment=False)
    report = report_of(seal(pdfs.pdf("Signed"), key=key, sealed_at=NOW), authority.trust())
    assert (report.verdict, report.intact, report.trusted) == (Verdict.INDETERMINATE, True, False)
    assert "lacks nonRepudiation" in report.reasons[0]


def test_a_key_for_timestamps_cannot_seal(authority: Authority) -> None:
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    key = authority.organization("984661185", "Time", [uses])
    report = report_of(seal(pdfs.pdf("Signed"), key=key, sealed_at=NOW), authority.trust())
    assert (report.verdict, report.intact, report.trusted) == (Verdict.INDETERMINATE, True, False)


@pytest.mark.parametrize("name", ["Someone Else AS", "Nordvik segl"])
def test_a_genuine_signature_under_another_organizations_seal_is_doubted(
    front_page: FrontPages, seal_key: PrivateKey, authority: Authority, name: str
) -> None:
    attached = Attachment("xades-1.xml", "application/xml", "", signature_by(seal_key))
    pdf = assemble(documents=[CONTRACT], front_page=front_page(1), attachments=[attached])
    by_another = seal(pdf, key=authority.organization("999999999", name), sealed_at=NOW)
    given = {"contract.pdf": CONTRACT}
    whole, person = verify(by_another, trust=authority.trust(), documents=given, at=NOW)
    assert (whole.verdict, person.verdict) == (Verdict.PASSED, Verdict.INDETERMINATE)
    assert person.reasons == (
        f"It is vouched for by Nordvik segl (NTRNO-984661185), not by {name} (NTRNO-999999999), who sealed the file.",
    )


def test_a_signature_from_before_the_organization_changed_its_name_passes(
    front_page: FrontPages, seal_key: PrivateKey, authority: Authority
) -> None:
    attached = Attachment("xades-1.xml", "application/xml", "", signature_by(seal_key))
    pdf = assemble(documents=[CONTRACT], front_page=front_page(1), attachments=[attached])
    renamed = seal(pdf, key=authority.organization("984661185", "Nordvik og Sørvik"), sealed_at=NOW)
    reports = verify(renamed, trust=authority.trust(), documents=None, at=NOW)
    assert [each.verdict for each in reports] == [Verdict.PASSED, Verdict.PASSED]


@pytest.mark.parametrize(
    ("of_the_second", "reason"),
    [({"job_id": 2}, "different jobs"), ({"content": b"another"}, "do not cover the same documents")],
)
def test_signatures_that_do_not_belong_together_are_doubted(
    front_page: FrontPages, seal_key: PrivateKey, authority: Authority, of_the_second: dict[str, Any], reason: str
) -> None:
    attachments = [
        Attachment("xades-1.xml", "application/xml", "", signature_by(seal_key)),
        Attachment("xades-2.xml", "application/xml", "", signature_by(seal_key, **of_the_second)),
    ]
    pdf = assemble(documents=[CONTRACT], front_page=front_page(1), attachments=attachments)
    reports = verify(seal(pdf, key=seal_key, sealed_at=NOW), trust=authority.trust(), documents=None, at=NOW)
    assert [each.verdict for each in reports] == [Verdict.PASSED, Verdict.INDETERMINATE, Verdict.INDETERMINATE]
    assert reason in reports[1].reasons[0]


def test_a_title_changed_after_sealing_fails_the_seal(sealed: bytes, authority: Authority) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(sealed))
    writer.set_info(generic.DictionaryObject({generic.NameObject("/Title"): generic.TextStringObject("Another")}))
    changed = BytesIO()
    writer.write(changed)
    report = report_of(changed.getvalue(), authority.trust())
    assert report.reasons == ("The file was changed after it was sealed: the trailer has another /Info.",)


@pytest.mark.parametrize("more", [b"\n", b"% more", b"\nstartxref\n9\n%%EOF\n"])
def test_bytes_added_after_sealing_fail_the_seal(sealed: bytes, authority: Authority, more: bytes) -> None:
    try:
        report = report_of(sealed + more, authority.trust())
    except InvalidSignature:
        return  # so changed that it cannot even be read
    assert report.verdict == Verdict.FAILED


def test_a_seal_by_someone_unknown_is_indeterminate(sealed: bytes) -> None:
    report = report_of(sealed, Authority.root("Another Root").trust())
    assert (report.verdict, report.intact, report.trusted) == (Verdict.INDETERMINATE, True, False)
    assert "does not chain to a trust anchor" in report.reasons[0]


def test_a_seal_whose_certificate_has_expired_is_indeterminate(sealed: bytes, authority: Authority) -> None:
    report = report_of(sealed, authority.trust(), at=NOW + timedelta(days=366))
    assert report.verdict == Verdict.INDETERMINATE
    assert "expired" in report.reasons[0]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "cannot be read as a signed PDF"),
        (b"hello", "cannot be read as a signed PDF"),
        (b"%PDF-1.7\n%%EOF", "cannot be read as a signed PDF"),
        (CONTRACT, "is not signed"),
        (pdfs.encrypted(user="secret", owner="secret"), "is not signed"),
    ],
)
def test_a_file_without_a_readable_signature_is_refused(file: bytes, message: str, authority: Authority) -> None:
    with pytest.raises(InvalidSignature, match=message):
        report_of(file, authority.trust())


def test_each_attached_signature_is_verified_with_the_documents(signed_and_sealed: bytes, authority: Authority) -> None:
    given = {"contract.pdf": CONTRACT}
    whole, person = verify(signed_and_sealed, trust=authority.trust(), documents=given, at=NOW)
    assert (whole.kind, whole.verdict) == ("PAdES", Verdict.PASSED)
    assert (person.kind, person.name, person.verdict) == ("XAdES", "signatur-1.xml", Verdict.PASSED)
    assert person.signer == "Kari Nordmann"
    assert [each.state for each in person.documents] == [DocumentState.INTACT]


def test_a_document_that_is_not_the_signed_one_fails_its_signature_alone(
    signed_and_sealed: bytes, authority: Authority
) -> None:
    given = {"contract.pdf": pdfs.pdf("Another contract")}
    whole, person = verify(signed_and_sealed, trust=authority.trust(), documents=given, at=NOW)
    assert (whole.verdict, person.verdict) == (Verdict.PASSED, Verdict.FAILED)


def test_an_attachment_that_is_no_signature_fails(
    front_page: FrontPages, seal_key: PrivateKey, authority: Authority
) -> None:
    wrong = Attachment("signatur-1.xml", "application/xml", "", b"<invoice/>")
    pdf = assemble(documents=[CONTRACT], front_page=front_page(1), attachments=[wrong])
    whole, attached = verify(seal(pdf, key=seal_key, sealed_at=NOW), trust=authority.trust(), documents=None, at=NOW)
    assert whole.verdict == Verdict.PASSED
    assert (attached.verdict, attached.name) == (Verdict.FAILED, "signatur-1.xml")
    assert (attached.intact, attached.trusted, len(attached.reasons)) == (False, False, 1)


def test_an_attached_signature_that_was_changed_fails_alone(
    front_page: FrontPages, seal_key: PrivateKey, authority: Authority
) -> None:
    changed = signature_by(seal_key).replace(b"Kari", b"Mari")
    pdf = assemble(
        documents=[CONTRACT],
        front_page=front_page(1),
        attachments=[
            Attachment("signatur-1.xml", "application/xml", "", changed),
            Attachment("signatur-2.xml", "application/xml", "", signature_by(seal_key)),
        ],
    )
    reports = verify(seal(pdf, key=seal_key, sealed_at=NOW), trust=authority.trust(), documents=None, at=NOW)
    assert [each.verdict for each in reports] == [Verdict.PASSED, Verdict.FAILED, Verdict.PASSED]


@pytest.mark.parametrize(("name", "media_type"), [("signatur", "application/xml"), ("signatur.XML", "text/plain")])
def test_an_attached_signature_is_found_by_name_or_type(
    front_page: FrontPages, seal_key: PrivateKey, authority: Authority, name: str, media_type: str
) -> None:
    attached = Attachment(name, media_type, "", signature_by(seal_key))
    pdf = assemble(documents=[CONTRACT], front_page=front_page(1), attachments=[attached])
    reports = verify(seal(pdf, key=seal_key, sealed_at=NOW), trust=authority.trust(), documents=None, at=NOW)
    assert [each.name for each in reports] == ["Seal", name]


def test_a_seal_of_another_kind_fails(sealed: bytes, authority: Authority) -> None:
    report = report_of(sealed.replace(b"/ETSI.CAdES.detached", b"/ETSI.RFC3161       "), authority.trust())
    assert report.verdict == Verdict.FAILED
    assert report.reasons[0].startswith("The seal is of the kind /ETSI.RFC3161")


def test_a_seal_with_a_digest_that_protects_nothing_fails(
    seal_key: PrivateKey, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "DIGEST", "sha1")
    report = report_of(seal(CONTRACT, key=seal_key, sealed_at=NOW), authority.trust())
    assert report.verdict == Verdict.FAILED
    assert report.reasons[0] == "The seal uses the digest algorithm sha1, which protects nothing any more."


def test_a_seal_that_names_another_certificate_is_refused(
    sealed: bytes, seal_key: PrivateKey, authority: Authority
) -> None:
    named = hashlib.sha256(seal_key.certificate.public_bytes(Encoding.DER)).hexdigest().upper().encode()
    assert named in sealed
    with pytest.raises(InvalidSignature, match="Signing certificate attribute does not match"):
        report_of(sealed.replace(named, named[::-1]), authority.trust())


def test_a_seal_over_another_type_of_content_fails(sealed: bytes, authority: Authority) -> None:
    content_type, data, digested = b"06092A864886F70D010903310B", b"06092A864886F70D010701", b"06092A864886F70D010705"
    assert content_type + data in sealed
    report = report_of(sealed.replace(content_type + data, content_type + digested), authority.trust())
    assert (report.verdict, report.signed_at) == (Verdict.FAILED, None)
    assert report.reasons[0].startswith("The seal is malformed: Content type digested_data did not match")


@dataclass
class KeyElsewhere:
    """Signs with the given digest and attributes."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    sign: Callable[[bytes], bytes]


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), hashes.SHA512()], ids=["SHA-384", "SHA-512"])
def test_a_seal_with_a_longer_digest_passes(
    seal_key: PrivateKey, authority: Authority, monkeypatch: pytest.MonkeyPatch, algorithm: hashes.HashAlgorithm
) -> None:
    monkeypatch.setattr(sealing, "DIGEST", algorithm.name)
    elliptic = seal_key.key
    assert isinstance(elliptic, ec.EllipticCurvePrivateKey)
    key = KeyElsewhere(seal_key.certificate, seal_key.chain, lambda data: elliptic.sign(data, ec.ECDSA(algorithm)))
    assert report_of(seal(CONTRACT, key=key, sealed_at=NOW), authority.trust()).verdict == Verdict.PASSED


def test_a_seal_made_with_another_key_than_its_certificates_fails(seal_key: PrivateKey, authority: Authority) -> None:
    impostor = KeyElsewhere(seal_key.certificate, seal_key.chain, authority.seal("Impostor").sign)
    report = report_of(seal(CONTRACT, key=impostor, sealed_at=NOW), authority.trust())
    assert (report.verdict, report.signed_at) == (Verdict.FAILED, None)
    assert report.reasons == ("The seal was not made with the key of its certificate.",)


def nested(pdf: bytes, depth: int, times: int = 1) -> bytes:
    """The PDF with its list of attached files so many levels down, so many times at each level."""
    with pikepdf.open(BytesIO(pdf)) as document:
        names = document.Root.Names
        for _ in range(depth):
            kids = [document.make_indirect(names.EmbeddedFiles)] * times
            names.EmbeddedFiles = document.make_indirect(pikepdf.Dictionary(Kids=kids))
        changed = BytesIO()
        document.save(changed)
        return changed.getvalue()


def test_attached_signatures_are_found_levels_down_and_once_each(
    front_page: FrontPages, seal_key: PrivateKey, authority: Authority
) -> None:
    attached = Attachment("signatur-1.xml", "application/xml", "", signature_by(seal_key))
    pdf = assemble(documents=[CONTRACT], front_page=front_page(1), attachments=[attached])
    sealed = seal(nested(pdf, 9, times=2), key=seal_key, sealed_at=NOW)
    found = verify(sealed, trust=authority.trust(), documents=None, at=NOW)
    assert [each.kind for each in found] == ["PAdES", "XAdES"]
    endless = seal(nested(pdf, 60, times=2), key=seal_key, sealed_at=NOW)
    with pytest.raises(InvalidSignature, match="more than 100000 fields or parts of the list of attached files"):
        verify(endless, trust=authority.trust(), documents=None, at=NOW)


class Stamps:
    """A timestamp authority in this process."""

    def __init__(self, key: PrivateKey) -> None:
        certificate = asn1_x509.Certificate.load(key.certificate.public_bytes(Encoding.DER))
        private = keys.PrivateKeyInfo.load(key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        self.stamper = DummyTimeStamper(certificate, private, fixed_dt=NOW)
        self.digests: list[bytes] = []

    def timestamp(self, digest: bytes) -> bytes:
        self.digests.append(digest)
        with ThreadPoolExecutor() as elsewhere:
            answer = elsewhere.submit(asyncio.run, self.stamper.async_timestamp(digest, "sha256")).result()
        return bytes(answer.dump())


def test_a_timestamp_over_the_signature_is_embedded_when_an_authority_is_given(
    seal_key: PrivateKey, authority: Authority
) -> None:
    stamps = Stamps(authority.organization("984661185", "Time"))
    sealed = seal(pdfs.pdf("Signed"), key=seal_key, sealed_at=NOW, timestamp_authority=stamps)
    (signature,) = PdfFileReader(BytesIO(sealed)).embedded_regular_signatures
    assert stamps.digests == [hashlib.sha256(signature.signer_info["signature"].native).digest()]
    assert [each["type"].native for each in signature.signer_info["unsigned_attrs"]] == ["signature_time_stamp_token"]
    assert report_of(sealed, authority.trust()).verdict == Verdict.PASSED


class Revocation:
    """Revocation data of which no seal needs much: one empty CRL by the issuer."""

    def __init__(self, issuer: PrivateKey) -> None:
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
        crl = builder.last_update(NOW).next_update(NOW + timedelta(days=1)).sign(issuer.key, hashes.SHA256())
        self.values = RevocationValues(crls=(crl.public_bytes(Encoding.DER),))

    def for_chain(self, chain: Sequence[x509.Certificate]) -> RevocationValues:
        assert len(chain) == 3
        return self.values


def test_revocation_data_is_stored_beside_the_seal_and_is_no_forbidden_change(
    seal_key: PrivateKey, authority: Authority
) -> None:
    revocation = Revocation(authority.key)
    sealed = seal(pdfs.pdf("Signed"), key=seal_key, sealed_at=NOW, revocation=revocation)
    store = DocumentSecurityStore.read_dss(PdfFileReader(BytesIO(sealed)))
    assert [each.get_object().data for each in store.crls] == list(revocation.values.crls)
    assert len(store.certs) == 3
    assert report_of(sealed, authority.trust()).verdict == Verdict.PASSED


def test_validation_data_is_added_without_touching_what_was_sealed(seal_key: PrivateKey, authority: Authority) -> None:
    """Not even the time of the last change: it differs from the sealed one when a second ends in between."""
    stored = seal(pdfs.pdf("Signed"), key=seal_key, sealed_at=NOW, revocation=Revocation(authority.key))
    added = stored[stored.index(b"%%EOF", stored.index(b"/ByteRange")) :]
    assert b"/DSS" in added
    assert b"/ModDate" not in added
    assert b"/Producer" not in added


def test_an_update_hidden_behind_a_permitted_one_fails_the_seal(seal_key: PrivateKey, authority: Authority) -> None:
    stored = seal(pdfs.pdf("Signed"), key=seal_key, sealed_at=NOW, revocation=Revocation(authority.key))
    assert report_of(stored, authority.trust()).verdict == Verdict.PASSED
    assert report_of(hidden(stored), authority.trust()).verdict == Verdict.FAILED


@pytest.mark.skipif(shutil.which("pdfsig") is None, reason="pdfsig (poppler-utils) is not installed")
def test_pdfsig_finds_the_seal_valid_over_the_whole_document(signed_and_sealed: bytes, tmp_path: Path) -> None:
    file = tmp_path / "signed.pdf"
    file.write_bytes(signed_and_sealed)
    found = subprocess.run(["pdfsig", "-nocert", str(file)], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid." in found
    assert "Total document signed" in found
    assert "Signature Type: ETSI.CAdES.detached" in found


def test_a_seal_that_covers_none_of_the_documents_given_is_doubted(sealed: bytes, authority: Authority) -> None:
    (report,) = verify(sealed, trust=authority.trust(), documents={"a.pdf": CONTRACT}, at=NOW)
    assert (report.verdict, report.intact) == (Verdict.INDETERMINATE, True)
    assert [(each.name, each.state) for each in report.documents] == [("a.pdf", DocumentState.NOT_SIGNED)]


def test_a_broken_seal_that_covers_none_of_the_documents_given_still_fails(sealed: bytes, authority: Authority) -> None:
    report = report_of(appended(sealed), authority.trust(), documents={"a.pdf": CONTRACT})
    assert (report.verdict, len(report.reasons)) == (Verdict.FAILED, 2)


def test_a_second_seal_fails_a_first_that_allowed_it(
    seal_key: PrivateKey, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a seal allows, nothing may be added but what keeps it verifiable."""
    usual = sealing._metadata
    allowing = {"docmdp_permissions": MDPPerm.FILL_FORMS}
    monkeypatch.setattr(sealing, "_metadata", lambda reason: replace(usual(reason), **allowing))
    sealed = seal(CONTRACT, key=seal_key, sealed_at=NOW)
    monkeypatch.setattr(sealing, "_metadata", lambda reason: replace(usual(reason), certify=False))
    monkeypatch.setattr(sealing, "FIELD_NAME", "Second")
    first, _ = verify(seal(sealed, key=seal_key, sealed_at=NOW), trust=authority.trust(), documents=None, at=NOW)
    assert first.verdict is Verdict.FAILED
    assert first.reasons[0].startswith("The file was changed after it was sealed: an added signature has ")


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7"])
def test_a_seal_with_a_content_of_its_own_fails(sealed: bytes, authority: Authority, content: bytes) -> None:
    """It would be what other programs compare with what was signed, rather than the file."""
    room = re.search(rb"/Contents <([0-9A-F]+)>", sealed)
    assert room
    message = cms.ContentInfo.load(bytes.fromhex(room[1].decode()))
    message["content"]["encap_content_info"]["content"] = content
    enveloping = message.dump(force=True).hex().upper().encode().ljust(len(room[1]), b"0")
    report = report_of(sealed.replace(room[1], enveloping), authority.trust())
    assert (report.verdict, report.intact) == (Verdict.FAILED, False)
    assert report.reasons == ("The seal has a content of its own, which is not the file.",)


@pytest.mark.parametrize("hidden", [b"deadbeef", b"DEADBEEF", b"        ", b"00 0"])
def test_what_is_hidden_in_the_room_beside_the_seal_fails_it(
    sealed: bytes, authority: Authority, hidden: bytes
) -> None:
    room = sealed.rindex(b"0" * 1000)
    report = report_of(sealed[:room] + hidden + sealed[room + len(hidden) :], authority.trust())
    assert (report.verdict, report.intact) == (Verdict.FAILED, False)
    assert "The gap left for the seal also holds something else, which was not signed." in report.reasons


def test_whatever_bit_is_turned_nothing_passes(signed_and_sealed: bytes, authority: Authority) -> None:
    """But within the seal itself, where the issuers' certificates stand beside what is signed."""
    start = signed_and_sealed.index(b"<3082")
    places = sorted({*range(len(signed_and_sealed))} - {*range(start, signed_and_sealed.index(b"0" * 100, start))})
    chosen = random.Random(1)
    for _ in range(150):
        place, bit = chosen.choice(places), chosen.randrange(8)
        turned = bytearray(signed_and_sealed)
        turned[place] ^= 1 << bit
        try:
            reports = verify(bytes(turned), trust=authority.trust(), documents={"a.pdf": CONTRACT}, at=NOW)
        except InvalidSignature:
            continue
        assert {each.verdict for each in reports} != {Verdict.PASSED}, f"bit {bit} of byte {place}"
