"""Making an XML signature: references, XAdES properties (baseline B), signature value, certificates."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from segl.core.errors import InvalidSignature
from segl.core.keys import SigningKey, TimestampAuthority
from segl.core.xml import canonical, format_date_time
from segl.core.xmldsig import algorithms
from segl.core.xmldsig.algorithms import DS, XADES


@dataclass(frozen=True, slots=True)
class Profile:
    """How a signature is written: the canonicalization, and the version of XAdES's SigningCertificate."""

    canonicalization: str
    signing_certificate: int


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file signed by its SHA-256; it is referred to by its percent-encoded name."""

    name: str
    media_type: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class _Reference:
    uri: str
    digest: bytes
    media_type: str | None = None
    type: str | None = None
    canonicalized: bool = False


def sign(
    signature: etree._Element,
    *,
    key: SigningKey,
    files: Sequence[SignedFile],
    objects: Sequence[etree._Element] = (),
    signing_time: datetime,
    profile: Profile,
) -> None:
    """Fills the empty ds:Signature `signature`, wherever it is in its document.

    It signs `files`, `objects` (ds:Object elements with an Id and XML content, which become part of it) and
    the XAdES properties.
    """
    signature.set("Id", "Signature")
    signed_info, value, key_info = (_add(signature, DS, name) for name in ("SignedInfo", "SignatureValue", "KeyInfo"))
    signature.extend(objects)
    references = [_Reference(quote(file.name), file.sha256, file.media_type) for file in files]
    references += [_reference_to(each, profile, "application/xml", algorithms.OBJECT_TYPE) for each in objects]
    properties = _add_properties(signature, key.certificate, references, signing_time, profile)
    references.append(_reference_to(properties, profile, None, algorithms.SIGNED_PROPERTIES_TYPE))
    _fill_signed_info(signed_info, algorithms.signature_method(key), references, profile)
    value.text = _base64(algorithms.signature_value(key, _canonical(signed_info, profile)))
    _fill_key_info(key_info, key)


def add_timestamp(signature: etree._Element, authority: TimestampAuthority, profile: Profile) -> None:
    """Adds a timestamp over the signature value (XAdES baseline T)."""
    value = signature.find(f"{{{DS}}}SignatureValue")
    properties = signature.find(f"{{{DS}}}Object/{{{XADES}}}QualifyingProperties")
    if value is None or properties is None:
        raise InvalidSignature("The signature is not complete: sign before adding a timestamp.")
    token = authority.timestamp(sha256(_canonical(value, profile)).digest())
    unsigned = _add(_add(properties, XADES, "UnsignedProperties"), XADES, "UnsignedSignatureProperties")
    timestamp = _add(unsigned, XADES, "SignatureTimeStamp")
    _add(timestamp, DS, "CanonicalizationMethod", Algorithm=profile.canonicalization)
    _add(timestamp, XADES, "EncapsulatedTimeStamp", _base64(token))


def _reference_to(element: etree._Element, profile: Profile, media_type: str | None, kind: str) -> _Reference:
    digest = sha256(_canonical(element, profile)).digest()
    return _Reference(f"#{element.get('Id')}", digest, media_type, kind, canonicalized=True)


def _fill_signed_info(
    signed_info: etree._Element, method: str, references: Sequence[_Reference], profile: Profile
) -> None:
    _add(signed_info, DS, "CanonicalizationMethod", Algorithm=profile.canonicalization)
    _add(signed_info, DS, "SignatureMethod", Algorithm=method)
    for number, reference in enumerate(references):
        kind = {"Type": reference.type} if reference.type else {}
        element = _add(signed_info, DS, "Reference", Id=f"ID_{number}", URI=reference.uri, **kind)
        if reference.canonicalized:
            _add(_add(element, DS, "Transforms"), DS, "Transform", Algorithm=profile.canonicalization)
        _add_digest(element, algorithms.SHA256, reference.digest)


def _add_properties(
    signature: etree._Element,
    certificate: x509.Certificate,
    references: Sequence[_Reference],
    signing_time: datetime,
    profile: Profile,
) -> etree._Element:
    """The XAdES properties, with one format for each of the references; gives the signed part."""
    qualifying = _add(_add(signature, DS, "Object"), XADES, "QualifyingProperties", Target="#Signature")
    properties = _add(qualifying, XADES, "SignedProperties", Id="SignedProperties")
    of_signature = _add(properties, XADES, "SignedSignatureProperties")
    _add(of_signature, XADES, "SigningTime", format_date_time(signing_time))
    _add_signing_certificate(of_signature, certificate, profile.signing_certificate)
    of_objects = _add(properties, XADES, "SignedDataObjectProperties")
    for number, reference in enumerate(references):
        data_format = _add(of_objects, XADES, "DataObjectFormat", ObjectReference=f"#ID_{number}")
        _add(data_format, XADES, "MimeType", reference.media_type)
    return properties


def _add_signing_certificate(parent: etree._Element, certificate: x509.Certificate, version: int) -> None:
    """Version 1 as the official clients write it: SHA-1, issuer and serial number."""
    name = "SigningCertificate" if version == 1 else "SigningCertificateV2"
    cert = _add(_add(parent, XADES, name), XADES, "Cert")
    algorithm = algorithms.SHA1 if version == 1 else algorithms.SHA256
    fingerprint = algorithms.digest(algorithm, _der(certificate))
    _add_digest(_add(cert, XADES, "CertDigest"), algorithm, fingerprint)
    if version == 1:
        issuer_serial = _add(cert, XADES, "IssuerSerial")
        _add(issuer_serial, DS, "X509IssuerName", certificate.issuer.rfc4514_string())
        _add(issuer_serial, DS, "X509SerialNumber", str(certificate.serial_number))


def _fill_key_info(key_info: etree._Element, key: SigningKey) -> None:
    data = _add(key_info, DS, "X509Data")
    for certificate in (key.certificate, *key.chain):
        _add(data, DS, "X509Certificate", _base64(_der(certificate)))


def _add_digest(parent: etree._Element, algorithm: str, digest: bytes) -> None:
    _add(parent, DS, "DigestMethod", Algorithm=algorithm)
    _add(parent, DS, "DigestValue", _base64(digest))


def _add(
    parent: etree._Element, namespace: str, name: str, text: str | None = None, **attributes: str
) -> etree._Element:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes or None)
    if text is not None:
        child.text = text
    return child


def _canonical(element: etree._Element, profile: Profile) -> bytes:
    return canonical(element, exclusive=profile.canonicalization == algorithms.EXCLUSIVE)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


@lru_cache(maxsize=64)
def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
