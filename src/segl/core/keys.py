"""Where signatures, timestamps and revocation data come from, and a private key held in memory."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from segl.core.certificates import issuers, load_pem
from segl.core.errors import InvalidInput

SupportedKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class SigningKey(Protocol):
    """A private key, wherever it is kept, with the certificate that names its owner."""

    @property
    def certificate(self) -> x509.Certificate: ...

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates above, nearest issuer first; the root may be among them."""

    def sign(self, data: bytes) -> bytes:
        """The signature over `data` with SHA-256: RSA PKCS#1 v1.5, or ECDSA as DER."""


class TimestampAuthority(Protocol):
    """An RFC 3161 timestamp authority."""

    def timestamp(self, digest: bytes) -> bytes:
        """A timestamp token (DER) over this SHA-256 digest."""


class RevocationValues(NamedTuple):
    """Revocation data for a chain: DER of CRLs (RFC 5280) and OCSP responses (RFC 6960)."""

    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()


class RevocationData(Protocol):
    """Where revocation data is fetched."""

    def for_chain(self, chain: Sequence[x509.Certificate]) -> RevocationValues: ...


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key in memory (RSA or elliptic curve). A `SigningKey`."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: SupportedKey = field(repr=False)

    def __post_init__(self) -> None:
        if self.certificate.public_key() != self.key.public_key():
            raise InvalidInput(
                "The private key does not belong to the certificate "
                f"{self.certificate.subject.rfc4514_string()}; give the two that were issued together."
            )

    @classmethod
    def from_pem(cls, certificate_pem: bytes, key_pem: bytes, password: str | None = None) -> Self:
        """The certificate and then its chain from one PEM file, the key from another (or the same)."""
        certificate, *chain = load_pem(certificate_pem)
        try:
            key = load_pem_private_key(key_pem, password.encode() if password else None)
        except UnsupportedAlgorithm as error:
            raise _unsupported(error) from None
        except (ValueError, TypeError) as error:
            hint = "Check the file and the password" if password else "Give a PEM file of a key that needs no password"
            raise InvalidInput(f"The private key cannot be read: {str(error).rstrip('.')}. {hint}.") from None
        supported = _supported(key)
        owner = next((each for each in (certificate, *chain) if each.public_key() == supported.public_key()), None)
        if owner is not None and owner != certificate:
            raise InvalidInput(
                f"The private key belongs to the certificate {owner.subject.rfc4514_string()}, but "
                f"{certificate.subject.rfc4514_string()} comes before that in its file: put your own certificate first."
            )
        return cls(certificate, tuple(chain), supported)

    @classmethod
    def from_pkcs12(cls, data: bytes, password: str) -> Self:
        """The key, its certificate and the chain from a PKCS#12 file (.p12, .pfx)."""
        try:
            key, certificate, others = pkcs12.load_key_and_certificates(data, password.encode())
        except UnsupportedAlgorithm as error:
            raise _unsupported(error) from None
        except ValueError as error:
            raise InvalidInput(f"The PKCS#12 file cannot be read: {error}. Check the file and the password.") from None
        if key is None or certificate is None:
            raise InvalidInput("The PKCS#12 file has no private key with a certificate; export both into it.")
        return cls(certificate, issuers(certificate, others), _supported(key))

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))


def others_can_read(path: str | os.PathLike[str]) -> bool:
    """Whether every user of this machine may read a file, by its mode. Unknown, and so False, on Windows."""
    return os.name == "posix" and bool(Path(path).stat().st_mode & stat.S_IROTH)


def _supported(key: object) -> SupportedKey:
    if not isinstance(key, SupportedKey):
        raise _unsupported(type(key).__name__)
    return key


def _unsupported(kind: object) -> InvalidInput:
    return InvalidInput(f"The private key is of a kind that is not supported ({kind}); use RSA or EC, such as P-256.")
