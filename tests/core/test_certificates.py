"""Whose a certificate is, and whether it is trusted."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from certificates import NOW, Authority, certificate, private_key, subject
from revocations import asks_at
from segl.core.certificates import (
    TrustAnchors,
    Voucher,
    check_commitment,
    check_validity,
    issuers,
    load_der,
    load_pem,
    organization_name,
    organization_number,
)
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
        ("POSTEN NORGE AS TEST", {"organization": "POSTEN NORGE AS", "serial_number": "984661185"}, "984661185"),
        ("Virksomhet", {"organization": "Virksomhet - 123 456 789", "serial_number": "9578-4050-123456789"}, None),
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


@pytest.mark.parametrize("other", ["NTRNO-987654321", "NTRNO-123456789"])
def test_two_organization_identifiers_are_none_whatever_else_is_there(other: str) -> None:
    attributes = {"organization_identifier": "NTRNO-123456789", "serial_number": "123456789"}
    name = subject("Virksomhet 123456789", **attributes)
    second = x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, other)
    assert organization_number(ISSUER.issue(name, kind="P-256").certificate) == "123456789"
    assert organization_number(ISSUER.issue(x509.Name([*name, second]), kind="P-256").certificate) is None


def test_an_organization_is_called_by_its_name_or_else_its_common_name() -> None:
    both, without = subject("Felles navn", organization="Virksomhet AS"), subject("Felles navn")
    assert organization_name(ISSUER.issue(both, kind="P-256").certificate) == "Virksomhet AS"
    assert organization_name(ISSUER.issue(without, kind="P-256").certificate) == "Felles navn"


def test_a_certificate_that_names_nobody_is_called_by_its_subject_and_has_no_number() -> None:
    certificate = ISSUER.issue(x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "NO")]), kind="P-256").certificate
    assert (organization_name(certificate), organization_number(certificate)) == ("C=NO", None)


def test_a_chain_leads_to_an_anchor_with_the_intermediates_sent_along_or_known() -> None:
    key = ISSUER.organization("123456789")
    expected = (key.certificate, ISSUER.key.certificate, ROOT.key.certificate)
    assert ROOT.trust().chain(key.certificate, extra=key.chain, at=NOW) == expected
    knowing = TrustAnchors((ROOT.key.certificate,), (ISSUER.key.certificate,))
    assert knowing.chain(key.certificate, at=NOW) == expected


def test_anchors_from_pem_are_what_issued_itself() -> None:
    pem = [each.key.certificate.public_bytes(Encoding.PEM) for each in (ISSUER, ROOT)]
    assert TrustAnchors.from_pem(b"".join(pem)) == TrustAnchors((ROOT.key.certificate,), (ISSUER.key.certificate,))


# Buypass and Commfides issue an organization separate certificates, for logging in and for sealing.
@pytest.mark.parametrize(
    ("uses", "extended"),
    [
        ({"content_commitment": False}, [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION]),
        ({"content_commitment": False}, [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
        ({"digital_signature": False}, [ExtendedKeyUsageOID.EMAIL_PROTECTION]),
        ({"digital_signature": False}, [x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.12")]),
        ({}, []),
    ],
    ids=["login", "login and server", "seal", "document signing", "both"],
)
def test_an_enterprise_certificate_is_trusted_for_what_it_may_be_used(
    uses: dict[str, bool], extended: list[x509.ObjectIdentifier]
) -> None:
    notice = x509.UserNotice(None, "Norwegian enterprise certificate")
    extensions = [
        x509.CertificatePolicies(
            [x509.PolicyInformation(x509.ObjectIdentifier("2.16.578.1.26.1.3.2"), ["https://cps.example", notice])]
        ),
        # QCStatements: qcCompliance (ETSI EN 319 412-5)
        x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), bytes.fromhex("300a3008060604008e460101")
        ),
        *asks_at(responder="http://ocsp.example", crl="http://crl.example/ca.crl"),
        *([x509.ExtendedKeyUsage(extended)] if extended else []),
    ]
    name = subject("Virksomhet", organization="Virksomhet AS", organization_identifier="NTRNO-123456789")
    key = ISSUER.issue(name, extensions=extensions, **uses)  # type: ignore[arg-type]  # flags by name
    certificate = load_der(_der(key))
    assert len(ROOT.trust().chain(certificate, extra=key.chain, at=NOW)) == 3


@pytest.mark.parametrize(
    ("uses", "binds"),
    [
        ([], True),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True),
        ([ExtendedKeyUsageOID.EMAIL_PROTECTION], True),
        ([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH], True),
        ([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")], True),
        ([x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.12")], True),
        ([x509.ObjectIdentifier("1.2.840.113583.1.1.5"), ExtendedKeyUsageOID.TIME_STAMPING], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING], False),
        ([ExtendedKeyUsageOID.OCSP_SIGNING], False),
        ([ExtendedKeyUsageOID.SERVER_AUTH], False),
        ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.OCSP_SIGNING], False),
        ([ExtendedKeyUsageOID.CODE_SIGNING], False),
    ],
)
def test_a_certificate_for_something_else_alone_makes_no_signatures_that_bind(
    uses: list[x509.ObjectIdentifier], binds: bool
) -> None:
    extensions = [x509.ExtendedKeyUsage(uses)] if uses else []
    made = ISSUER.organization("123456789", extensions=extensions).certificate
    if binds:
        check_commitment(made)
        return
    with pytest.raises(UntrustedCertificate, match="is for something else than signatures that bind"):
        check_commitment(made)


def _foreign() -> PrivateKey:
    return Authority.root("Somebody Else").organization("123456789")


def _below_an_organization() -> PrivateKey:
    return Authority(ISSUER.organization("123456789")).issue(subject("Below"), kind="P-256")


def _issuer(**uses: Any) -> Authority:
    key = private_key("CA", "P-256")
    issuer = certificate(subject("CA"), key, ROOT.key.certificate.subject, ROOT.key.key, **uses)
    return Authority(PrivateKey(issuer, (ROOT.key.certificate,), key))


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
        (lambda: _issuer(ca=True, key_cert_sign=False).seal(), "trust anchor .*CN=CA may not issue certificates"),
        (lambda: _issuer(ca=False, without=[x509.KeyUsage]).seal(), "does not chain to a trust anchor"),
        (_without_signing, "its key usage allows no signatures"),
        (_future, "is not valid before 2026-11-25"),
        (_expired, "expired 2026-11-23"),
        (lambda: ISSUER.key, "is a CA certificate"),
    ],
)
def test_certificates_that_are_not_trusted_are_refused_with_the_reason(
    make: Callable[[], PrivateKey], sentence: str
) -> None:
    key = make()
    with pytest.raises(UntrustedCertificate, match=sentence):
        ROOT.trust().chain(key.certificate, extra=key.chain, at=NOW)


def test_a_ca_without_key_usage_may_issue() -> None:
    key = _issuer(ca=True, without=[x509.KeyUsage]).seal()
    assert len(ROOT.trust().chain(key.certificate, extra=key.chain, at=NOW)) == 3


@pytest.mark.parametrize(
    ("make", "days", "sentence"),
    [
        (lambda: _issuer(ca=False), 0, "CN=CA is not a CA certificate and may not issue others"),
        (
            lambda: _issuer(ca=True, without=[x509.BasicConstraints]),
            0,
            "CN=CA is not a CA certificate and may not issue others",
        ),
        (
            lambda: _issuer(ca=True, key_cert_sign=False),
            0,
            "CN=CA may not issue others: its key usage lacks keyCertSign",
        ),
        (lambda: ISSUER, 400, "expired"),
    ],
)
def test_an_issuer_that_may_not_issue_is_refused_with_the_reason(
    make: Callable[[], Authority], days: int, sentence: str
) -> None:
    with pytest.raises(UntrustedCertificate, match=sentence):
        ROOT.trust().chain_of_issuer(make().key.certificate, at=NOW + timedelta(days=days))
    expected = (ISSUER.key.certificate, ROOT.key.certificate)
    assert ROOT.trust().chain_of_issuer(ISSUER.key.certificate, at=NOW) == expected


def test_a_certificate_is_valid_in_its_first_and_last_second() -> None:
    certificate = ISSUER.key.certificate
    check_validity(certificate, certificate.not_valid_before_utc)
    check_validity(certificate, certificate.not_valid_after_utc)


def test_an_issuer_whose_key_is_of_an_unknown_kind_is_passed_over() -> None:
    unknown = _der(ISSUER.key).replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))
    others = [load_der(unknown), ROOT.key.certificate, ISSUER.key.certificate]
    assert issuers(ISSUER.seal().certificate, others) == (ISSUER.key.certificate, ROOT.key.certificate)


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


@pytest.mark.parametrize("environment", ["test", "production"])
def test_each_official_intermediate_chains_to_an_official_root(reference: Path, environment: str) -> None:
    files = (reference / "certificates" / environment).glob("*.pem")
    trust = TrustAnchors.from_pem(*(file.read_bytes() for file in files))
    for intermediate in trust.intermediates:
        issuer, root = trust._verifier(NOW).verify(intermediate, []).chain
        assert issuer == intermediate
        assert root in trust.anchors


def test_times_are_shown_in_utc() -> None:
    certificate = ISSUER.issue(subject("A"), kind="P-256").certificate
    before = certificate.not_valid_before_utc - timedelta(days=1)
    with pytest.raises(UntrustedCertificate, match=f"the time is {before:%Y-%m-%d %H:%M:%S} UTC[.]"):
        check_validity(certificate, before.astimezone(timezone(timedelta(hours=1))))


def test_a_file_without_certificates_is_refused() -> None:
    with pytest.raises(InvalidInput, match="No certificates can be read"):
        load_pem(b"nothing")


def _twice_the_same_extension() -> bytes:
    oids = [x509.ObjectIdentifier("1.2.3.4"), x509.ObjectIdentifier("1.2.3.5")]
    extensions = [x509.UnrecognizedExtension(oid, b"x") for oid in oids]
    return _der(ISSUER.issue(subject("A"), kind="P-256", extensions=extensions)).replace(
        b"\x06\x03\x2a\x03\x05", b"\x06\x03\x2a\x03\x04"
    )


def _name_of_a_strange_kind() -> bytes:
    alternative = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x04\xa3\x02\x30\x00")
    return _der(ISSUER.issue(subject("A"), kind="P-256", extensions=[alternative]))


def _der(key: PrivateKey) -> bytes:
    return key.certificate.public_bytes(Encoding.DER)


PLAIN = _der(ISSUER.issue(subject("Virksomhet"), kind="P-256"))


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (b"", "error parsing"),
        (PLAIN.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"), "5 is not a valid X509 version"),
        (PLAIN.replace(b"Virksomhet", b"Virksom\xff\xff\xff"), "error parsing"),
        (_twice_the_same_extension(), "Duplicate"),
        (_name_of_a_strange_kind(), "not supported types"),
    ],
    ids=["empty", "version", "subject", "extension", "name"],
)
def test_what_cannot_be_read_in_every_part_is_refused(der: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"The certificate cannot be read: .*{reason}"):
        load_der(der)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # negative ones, which are refused with the rest
@pytest.mark.parametrize("change", [0x01, 0x20, 0x80, 0xFF])
def test_a_certificate_with_a_changed_byte_is_refused(change: int) -> None:
    trust = TrustAnchors((ROOT.key.certificate,), (ISSUER.key.certificate,))
    signed = load_der(PLAIN).tbs_certificate_bytes
    for position in range(len(PLAIN)):
        changed = bytearray(PLAIN)
        changed[position] ^= change
        with suppress(InvalidInput, UntrustedCertificate):
            certificate = trust.chain(load_der(bytes(changed)), at=NOW)[0]
            assert certificate.tbs_certificate_bytes == signed, position  # a signature can be written in two ways


def test_a_root_among_the_intermediates_is_no_anchor() -> None:
    root, foreign = Authority.root(), Authority.root("Somebody Else")
    bundle = b"".join(each.key.certificate.public_bytes(Encoding.PEM) for each in (foreign, root.intermediate()))
    trust = TrustAnchors.of([root.key.certificate]).with_intermediates(bundle)
    assert (len(trust.anchors), len(trust.intermediates)) == (1, 1)
    with pytest.raises(UntrustedCertificate):
        trust.chain(foreign.organization("123456789").certificate, at=NOW)


NAMED = {"organization": "Virksomhet AS"}
NUMBERED = {"organization_identifier": "NTRNO-123456789"}
OTHER_ROOT = Authority.root("Other Root")


def _voucher(*names: x509.Name, root: Authority = ROOT) -> Voucher:
    """Of a certificate with the last name, below CAs with those before it."""
    *above, own = names
    for each in above:
        root = Authority(root.issue(each, kind="P-256", ca=True))
    return Voucher.of(root.issue(own, kind="P-256").certificate, root.trust().anchors[0])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (_voucher(subject("Seal", **NAMED, **NUMBERED)), _voucher(subject("A", **NUMBERED), root=OTHER_ROOT), True),
        (_voucher(subject("Seal", **NAMED, **NUMBERED)), _voucher(subject("Seal", **NAMED)), False),
        (_voucher(subject("Seal", **NAMED)), _voucher(subject("Seal", **NAMED)), True),
        (_voucher(subject("Seal", **NAMED)), _voucher(subject("Other", **NAMED)), False),
        (_voucher(subject("Seal", **NAMED)), _voucher(subject("CA"), subject("Seal", **NAMED)), False),
        (_voucher(subject("Seal", **NAMED)), _voucher(subject("Seal", **NAMED), root=OTHER_ROOT), False),
        (_voucher(subject("Seal", **NUMBERED)), _voucher(subject("CA", **NUMBERED), subject("Kari")), True),
        (_voucher(subject("Seal", **NAMED, **NUMBERED)), _voucher(subject("CA", **NAMED), subject("Kari")), True),
        (_voucher(subject("Seal", **NAMED)), _voucher(subject("CA", organization="Other"), subject("Kari")), False),
        (_voucher(subject("Seal", **NAMED)), _voucher(subject("CA", **NAMED), subject("K"), root=OTHER_ROOT), False),
        (_voucher(subject("CA"), subject("Kari")), _voucher(subject("CA"), subject("Ola")), False),
    ],
    ids=[
        "the same identifier",
        "an identifier and none",
        "the same subject",
        "another subject",
        "another issuer",
        "another anchor",
        "a person, whose CA has the identifier",
        "a person, whose CA has the name",
        "a person, whose CA has another name",
        "a person, whose CA has the name below another anchor",
        "persons",
    ],
)
def test_an_organization_is_known_by_more_than_its_name(one: Voucher, other: Voucher, same: bool) -> None:
    assert one.is_same_as(other) is same
    assert other.is_same_as(one) is same


def test_an_organization_is_the_same_when_one_of_its_certificates_is_not_trusted() -> None:
    trusted = _voucher(subject("Seal", **NAMED))
    assert trusted.is_same_as(replace(trusted, anchor=None))
    assert not trusted.is_same_as(replace(_voucher(subject("Other", **NAMED)), anchor=None))


def test_a_voucher_is_shown_by_its_name_and_what_it_is_known_by() -> None:
    assert str(_voucher(subject("Seal", **NAMED, **NUMBERED))) == "Virksomhet AS (NTRNO-123456789)"
    assert str(_voucher(subject("Seal", **NAMED))) == "Virksomhet AS (CN=Seal,O=Virksomhet AS)"
    assert str(_voucher(subject("CA"), subject("Kari"))) == "CN=Kari"
