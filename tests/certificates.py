"""A small certificate factory for tests: authorities that issue organization certificates and seals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from segl.core.certificates import TrustAnchors
from segl.core.keys import PrivateKey

Kind = Literal["RSA", "RSA-2047", "P-256"]
SHA256 = hashes.SHA256()
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@cache
def private_key(name: str, kind: Kind = "RSA") -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """One key per name: RSA keys take time to make."""
    if kind == "P-256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048 if kind == "RSA" else 2047)


def subject(common_name: str, **attributes: str) -> x509.Name:
    """`organization="…"`, `organization_identifier="NTRNO-…"`, `serial_number="…"` beside the common name."""
    oids = {
        "organization": NameOID.ORGANIZATION_NAME,
        "organization_identifier": NameOID.ORGANIZATION_IDENTIFIER,
        "serial_number": NameOID.SERIAL_NUMBER,
    }
    others = [x509.NameAttribute(oids[name], value) for name, value in attributes.items()]
    return x509.Name([*others, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its own certificate and key, and the certificates between it and the root (nearest first)."""

    key: PrivateKey

    @classmethod
    def root(cls, name: str = "Test Root") -> "Authority":
        key = private_key(name, "P-256")
        return cls(PrivateKey(certificate(subject(name), key, subject(name), key, ca=True), (), key))

    def intermediate(self, name: str = "Test Issuer", extensions: Sequence[x509.ExtensionType] = ()) -> "Authority":
        return Authority(self.issue(subject(name), kind="P-256", ca=True, extensions=extensions))

    def issue(
        self,
        name: x509.Name,
        *,
        kind: Kind = "RSA",
        ca: bool = False,
        digital_signature: bool = True,
        content_commitment: bool = True,
        not_before: datetime = NOW - timedelta(days=30),
        not_after: datetime = NOW + timedelta(days=365),
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> PrivateKey:
        key = private_key(name.rfc4514_string(), kind)
        issued = certificate(
            name,
            key,
            self.key.certificate.subject,
            self.key.key,
            ca,
            digital_signature,
            not_before,
            not_after,
            content_commitment,
            extensions,
        )
        return PrivateKey(issued, (self.key.certificate, *self.key.chain), key)

    def organization(
        self, number: str, name: str = "Virksomhet AS", extensions: Sequence[x509.ExtensionType] = ()
    ) -> PrivateKey:
        """An organization certificate as SEID 2 has it, with an RSA-2048 key."""
        named = subject(name, organization=name, organization_identifier=f"NTRNO-{number}")
        return self.issue(named, extensions=extensions)

    def seal(self, name: str = "Segl") -> PrivateKey:
        """A seal's certificate with a P-256 key."""
        named = subject(name, organization=name, organization_identifier="NTRNO-984661185")
        return self.issue(named, kind="P-256")

    def trust(self) -> TrustAnchors:
        """Trust in this authority's root alone."""
        return TrustAnchors((self.key.chain[-1] if self.key.chain else self.key.certificate,))


def certificate(
    name: x509.Name,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    ca: bool = False,
    digital_signature: bool = True,
    not_before: datetime = NOW - timedelta(days=30),
    not_after: datetime = NOW + timedelta(days=365),
    content_commitment: bool = True,
    extensions: Sequence[x509.ExtensionType] = (),
    key_cert_sign: bool = True,
    without: Sequence[type[x509.ExtensionType]] = (),
    algorithm: hashes.HashAlgorithm = SHA256,
) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=digital_signature and not ca,
        content_commitment=content_commitment and not ca,
        key_encipherment=not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca and key_cert_sign,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
    usual: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=ca, path_length=None), True),
        (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for extension, critical in [*usual, *((each, False) for each in extensions)]:
        if type(extension) not in without:
            builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, algorithm)
