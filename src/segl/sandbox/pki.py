"""The sandbox's throw-away PKI: a root, three issuers, the certificates of server, seal and organizations.

Every key is made once and kept. A key is written before its certificate, an issuer before what it issues: a
folder that a kill left half-made is completed by the next call with the keys it has.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from segl.sandbox.files import write_atomically
from segl.service.config.checking import SANDBOX_ORGANIZATION
from segl.service.configuration import KeyFiles

SERVER_NUMBER = "984661185"
"""The organization number that the official clients expect the service to have."""

PASSWORD = "sandbox"  # noqa: S105 (opens throw-away keys that lie beside it in the clear)

_CA_DAYS = 40 * 365
_END_DAYS = 20 * 365

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class SandboxOrganization:
    """An organization of the sandbox; `broker_for` are the organization numbers it may act for."""

    number: str
    name: str
    sector: str
    broker_for: tuple[str, ...] = ()


ORGANIZATIONS = (
    SandboxOrganization("123456789", "Nordvik kommune", "public"),
    SandboxOrganization("310248711", "Bryggen Bil AS", "private"),
    SandboxOrganization("318602352", "Formidler AS", "private", broker_for=("123456789",)),
)
"""One of each sector and a broker. Numbers that begin with 3 are synthetic: no real organization has one."""


@dataclass(frozen=True, slots=True)
class OrganizationFiles(KeyFiles):
    """An organization's certificate and key as PEM, and both with the chain as PKCS#12 under `password`."""

    organization: SandboxOrganization
    pkcs12: Path
    password: str = PASSWORD

    def describe(self) -> dict[str, Any]:
        """Return the organization and the paths of its files, for JSON."""
        return {
            "number": self.organization.number,
            "name": self.organization.name,
            "sector": self.organization.sector,
            "broker_for": self.organization.broker_for,
            "pkcs12": str(self.pkcs12),
            "password": self.password,
            "certificate": str(self.certificate),
            "private_key": str(self.private_key),
        }


@dataclass(frozen=True, slots=True)
class SandboxPki:
    """The files of the PKI. `trust_anchors` is the root, `intermediates` are the three issuers below it."""

    trust_anchors: Path
    intermediates: Path
    server: KeyFiles
    seal: KeyFiles
    signer_ca: KeyFiles
    organizations: tuple[OrganizationFiles, ...]

    def files(self) -> Iterator[Path]:
        """Return all files of the PKI."""
        yield from (self.trust_anchors, self.intermediates)
        for each in (self.server, self.seal, self.signer_ca, *self.organizations):
            yield from (each.certificate, each.private_key)
        yield from (each.pkcs12 for each in self.organizations)


def ensure_pki(folder: Path, organizations: Sequence[SandboxOrganization] = ORGANIZATIONS) -> SandboxPki:
    """Return the PKI in `folder`; missing files are created, existing ones are kept."""
    pki = _paths(folder, organizations)
    if not all(path.exists() for path in pki.files()):
        _Maker(folder).complete(pki)
    return pki


def _paths(folder: Path, organizations: Sequence[SandboxOrganization]) -> SandboxPki:
    def files(name: str) -> KeyFiles:
        return KeyFiles(folder / f"{name}.pem", folder / f"{name}-key.pem")

    def organization_files(organization: SandboxOrganization) -> OrganizationFiles:
        own = files(f"organization-{organization.number}")
        return OrganizationFiles(own.certificate, own.private_key, organization, own.certificate.with_suffix(".p12"))

    return SandboxPki(
        trust_anchors=folder / "root.pem",
        intermediates=folder / "intermediates.pem",
        server=files("server"),
        seal=files("seal"),
        signer_ca=files("signer-ca"),
        organizations=tuple(map(organization_files, organizations)),
    )


@dataclass(frozen=True, slots=True)
class _Issuer:
    """A CA's certificate and key."""

    certificate: x509.Certificate
    key: Key


class _Maker:
    """Creates the missing files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def complete(self, pki: SandboxPki) -> None:
        self._make_keys(pki)
        root = self._authority("root", _name("Segl sandbox root"), None)
        organizations_ca = self._authority("organizations-ca", _name("Segl sandbox organizations CA"), root)
        seal_ca = self._authority("seal-ca", _name("Segl sandbox seal CA"), root)
        signer_ca = self._authority("signer-ca", _name("Segl sandbox signer CA"), root)
        issuers = [each.certificate for each in (organizations_ca, seal_ca, signer_ca)]
        write_atomically(pki.intermediates, _pem(*issuers))
        _ensure_certificate(pki.server, organizations_ca, _server_subject(), _SERVER_EXTENSIONS)
        _ensure_certificate(pki.seal, seal_ca, _seal_subject(), _SEAL_EXTENSIONS)
        for files in pki.organizations:
            subject = _organization_subject(files.organization)
            _ensure_certificate(files, organizations_ca, subject, _ORGANIZATION_EXTENSIONS)
            _ensure_pkcs12(files)

    def _make_keys(self, pki: SandboxPki) -> None:
        authorities = ("root", "organizations-ca", "seal-ca", "signer-ca")
        for path in (*(self._folder / f"{name}-key.pem" for name in authorities), pki.seal.private_key):
            _ensure_key(path, "P-256")
        with ThreadPoolExecutor() as pool:  # RSA takes its time, without the interpreter's lock
            paths = [each.private_key for each in (pki.server, *pki.organizations)]
            list(pool.map(lambda path: _ensure_key(path, "RSA-2048"), paths))

    def _authority(self, name: str, subject: x509.Name, issuer: _Issuer | None) -> _Issuer:
        path = self._folder / f"{name}.pem"
        key = _load_key(self._folder / f"{name}-key.pem")
        if not path.exists():
            extensions = _authority_extensions(path_length=0 if issuer else 1)
            write_atomically(path, _pem(_issue(subject, key, issuer, extensions, days=_CA_DAYS)))
        return _Issuer(_load_certificates(path)[0], key)


def _ensure_key(path: Path, kind: Literal["RSA-2048", "P-256"]) -> None:
    if path.exists():
        return
    key: Key = ec.generate_private_key(ec.SECP256R1()) if kind == "P-256" else rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_atomically(path, pem, mode=0o600)


def _ensure_certificate(files: KeyFiles, issuer: _Issuer, subject: x509.Name, extensions: "_Extensions") -> None:
    if not files.certificate.exists():
        certificate = _issue(subject, _load_key(files.private_key), issuer, extensions, days=_END_DAYS)
        write_atomically(files.certificate, _pem(certificate, issuer.certificate))


def _ensure_pkcs12(files: OrganizationFiles) -> None:
    if files.pkcs12.exists():
        return
    certificate, *chain = _load_certificates(files.certificate)
    name = files.organization.name.encode()
    encryption = BestAvailableEncryption(files.password.encode())
    data = pkcs12.serialize_key_and_certificates(name, _load_key(files.private_key), certificate, chain, encryption)
    write_atomically(files.pkcs12, data, mode=0o600)


_Extensions = tuple[tuple[x509.ExtensionType, bool], ...]
"""Extensions, each with whether it is critical."""


def _issue(
    subject: x509.Name, key: Key, issuer: _Issuer | None, extensions: _Extensions, *, days: int
) -> x509.Certificate:
    """Return a certificate back-dated one day, for clocks that are slow; self-signed without an issuer."""
    now = datetime.now(UTC)
    issuer_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(*uses: str) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in uses for name in names})


def _authority_extensions(path_length: int) -> _Extensions:
    return (
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (_key_usage("key_cert_sign", "crl_sign"), True),
    )


_END_ENTITY = (x509.BasicConstraints(ca=False, path_length=None), True)

_SERVER_EXTENSIONS: _Extensions = (
    _END_ENTITY,
    (_key_usage("digital_signature"), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False),
    (
        x509.SubjectAlternativeName(
            [
                x509.DNSName("localhost"),
                x509.IPAddress(ip_address("127.0.0.1")),
                x509.IPAddress(ip_address("::1")),
            ]
        ),
        False,
    ),
)
_SEAL_EXTENSIONS: _Extensions = (
    _END_ENTITY,
    (_key_usage("digital_signature", "content_commitment"), True),
)
_ORGANIZATION_EXTENSIONS: _Extensions = (
    _END_ENTITY,
    (_key_usage("digital_signature"), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
)


def _name(
    common_name: str, organization: str = SANDBOX_ORGANIZATION, *, number: str = "", serial_number: str = ""
) -> x509.Name:
    attributes = [(NameOID.COUNTRY_NAME, "NO"), (NameOID.ORGANIZATION_NAME, organization)]
    if number:
        attributes.append((NameOID.ORGANIZATION_IDENTIFIER, f"NTRNO-{number}"))
    if serial_number:
        attributes.append((NameOID.SERIAL_NUMBER, serial_number))
    attributes.append((NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _server_subject() -> x509.Name:
    """Return a name with the number in both places: Java reads the identifier, .NET the serial number."""
    return _name("Segl sandbox server", number=SERVER_NUMBER, serial_number=SERVER_NUMBER)


def _seal_subject() -> x509.Name:
    return _name("Segl sandbox seal", number=SERVER_NUMBER)


def _organization_subject(organization: SandboxOrganization) -> x509.Name:
    """Return the name in SEID 2's form."""
    return _name(organization.name, organization.name, number=organization.number)


def _pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def _load_certificates(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def _load_key(path: Path) -> Key:
    # Made here: to test an RSA key's primes again takes longer than to make it.
    key = load_pem_private_key(path.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError(
            f"{path} contains a key of another type than the sandbox creates: remove the folder {path.parent}."
        )
    return key
