"""Opening a document package: only what a trusted organization signed, whole and just now, comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote, unquote_plus

from cryptography import x509

from segl.core import xmldsig
from segl.core.asice import archive
from segl.core.asice.archive import Limits
from segl.core.asice.building import ASIC, MANIFEST, SIGNATURES
from segl.core.certificates import TrustAnchors, organization_number
from segl.core.errors import InvalidMessage, InvalidPackage, InvalidSignature
from segl.core.xml import parse
from segl.core.xmldsig import Reference, XmlSignature

_MEDIA_TYPE = b"application/vnd.etsi.asic-e+zip"
# What ASiC says about itself is not signed. All else must be, in META-INF too: nothing unsigned gets in.
_UNSIGNED = {"mimetype", SIGNATURES, "META-INF/manifest.xml"}


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose every byte was verified. `documents` are in the order of the ZIP.

    The contents are views of what was opened, or of a temporary file with what was packed: they cost no memory.
    """

    manifest: memoryview
    documents: Mapping[str, memoryview]
    chain: tuple[x509.Certificate, ...]
    """From the certificate it was signed with up to an anchor."""
    signing_time: datetime


def open_package(
    data: bytes | memoryview,
    *,
    trust: TrustAnchors,
    now: datetime,
    tolerance: timedelta,
    expected_signer: x509.Certificate | None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Package:
    """The documents and the manifest, when the package holds in every respect.

    Args:
        now: when its first byte was received; the signing time may differ by `tolerance` in either direction.
        expected_signer: the client certificate of the connection, whose organization must have signed.

    Raises:
        InvalidPackage: broken, incomplete, changed, signed by another organization or at another time.
        UntrustedCertificate: the signing certificate does not chain to `trust` (revocation apart).
    """
    files = archive.read(data, limits)
    signature = _signature(files)
    _check_covered(files, signature.files)
    chain = trust.chain(signature.certificate, extra=signature.other_certificates, at=now)
    _check_signer(signature.certificate, expected_signer)
    _check_signing_time(signature.signing_time, now, tolerance)
    documents = {name: content for name, content in files.items() if name not in _UNSIGNED | {MANIFEST}}
    return Package(files[MANIFEST], documents, chain, signature.signing_time)


def _signature(files: Mapping[str, memoryview]) -> XmlSignature:
    """The one signature, holding for what stands in its XML."""
    for name in (MANIFEST, SIGNATURES):
        if name not in files:
            raise InvalidPackage(f"The package has no {name}; add it.")
    if bytes(files.get("mimetype", _MEDIA_TYPE)).strip() != _MEDIA_TYPE:
        raise InvalidPackage(f"The file mimetype must say {_MEDIA_TYPE.decode()}.")
    try:
        root = parse(files[SIGNATURES], keep_pis=True)
        if root.tag != f"{{{ASIC}}}XAdESSignatures" or [each.tag for each in root] != [f"{{{xmldsig.DS}}}Signature"]:
            raise InvalidSignature("It must be one XAdESSignatures element with exactly one Signature in it")
        signature = xmldsig.read(root[0])
    except (InvalidMessage, InvalidSignature) as error:
        raise InvalidPackage(f"{SIGNATURES} is not accepted. {error}") from None
    if signature.faults:
        raise InvalidPackage(f"The signature in {SIGNATURES} does not hold. {signature.faults[0]}")
    return signature


def _check_covered(files: Mapping[str, memoryview], references: Sequence[Reference]) -> None:
    """Each file is signed exactly once, and each reference is to a file."""
    unsigned = files.keys() - _UNSIGNED
    for reference in references:
        name = _file_name(reference.uri, files)
        if name not in unsigned:
            raise InvalidPackage(
                f"The signature refers to {reference.uri!r}, which is no file of its own in the package."
            )
        if not reference.matches(files[name]):
            raise InvalidPackage(f"The file {name} was changed after the package was signed.")
        unsigned.remove(name)
    if unsigned:
        raise InvalidPackage(f"The file {min(unsigned)} is not signed; sign every file in the package.")


def _file_name(uri: str, files: Mapping[str, memoryview]) -> str | None:
    """The file a URI names: as it stands (.NET), percent-encoded, or form-encoded (Java)."""
    return next((name for name in (uri, unquote(uri), unquote_plus(uri)) if name in files), None)


def _check_signer(certificate: x509.Certificate, expected: x509.Certificate | None) -> None:
    if expected is None:
        return
    signed_by, sent_by = organization_number(certificate), organization_number(expected)
    if signed_by is None or signed_by != sent_by:
        raise InvalidPackage(
            f"The package is signed by organization {signed_by}, but sent by {sent_by}; "
            "sign it with the certificate that is used for the connection."
        )


def _check_signing_time(signing_time: datetime, now: datetime, tolerance: timedelta) -> None:
    if abs(signing_time - now) > tolerance:
        raise InvalidPackage(
            f"The package was signed at {signing_time.isoformat()}, more than {tolerance.total_seconds():g} "
            f"seconds from {now.isoformat()} when it arrived; set the clock right and send packages at once."
        )
