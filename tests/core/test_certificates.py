"""Whose a certificate is, and whether it is trusted."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding

from certificates import NOW, Authority, subject
from segl.core.certificates import TrustAnchors, load_der, load_pem, organization_name, organization_number
from segl.core.errors import InvalidInput, UntrustedCertificate
from segl.core.keys import PrivateKey

ROOT = Authority.root()
ISSUER = ROOT.intermediate()


@pytest.mark.parametrize(
    ("common_name", "attributes", "number"),
    [
        ("Virksomhet", {"organization_identifier": "NTRNO-123456789"}, "123456789"),
        ("Virksomhet", {"organization_identifier": "123456789"}, "123456789"),
        ("Virksomhet", {"serial_number": "123456789"}, "123456789"),
        ("123456789 Virksomhet", {}, "123456789"),
        ("Virksomhet - 123456789", {}, "123456789"),
        ("Virksomhet", {"organization_identifier": "NTRNO-123456789", "serial_number": "987654321"}, "123456789"),
        ("Virksomhet", {"organization_identifier": "VATSE-123456789", "serial_number": "987654321"}, None),
        ("Virksomhet", {"organization_identifier": "NTRNO-1234567890"}, None),
        ("Virksomhet 1234567890", {}, None),
        ("Virksomhet 123456789 for 987654321", {}, None),
        ("Virksomhet", {}, None),
    ],
)
def test_the_organization_number_is_found_in_each_form(
    common_name: str, attributes: dict[str, str], number: str | None
) -> None:
    certificate = ISSUER.issue(subject(common_name, **attributes), kind="P-256").certificate
    assert organization_number(certificate) == number


def test_an_organization_is_called_by_its_name_or_else_its_common_name() -> None:
    assert organization_name(ISSUER.organization("123456789", "Virksomhet AS").certificate) == "Virksomhet AS"
    assert organization_name(ISSUER.issue(subject("Felles navn"), kind="P-256").certificate) == "Felles navn"


def test_a_chain_leads_to_an_anchor_with_the_intermediates_sent_along_or_known() -> None:
    key = ISSUER.organization("123456789")
    expected = (key.certificate, ISSUER.key.certificate, ROOT.key.certificate)
    assert ROOT.trust().chain(key.certificate, extra=key.chain, at=NOW) == expected
    knowing = TrustAnchors((ROOT.key.certificate,), (ISSUER.key.certificate,))
    assert knowing.chain(key.certificate, at=NOW) == expected


def test_anchors_from_pem_are_what_issued_itself() -> None:
    pem = [each.key.certificate.public_bytes(Encoding.PEM) for each in (ISSUER, ROOT)]
    assert TrustAnchors.from_pem(b"".join(pem)) == TrustAnchors((ROOT.key.certificate,), (ISSUER.key.certificate,))


def _foreign() -> PrivateKey:
    return Authority.root("Somebody Else").organization("123456789")


def _below_an_organization() -> PrivateKey:
    return Authority(ISSUER.organization("123456789")).issue(subject("Below"), kind="P-256")


def _without_signing() -> PrivateKey:
    return ISSUER.issue(subject("Encrypts only"), kind="P-256", digital_signature=False, content_commitment=False)


def _future() -> PrivateKey:
    return ISSUER.issue(subject("Future"), kind="P-256", not_before=NOW + timedelta(days=1))


def _expired() -> PrivateKey:
    return ISSUER.issue(subject("Expired"), kind="P-256", not_after=NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_foreign, "does not chain to a trust anchor"),
        (_below_an_organization, "does not chain to a trust anchor"),
        (_without_signing, "its key usage allows no signatures"),
        (_future, "is not valid before 2026-11-25"),
        (_expired, "expired 2026-11-23"),
        (lambda: ISSUER.key, "is a CA's"),
    ],
)
def test_certificates_that_are_not_trusted_are_refused_with_the_reason(
    make: Callable[[], PrivateKey], sentence: str
) -> None:
    key = make()
    with pytest.raises(UntrustedCertificate, match=sentence):
        ROOT.trust().chain(key.certificate, extra=key.chain, at=NOW)


def test_a_chain_without_its_intermediate_is_refused() -> None:
    with pytest.raises(UntrustedCertificate, match="send its intermediate certificates along"):
        ROOT.trust().chain(ISSUER.organization("123456789").certificate, at=NOW)


def test_nothing_is_trusted_without_anchors() -> None:
    with pytest.raises(UntrustedCertificate, match="no trust anchors are configured"):
        TrustAnchors(()).chain(ISSUER.organization("123456789").certificate, at=NOW)


@pytest.mark.parametrize("environment", ["test", "production"])
def test_the_official_roots_and_intermediates_are_told_apart(reference: Path, environment: str) -> None:
    files = (reference / "certificates" / environment).glob("*.pem")
    trust = TrustAnchors.from_pem(*(file.read_bytes() for file in files))
    assert (len(trust.anchors), len(trust.intermediates)) == (5, 4)


def test_a_file_without_certificates_is_refused() -> None:
    with pytest.raises(InvalidInput, match="No certificates can be read"):
        load_pem(b"nothing")


def with_extension_twice(der: bytes) -> bytes:
    certificate = asn1_x509.Certificate.load(der)
    extensions = certificate["tbs_certificate"]["extensions"]
    extensions.append(extensions[0].copy())
    return bytes(certificate.dump(force=True))


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda der: b"",
        lambda der: der[:-1],
        lambda der: der.replace(b"Virksomhet", b"\xff\xferksomhet"),
        with_extension_twice,
        lambda der: der.replace(b"\x55\x1d\x0f", b"\x55\x1d\x11"),  # a key usage that says it is a list of names
    ],
    ids=["empty", "cut off", "not UTF-8", "extension twice", "extension of another kind"],
)
def test_a_certificate_that_can_be_read_in_part_only_is_refused(spoilt: Callable[[bytes], bytes]) -> None:
    der = Authority.root().organization("123456789").certificate.public_bytes(Encoding.DER)
    assert load_der(der)
    with pytest.raises(InvalidInput, match="A certificate cannot be read"):
        load_der(spoilt(der))
