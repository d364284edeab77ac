"""Makes the signatures of the service: the seal of the sealed PDFs, and the XAdES of each signer.

An AUTHENTICATED signature is evidence of an eID log-in under the service's seal. An ADVANCED one is made with a
certificate and key issued to the signer for this one signature; the key is discarded after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from segl.core import pades, xades
from segl.core.certificates import TrustAnchors, check_validity
from segl.core.evidence import Evidence
from segl.core.keys import PrivateKey, SigningKey, TimestampAuthority
from segl.core.protocol import SignatureType
from segl.core.xades import SignedDocument

# Baseline B has no proof of time, so the certificate must still be valid when the PDF is sealed and later verified.
# Its key exists for one signature only, however long the certificate is valid.
PERSONAL_CERTIFICATE_VALIDITY = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Sealer:
    """The keys of the service, and the trust anchors for verifying its own results.

    `signer_ca` issues the one-time certificates, which get its CRL and AIA once it publishes them; with a
    `timestamp_authority` every signature carries a timestamp.
    """

    seal_key: SigningKey
    signer_ca: PrivateKey
    trust: TrustAnchors
    timestamp_authority: TimestampAuthority | None = None

    def sign(
        self,
        *,
        signature_type: SignatureType,
        documents: Sequence[SignedDocument],
        evidence: Evidence,
        signing_time: datetime,
    ) -> bytes:
        """One signer's XAdES over the documents' digests."""
        key = self.seal_key
        if signature_type is SignatureType.ADVANCED_SIGNATURE:
            key = self._one_time_key(evidence, signing_time)
        return xades.sign(
            key=key,
            documents=documents,
            evidence=evidence,
            signing_time=signing_time,
            timestamp_authority=self.timestamp_authority,
        )

    def seal(self, pdf: bytes, *, sealed_at: datetime) -> bytes:
        """The PDF with the service's certified seal, which allows no changes."""
        return pades.seal(pdf, key=self.seal_key, sealed_at=sealed_at, timestamp_authority=self.timestamp_authority)

    def check_validity(self, at: datetime) -> None:
        """Make sure that the certificates are valid at that time.

        Raises:
            UntrustedCertificate: One is not: what is signed now would not verify.
        """
        for key in (self.seal_key, self.signer_ca):
            for each in (key.certificate, *key.chain):
                check_validity(each, at)

    def _one_time_key(self, evidence: Evidence, now: datetime) -> PrivateKey:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_personal_name(evidence))
            .issuer_name(self.signer_ca.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(min(now + PERSONAL_CERTIFICATE_VALIDITY, self.signer_ca.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_non_repudiation(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.signer_ca.certificate.public_key()),  # type: ignore[arg-type]  # a CA's key can sign
                critical=False,
            )
            .sign(self.signer_ca.key, hashes.SHA256())
        )
        return PrivateKey(certificate, (self.signer_ca.certificate, *self.signer_ca.chain), key)


_current: Sealer | None = None


def configure(sealer: Sealer) -> None:
    """Give this process its keys; called once at start."""
    global _current  # noqa: PLW0603 - keys live in one place of one room
    _current = sealer


def current() -> Sealer:
    """The keys of this process.

    Raises:
        RuntimeError: None were configured: this process must not sign.
    """
    if _current is None:
        raise RuntimeError("This process has no signing keys: call `segl.service.sealing.configure` at start.")
    return _current


def _personal_name(evidence: Evidence) -> x509.Name:
    """The signer's name and nothing else that identifies: the certificate is part of the signed document."""
    name = " ".join(evidence.signer_name.split())
    given, _, family = name.rpartition(" ")
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, _cut(name) or "-")]
    if given:
        attributes.append(x509.NameAttribute(NameOID.GIVEN_NAME, _cut(given)))
        attributes.append(x509.NameAttribute(NameOID.SURNAME, _cut(family)))
    attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{evidence.job_id}-{evidence.signer_number}"))
    return x509.Name(attributes)


def _cut(name: str) -> str:
    """As much of a name as fits: RFC 5280 allows 64 characters, which `cryptography` counts in bytes."""
    return name.encode()[:64].decode(errors="ignore").strip()


def _non_repudiation() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
