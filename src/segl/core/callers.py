"""Which certificates may speak for an organization: as a client of the API, and by signing a document package.

Many other certificates of the same issuers name an organization too: those of web servers, of employees, of programs.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from segl.core.certificates import TrustAnchors, organization_number
from segl.core.errors import UntrustedCertificate
from segl.core.organizations import NUMBER, is_organization_number

_FOR_CLIENTS = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
}
_INSTEAD = "use an organization certificate (virksomhetssertifikat) for authentication."


@dataclass(frozen=True, slots=True)
class CallerPolicy:
    """Which certificates count, of those that chain to a trust anchor.

    `issuers` are the CAs that may have issued one, and `policies` the certificate policies of which it must name one;
    if there are none, all count. `number_in_common_name` says whether an organization number counts that is in the
    common name alone.
    """

    issuers: tuple[x509.Certificate, ...] = ()
    policies: tuple[x509.ObjectIdentifier, ...] = ()
    number_in_common_name: bool = False

    def check(
        self,
        certificate: x509.Certificate,
        trust: TrustAnchors,
        *,
        extra: Sequence[x509.Certificate] = (),
        at: datetime,
    ) -> tuple[tuple[x509.Certificate, ...], str]:
        """Return a certificate's chain (as `TrustAnchors.chain` does) and its organization number.

        Raises:
            UntrustedCertificate: It is not trusted, or may not speak for an organization.
        """
        check_client_use(certificate)
        chain = trust.chain(certificate, extra=extra, at=at)
        self._check_issuer(chain)
        self._check_policies(certificate)
        number = self.number(certificate)
        if number is None:
            raise UntrustedCertificate(
                f"The certificate {_subject(certificate)} names no organization number where it counts, which is once "
                "in organizationIdentifier (NTRNO- and 9 digits) or, without that, in serialNumber (9 digits)"
                f"{', or in the common name' if self.number_in_common_name else ''}: {_INSTEAD}"
            )
        return chain, number

    def number(self, certificate: x509.Certificate) -> str | None:
        """The organization number (9 digits), or None. As SEID 2 has it, else as SEID 1, else in the common name."""
        if identifiers := _values(certificate, NameOID.ORGANIZATION_IDENTIFIER):
            found = re.fullmatch(f"NTRNO-({NUMBER})", identifiers[0]) if len(identifiers) == 1 else None
            return found and found[1]
        serial_numbers = _values(certificate, NameOID.SERIAL_NUMBER)
        if len(serial_numbers) == 1 and is_organization_number(serial_numbers[0]):
            return serial_numbers[0]
        return organization_number(certificate) if self.number_in_common_name else None

    def _check_issuer(self, chain: Sequence[x509.Certificate]) -> None:
        """By name and key: a CA may have several certificates."""
        issuer = chain[-1] if len(chain) == 1 else chain[1]
        counts = (each.subject == issuer.subject and each.public_key() == issuer.public_key() for each in self.issuers)
        if self.issuers and not any(counts):
            raise UntrustedCertificate(
                f"The certificate {_subject(chain[0])} was issued by {_subject(issuer)}, whose certificates do not "
                "count here: use an organization certificate that was issued by "
                f"{' or '.join(dict.fromkeys(map(_subject, self.issuers)))}."
            )

    def _check_policies(self, certificate: x509.Certificate) -> None:
        named = [
            each.policy_identifier
            for extension in certificate.extensions
            if isinstance(extension.value, x509.CertificatePolicies)
            for each in extension.value
        ]
        if self.policies and not {*named} & {*self.policies}:
            raise UntrustedCertificate(
                f"The certificate {_subject(certificate)} has the certificate policies {_dotted(named) or '(none)'}, "
                f"which do not count here: use an organization certificate with {_dotted(self.policies)}."
            )


def check_client_use(certificate: x509.Certificate) -> None:
    """Make sure that a certificate is for clients, or for anything (ExtendedKeyUsage: RFC 5280, 4.2.1.12).

    Raises:
        UntrustedCertificate: It is for other purposes alone.
    """
    for extension in certificate.extensions:
        match extension.value:
            case x509.ExtendedKeyUsage() as purposes if not _FOR_CLIENTS & {*purposes}:
                named = ", ".join(_PURPOSES.get(each, each.dotted_string) for each in purposes)
                raise UntrustedCertificate(
                    f"The certificate {_subject(certificate)} is not for clients: its extended key usage lacks "
                    f"clientAuth, it has {named}; {_INSTEAD}"
                )


def check_connecting_use(certificate: x509.Certificate) -> None:
    """Make sure that a certificate may be used to connect by TLS (KeyUsage: RFC 5280, 4.2.1.3).

    Raises:
        UntrustedCertificate: Its key usage says otherwise.
    """
    for extension in certificate.extensions:
        match extension.value:
            case x509.KeyUsage(digital_signature=False):
                raise UntrustedCertificate(
                    f"The certificate {_subject(certificate)} is not for connections: its key usage lacks "
                    "digitalSignature; of the certificates issued to you, use the one for authentication."
                )


def _values(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(each.value) for each in certificate.subject.get_attributes_for_oid(oid)]


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _dotted(identifiers: Sequence[x509.ObjectIdentifier]) -> str:
    return ", ".join(each.dotted_string for each in identifiers)
