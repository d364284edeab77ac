"""Opening a document package: only what a trusted organization signed, whole and just now, comes out.

Its rules are steps of their own, most of which say all that breaks them: opening stops at the first, others go on.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote, unquote_plus

from cryptography import x509

from segl.core import xmldsig
from segl.core.asice import archive
from segl.core.asice.archive import ArchiveLimits
from segl.core.asice.building import ASIC, MANIFEST, SIGNATURES
from segl.core.callers import CallerPolicy
from segl.core.certificates import TrustAnchors
from segl.core.errors import InvalidMessage, InvalidPackage, InvalidSignature
from segl.core.xml import parse
from segl.core.xmldsig import Reference, XmlSignature

SIGNING_TIME_TOLERANCE = timedelta(seconds=5)
"""How far from its arrival the official service lets a package's signing time lie."""
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
    policy: CallerPolicy = CallerPolicy(),  # noqa: B008 - frozen
    limits: ArchiveLimits = ArchiveLimits(),  # noqa: B008 - frozen
) -> Package:
    """The documents and the manifest, when the package holds in every respect.

    Args:
        now: when its first byte was received; the signing time may differ by `tolerance` in either direction.
        expected_signer: the client certificate of the connection, whose organization must have signed.
        policy: which organization certificates count.

    Raises:
        InvalidPackage: broken, incomplete, changed, signed by another organization or at another time.
        UntrustedCertificate: the signing certificate does not chain to `trust` (revocation apart), or does not count.
    """
    files = archive.read(data, limits)
    _refuse(missing(files))
    signature = signature_of(files)
    _refuse(signature_faults(signature))
    _refuse(uncovered(files, signature.files))
    chain, signed_by = policy.check(signature.certificate, trust, extra=signature.other_certificates, at=now)
    if expected_signer is not None:
        _refuse(wrong_signer(signed_by, policy.number(expected_signer)))
    _refuse(wrong_time(signature.signing_time, now, tolerance))
    return Package(files[MANIFEST], documents_of(files), chain, signature.signing_time)


def _refuse(faults: Iterable[str]) -> None:
    for fault in faults:
        raise InvalidPackage(fault)


def documents_of(files: Mapping[str, memoryview]) -> dict[str, memoryview]:
    """What is to be signed by people, in the order of the ZIP."""
    return {name: content for name, content in files.items() if name not in _UNSIGNED | {MANIFEST}}


def missing(files: Mapping[str, memoryview]) -> Iterator[str]:
    """Says what a package lacks."""
    for name in (MANIFEST, SIGNATURES):
        if name not in files:
            yield f"The package has no {name}; add it."
    if bytes(files.get("mimetype", _MEDIA_TYPE)).strip() != _MEDIA_TYPE:
        yield f"The file mimetype must say {_MEDIA_TYPE.decode()}."


def signature_of(files: Mapping[str, memoryview]) -> XmlSignature:
    """The one signature, valid or not. Raises `InvalidPackage` if it is not of a form that we accept."""
    try:
        root = parse(files[SIGNATURES], keep_pis=True)
        if root.tag != f"{{{ASIC}}}XAdESSignatures" or [each.tag for each in root] != [f"{{{xmldsig.DS}}}Signature"]:
            raise InvalidSignature("It must be one XAdESSignatures element with exactly one Signature in it")
        return xmldsig.read(root[0])
    except (InvalidMessage, InvalidSignature) as error:
        raise InvalidPackage(f"{SIGNATURES} is not accepted. {error}") from None


def signature_faults(signature: XmlSignature) -> Iterator[str]:
    """Yields why the signature does not hold for its own XML."""
    for fault in signature.faults:
        yield f"The signature in {SIGNATURES} does not hold. {fault}"


def uncovered(files: Mapping[str, memoryview], references: Sequence[Reference]) -> Iterator[str]:
    """Says what keeps each file from being signed exactly once, and each reference from being to a file."""
    unsigned = files.keys() - _UNSIGNED
    for reference in references:
        name = _file_name(reference.uri, files)
        if name not in unsigned:
            yield f"The signature refers to {reference.uri!r}, which is not a separate file in the package."
            continue
        if not reference.matches(files[name]):
            yield f"The file {name} was changed after the package was signed."
        unsigned.remove(name)
    for name in sorted(unsigned):
        yield f"The file {name} is not signed; sign every file in the package."


def _file_name(uri: str, files: Mapping[str, memoryview]) -> str | None:
    """The file a URI names: as it is (.NET), percent-encoded, or form-encoded (Java)."""
    return next((name for name in (uri, unquote(uri), unquote_plus(uri)) if name in files), None)


def wrong_signer(signed_by: str, sent_by: str | None) -> Iterator[str]:
    """Says that another organization signed than the one that is expected."""
    if signed_by != sent_by:
        yield (
            f"The package is signed by organization {signed_by}, but sent by {sent_by}; "
            "sign it with the certificate that is used for the connection."
        )


def wrong_time(signing_time: datetime, now: datetime, tolerance: timedelta) -> Iterator[str]:
    """Says that it was signed too long before or after."""
    if abs(signing_time - now) > tolerance:
        yield (
            f"The package was signed at {signing_time.isoformat()}, more than {tolerance.total_seconds():g} "
            f"seconds from {now.isoformat()}, the time it arrived; correct the clock and send packages at once."
        )


def misnamed(hrefs: Sequence[str], documents: Collection[str]) -> Iterator[str]:
    """Says that the manifest (its `hrefs`) and the package do not name the same documents, each once."""
    absent, unknown = {*hrefs} - {*documents}, {*documents} - {*hrefs}
    repeated = [name for name, count in Counter(hrefs).items() if count > 1]
    if absent or unknown or repeated:
        yield (
            "The manifest and the package must name the same files, each once; "
            f"missing from the package: {', '.join(sorted(absent)) or 'none'}; "
            f"missing from the manifest: {', '.join(sorted(unknown)) or 'none'}; "
            f"more than once in the manifest: {', '.join(repeated) or 'none'}."
        )
