"""Organization certificates (virksomhetssertifikat): whose they are, and whether they chain to an anchor."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from segl.core.errors import InvalidInput, UntrustedCertificate
from segl.core.organizations import NUMBER, is_organization_number


def organization_number(certificate: x509.Certificate) -> str | None:
    """The Norwegian organization number (9 digits) in the subject, or None.

    SEID 2 has it in organizationIdentifier (`NTRNO-<9 digits>`), SEID 1 in serialNumber, older ones in the
    text of the common name. An organizationIdentifier that is there decides alone; several are ambiguous.
    """
    if certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER):
        return _nine_digits((_attribute(certificate, NameOID.ORGANIZATION_IDENTIFIER) or "").removeprefix("NTRNO-"))
    if number := _nine_digits(_attribute(certificate, NameOID.SERIAL_NUMBER) or ""):
        return number
    in_text = re.findall(rf"(?<![0-9]){NUMBER}(?![0-9])", _attribute(certificate, NameOID.COMMON_NAME) or "")
    return in_text[0] if len(in_text) == 1 else None


def organization_name(certificate: x509.Certificate) -> str:
    """The organization's name in the subject, else the common name, else the whole subject."""
    named = _attribute(certificate, NameOID.ORGANIZATION_NAME) or _attribute(certificate, NameOID.COMMON_NAME)
    return named or certificate.subject.rfc4514_string()


@dataclass(frozen=True, slots=True)
class Voucher:
    """The organization that vouches for a signature: the one in the certificate, or the one that issued a person's."""

    name: str
    """What it is called, which others may be too; empty if the certificate names no organization."""
    identifiers: tuple[str, ...]
    """Its organizationIdentifiers, such as `NTRNO-984661185`."""
    subject: x509.Name
    issuer: x509.Name | None
    """Who issued the subject's certificate; None if the subject is the issuer of a person's."""
    anchor: x509.Certificate | None
    """The trust anchor of the chain; None if it is not trusted."""

    @classmethod
    def of(cls, certificate: x509.Certificate, anchor: x509.Certificate | None) -> Self:
        for subject, issuer in ((certificate.subject, certificate.issuer), (certificate.issuer, None)):
            names, identifiers = (_values(subject, oid) for oid in (NameOID.ORGANIZATION_NAME, _IDENTIFIER))
            if names or identifiers:
                return cls(names[0] if names else "", identifiers, subject, issuer, anchor)
        return cls("", (), certificate.subject, certificate.issuer, anchor)

    def is_same_as(self, other: "Voucher") -> bool:
        """Whether both are one organization.

        It is known by its identifier, else by subject, issuer and anchor. The CA that issued a person's certificate
        has another subject than the organization's own certificates: without identifiers, anchor and name must do.
        One that is not trusted is doubted anyway, so that it has no anchor makes no difference.
        """
        if self.identifiers and other.identifiers:
            return self.identifiers == other.identifiers
        if self.anchor and other.anchor and self.anchor != other.anchor:
            return False
        if (self.issuer is None) is not (other.issuer is None):
            return self.name == other.name
        return (self.subject, self.issuer) == (other.subject, other.issuer)

    def __str__(self) -> str:
        known_by = ", ".join(self.identifiers) or self.subject.rfc4514_string()
        return f"{self.name} ({known_by})" if self.name else known_by


_IDENTIFIER = NameOID.ORGANIZATION_IDENTIFIER


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(each.value) for each in name.get_attributes_for_oid(oid))


def _attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str | None:
    values = certificate.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if len(values) == 1 else None


def _nine_digits(text: str) -> str | None:
    return text if is_organization_number(text) else None


UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What cryptography raises about what is wrong inside, some of it only when a part is first looked at."""


def load_der(data: bytes) -> x509.Certificate:
    """The certificate in these bytes, of which the names and every extension can be read."""
    try:
        return _readable(x509.load_der_x509_certificate(data))
    except UNREADABLE as error:
        raise InvalidInput(f"The certificate cannot be read: {error}.") from None


def load_pem(data: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM file, in its order; at least one. They are readable as those of `load_der`."""
    try:
        return tuple(map(_readable, x509.load_pem_x509_certificates(data)))
    except UNREADABLE:
        raise InvalidInput(
            "No certificates can be read from it: give a PEM file (-----BEGIN CERTIFICATE-----)."
        ) from None


def _readable(certificate: x509.Certificate) -> x509.Certificate:
    _ = certificate.subject, certificate.issuer, certificate.extensions
    return certificate


def issuers(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The issuers of a certificate among others (in any order), nearest first; whether they may issue is not judged."""
    chain, left = [certificate], [*others]
    while issuer := next((each for each in left if _issued(each, chain[-1])), None):
        chain.append(issuer)
        left = [each for each in left if each != issuer]
    return tuple(chain[1:])


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """By name and signature: a CA that got a new key keeps its name."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, *UNREADABLE):
        return False
    return True


_SEND_ALONG = "Use a certificate from an accepted issuer, and send its intermediate certificates along."


class TrustAnchors(NamedTuple):
    """The roots we trust, and the intermediates we know (for those who do not send theirs)."""

    anchors: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()

    @classmethod
    def from_pem(cls, *pem: bytes) -> Self:
        """From PEM files of roots and intermediates: what issued itself is an anchor."""
        return cls.of([certificate for data in pem for certificate in load_pem(data)])

    @classmethod
    def of(cls, certificates: Sequence[x509.Certificate]) -> Self:
        """From roots and intermediates in any order."""
        roots = tuple(each for each in certificates if each.issuer == each.subject)
        return cls(roots, tuple(each for each in certificates if each.issuer != each.subject))

    def with_intermediates(self, *pem: bytes) -> Self:
        """These, and the intermediates in PEM files. A root among them does not become an anchor."""
        found = [each for data in pem for each in load_pem(data) if each.issuer != each.subject]
        return self._replace(intermediates=(*self.intermediates, *found))

    def chain(
        self,
        certificate: x509.Certificate,
        *,
        extra: Sequence[x509.Certificate] = (),
        at: datetime,
        advice: str = _SEND_ALONG,
    ) -> tuple[x509.Certificate, ...]:
        """The chain from `certificate` up to an anchor, valid at that time (RFC 5280; revocation apart).

        `extra` are certificates that came with it; `advice` ends the error message if there is no chain. Raises
        `UntrustedCertificate`.
        """
        check_validity(certificate, at)
        check_signing_use(certificate)
        return self.path(certificate, extra=extra, at=at, advice=advice)

    def chain_of_issuer(
        self,
        certificate: x509.Certificate,
        *,
        extra: Sequence[x509.Certificate] = (),
        at: datetime,
        advice: str = _SEND_ALONG,
    ) -> tuple[x509.Certificate, ...]:
        """As `chain`, for a CA's certificate."""
        check_validity(certificate, at)
        _check_issuing_use(certificate)
        return self.path(certificate, extra=extra, at=at, advice=advice)

    def path(
        self,
        certificate: x509.Certificate,
        *,
        extra: Sequence[x509.Certificate] = (),
        at: datetime,
        advice: str = _SEND_ALONG,
    ) -> tuple[x509.Certificate, ...]:
        """As `chain`, whatever the certificate may be used for (RFC 5280, 6)."""
        subject = certificate.subject.rfc4514_string()
        if not self.anchors:
            raise UntrustedCertificate(f"The certificate {subject} cannot be trusted: no trust anchors are configured.")
        try:
            verified = self._verifier(at).verify(certificate, [*extra, *self.intermediates])
        except (verification.VerificationError, ValueError) as error:
            raise UntrustedCertificate(
                f"The certificate {subject}, issued by {certificate.issuer.rfc4514_string()}, does not "
                f"chain to a trust anchor at {_shown(at)} ({_reason(error)}). {advice}"
            ) from None
        return tuple(verified.chain)

    def _verifier(self, at: datetime) -> verification.ClientVerifier:
        builder = verification.PolicyBuilder().store(verification.Store(list(self.anchors))).time(at)
        return builder.extension_policies(ca_policy=_CA_POLICY, ee_policy=_END_POLICY).build_client_verifier()


def _must_be_ca(policy: verification.Policy, certificate: x509.Certificate, extension: x509.BasicConstraints) -> None:
    if not extension.ca:
        raise ValueError(f"{certificate.subject.rfc4514_string()} is not a CA certificate")


def _may_issue(policy: verification.Policy, certificate: x509.Certificate, extension: x509.KeyUsage | None) -> None:
    if extension is not None and not extension.key_cert_sign:
        raise ValueError(f"{certificate.subject.rfc4514_string()} may not issue certificates")


_ANY = verification.Criticality.AGNOSTIC
# Not the policies of the web: these certificates have no host names and various extended key usages.
_CA_POLICY = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _ANY, _must_be_ca)
    .may_be_present(x509.KeyUsage, _ANY, _may_issue)
)
_END_POLICY = verification.ExtensionPolicy.permit_all()


def check_validity(certificate: x509.Certificate, at: datetime) -> None:
    """Make sure that a certificate is valid at a time.

    Raises:
        UntrustedCertificate: It is not valid yet, or no longer.
    """
    subject = certificate.subject.rfc4514_string()
    if at < certificate.not_valid_before_utc:
        raise UntrustedCertificate(
            f"The certificate {subject} is not valid before {_shown(certificate.not_valid_before_utc)}; "
            f"the time is {_shown(at)}."
        )
    if at > certificate.not_valid_after_utc:
        raise UntrustedCertificate(
            f"The certificate {subject} expired {_shown(certificate.not_valid_after_utc)}; use a new one."
        )


def check_signing_use(certificate: x509.Certificate) -> None:
    """Make sure that a certificate is for signatures (KeyUsage and BasicConstraints: RFC 5280, 4.2.1.3 and 4.2.1.9).

    Raises:
        UntrustedCertificate: One of them is there and says otherwise.
    """
    subject = certificate.subject.rfc4514_string()
    for extension in certificate.extensions:
        match extension.value:
            case x509.BasicConstraints(ca=True):
                raise UntrustedCertificate(
                    f"The certificate {subject} is a CA certificate, which signs certificates only."
                )
            case x509.KeyUsage(digital_signature=False, content_commitment=False):
                raise UntrustedCertificate(
                    f"The certificate {subject} may not sign: its key usage allows no signatures."
                )


def _check_issuing_use(certificate: x509.Certificate) -> None:
    subject = certificate.subject.rfc4514_string()
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        is_ca = False
    if not is_ca:
        raise UntrustedCertificate(
            f"The certificate {subject} is not a CA certificate and may not issue others: use a CA certificate."
        )
    for extension in certificate.extensions:
        match extension.value:
            case x509.KeyUsage(key_cert_sign=False):
                raise UntrustedCertificate(
                    f"The certificate {subject} may not issue others: its key usage lacks keyCertSign."
                )


# Norwegian organizations' certificates have clientAuth and emailProtection, those of other issuers document signing:
# as of RFC 9336, of Microsoft or of Adobe.
_FOR_COMMITMENT = {
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    ExtendedKeyUsageOID.CLIENT_AUTH,
    *map(x509.ObjectIdentifier, ("1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.311.10.3.12", "1.2.840.113583.1.1.5")),
}


def check_commitment(certificate: x509.Certificate) -> None:
    """Make sure that a certificate is meant for signatures that bind someone, not for logging in to servers.

    Those carry nonRepudiation in their key usage (RFC 5280, 4.2.1.3; ETSI EN 319 412-2, 4.3.2). If they have extended
    key usages, they are for nothing else (RFC 5280, 4.2.1.12), so one of them must be for documents, mail or clients.

    Raises:
        UntrustedCertificate: One of them says otherwise.
    """
    subject = certificate.subject.rfc4514_string()
    for extension in certificate.extensions:
        match extension.value:
            case x509.KeyUsage(content_commitment=False):
                raise UntrustedCertificate(
                    f"The certificate {subject} is for authentication only: its key "
                    "usage lacks nonRepudiation, so it is not meant for signatures that bind."
                )
            case x509.ExtendedKeyUsage() as uses if not _FOR_COMMITMENT & {*uses}:
                raise UntrustedCertificate(
                    f"The certificate {subject} is for something else than signatures that bind: its extended key "
                    f"usage has only {', '.join(each.dotted_string for each in uses)}."
                )


def _shown(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S %Z}"


def _reason(error: Exception) -> str:
    return re.sub(r"^validation failed: |candidates exhausted: ", "", str(error)).rstrip(".")
