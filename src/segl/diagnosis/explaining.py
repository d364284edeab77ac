"""Describes a document package or a whole create request, and lists each rule of the API that it breaks."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.parser import BytesHeaderParser
from typing import Any

from cryptography import x509

from segl.core import asice, plain_text
from segl.core.asice import archive, opening
from segl.core.asice.archive import ArchiveLimits
from segl.core.asice.building import MANIFEST, SIGNATURES
from segl.core.callers import CallerPolicy, check_client_use
from segl.core.certificates import (
    TrustAnchors,
    check_signing_use,
    check_validity,
    organization_name,
    organization_number,
)
from segl.core.errors import InvalidDocument, InvalidInput, InvalidPackage, InvalidRequest, UntrustedCertificate
from segl.core.multipart import request_and_package
from segl.core.organizations import NUMBER
from segl.core.protocol import (
    MOST_DOCUMENT_BYTES,
    ContactInformation,
    ManifestDocument,
    PersonalIdentificationNumber,
    PortalJobRequest,
    PortalManifest,
    Signer,
)
from segl.core.protocol.common import wrong_sender
from segl.core.sector import Sector
from segl.core.terms import contact_of, refusals, too_many_pages
from segl.core.xmldsig import XmlSignature
from segl.diagnosis.findings import NUMBER_ELSEWHERE, SKIPPED, Finding, State
from segl.sdk.documents import FileType, content_faults

CHECKS = (
    "request",
    "archive",
    "signature",
    "files",
    "signing-time",
    "certificate",
    "chain",
    "manifest",
    "documents",
    "pages",
    "sender",
    "terms",
)
"""In the order of the report, where a check with several faults appears several times.

`request` is for create requests only.
"""
_SENDER = re.compile(rf"\S+ \S*/({NUMBER})/portal/signature-jobs\b".encode())
_BOUNDARY = re.compile(rb"\s*--([^\r\n\"]{1,70}?)[ \t]*\r\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r\n")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_NEITHER = (
    "It is neither a document package (a ZIP file) nor a create request (the multipart body as sent, with or without "
    "its head); give one of these."
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found. What could not be read is None; what breaks a rule is here as it was read."""

    findings: tuple[Finding, ...]
    request: PortalJobRequest | None = None
    manifest: PortalManifest | None = None
    sizes: Mapping[str, int] | None = None
    """Sizes in bytes of the documents in the package, by name."""
    signature: XmlSignature | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the description for JSON; identity numbers are masked."""
        manifest, signature = self.manifest, self.signature
        return {
            "reference": self.request.reference if self.request else None,
            "polling_queue": self.request.polling_queue if self.request else None,
            "title": manifest.title if manifest else None,
            "sender": manifest.sender if manifest else None,
            "signers": [_signer(each) for each in manifest.signers] if manifest else [],
            "documents": [
                {"name": name, "size": size, **_described_in(manifest, name)}
                for name, size in (self.sizes or {}).items()
            ],
            "signed_by": _owner(signature.certificate) if signature else None,
            "signed_at": signature.signing_time.isoformat() if signature else None,
        }


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a package is checked against; what is None is not checked.

    trust:
        What the signing certificate must chain to.
    at:
        When the package arrives (aware), for its signing time and the certificate.
    sector:
        The sender's. None: what only one of the sectors may ask for is a warning.
    count_pages:
        Returns the number of pages of a document (name, media type, content); raises InvalidDocument if it cannot be
        signed.
    missing:
        Names the characters of a title that the signed document could not show here; empty if there are none.
    """

    trust: TrustAnchors | None = None
    at: datetime | None = None
    sector: Sector | None = None
    count_pages: Callable[[str, str, memoryview], int] | None = None
    missing: Callable[[str], str] | None = None


def explain(data: bytes, around: Surroundings = Surroundings()) -> Explanation:
    """Describe a package (ZIP) or create request (multipart body, with or without its head), and all its faults.

    What only the service knows is not checked: revocation, brokers, whom mail reaches.

    Raises:
        InvalidInput: it is neither.
    """
    if data.startswith(b"PK"):
        explained = _package(memoryview(data), around, None)
        return replace(explained, findings=_complete(explained.findings, CHECKS[1:]))
    explained = _request(_sent(data), around)
    return replace(explained, findings=_complete(explained.findings, CHECKS))


def _complete(findings: Sequence[Finding], checks: Sequence[str]) -> tuple[Finding, ...]:
    """Return the findings in the order of the checks, with the checks that were skipped."""
    skipped = [Finding(each, State.SKIPPED, SKIPPED) for each in {*checks} - {each.check for each in findings}]
    return tuple(sorted([*findings, *skipped], key=lambda each: checks.index(each.check)))


def _request(sent: "_Sent", around: Surroundings) -> Explanation:
    try:
        request_xml, package = request_and_package(sent.content_type, sent.body)
    except InvalidRequest as error:
        return Explanation((Finding("request", State.FAULT, str(error)),))
    request, faults = PortalJobRequest.with_faults(request_xml)
    found = _package(package, around, sent.sender)
    own = _findings("request", faults, "It has its two parts, and its XML follows the schema.")
    return replace(found, findings=(*own, *found.findings), request=request)


def _package(package: memoryview, around: Surroundings, url_sender: str | None) -> Explanation:
    try:
        files = archive.read(package, ArchiveLimits())
    except InvalidPackage as error:
        return Explanation((Finding("archive", State.FAULT, str(error)),))
    findings = _findings("archive", opening.missing(files), f"It is a ZIP file of {len(files)} files.")
    signature = None
    if SIGNATURES in files:
        signature, found = _signature(files, around)
        findings += found
    manifest, documents = None, opening.documents_of(files)
    if MANIFEST in files:
        manifest, faults = PortalManifest.with_faults(files[MANIFEST])
        findings += _findings("manifest", faults, "It follows the schema.")
    if manifest:
        well = "They are the ones that the manifest names."
        findings += _findings("documents", _document_faults(manifest, documents), well)
        findings += _pages(manifest, documents, around)
        findings += _sender(manifest, signature, url_sender)
        findings += _terms(manifest, around.sector)
    sizes = {name: len(content) for name, content in documents.items()}
    return Explanation(tuple(findings), None, manifest, sizes, signature)


def _findings(check: str, faults: Iterable[str], well: str) -> list[Finding]:
    """Return a finding for each fault, or one that says all is well."""
    return [Finding(check, State.FAULT, each) for each in faults] or [Finding(check, State.OK, well)]


def _signature(files: Mapping[str, memoryview], around: Surroundings) -> tuple[XmlSignature | None, list[Finding]]:
    try:
        signature = opening.signature_of(files)
    except InvalidPackage as error:
        return None, [Finding("signature", State.FAULT, str(error))]
    return signature, [
        *_findings("signature", opening.signature_faults(signature), "It is valid for what its XML says."),
        *_findings("files", opening.uncovered(files, signature.files), "Each is signed, and none was changed since."),
        *_signing_time(signature.signing_time, around.at),
        *_certificate(signature, around.at),
        *_chain(signature, around.trust, around.at),
    ]


def _signing_time(signing_time: datetime, at: datetime | None) -> list[Finding]:
    when = f"It was signed at {signing_time.isoformat()}"
    if at is None:
        most = asice.SIGNING_TIME_TOLERANCE.seconds
        sentence = f"{when}; not checked: it must arrive within {most} s of that; give the time of arrival with --at."
        return [Finding("signing-time", State.SKIPPED, sentence)]
    return _findings("signing-time", opening.wrong_time(signing_time, at, asice.SIGNING_TIME_TOLERANCE), f"{when}.")


def _certificate(signature: XmlSignature, at: datetime | None) -> list[Finding]:
    described = _described(signature.certificate)
    if faults := [*_certificate_faults(signature, at)]:
        return _findings("certificate", faults, described)
    if CallerPolicy().number(signature.certificate) is None:
        return [Finding("certificate", State.WARNING, f"{described} {NUMBER_ELSEWHERE}")]
    return [Finding("certificate", State.OK, described)]


def _certificate_faults(signature: XmlSignature, at: datetime | None) -> Iterator[str]:
    certificate = signature.certificate
    if organization_number(certificate) is None:
        yield (
            f"The certificate {certificate.subject.rfc4514_string()} has no organization number: sign with an "
            "organization certificate."
        )
    try:
        check_validity(certificate, at or signature.signing_time)
    except UntrustedCertificate as error:
        yield str(error)
    try:
        check_client_use(certificate)
        check_signing_use(certificate)
    except UntrustedCertificate as error:
        yield str(error)


def _described(certificate: x509.Certificate) -> str:
    name, number = organization_name(certificate), organization_number(certificate)
    return (
        f"It belongs to {name}, organization number {number}, valid until {certificate.not_valid_after_utc:%Y-%m-%d}."
    )


def _chain(signature: XmlSignature, trust: TrustAnchors | None, at: datetime | None) -> list[Finding]:
    if trust is None:
        return [Finding("chain", State.SKIPPED, "Not checked: no trust anchors were given.")]
    certificate = signature.certificate
    # The finding before says whether it is valid then.
    valid = min(max(at or signature.signing_time, certificate.not_valid_before_utc), certificate.not_valid_after_utc)
    try:
        root = trust.path(certificate, extra=signature.other_certificates, at=valid)[-1]
    except UntrustedCertificate as error:
        return [Finding("chain", State.FAULT, str(error))]
    return [Finding("chain", State.OK, f"It leads to {root.subject.rfc4514_string()}.")]


def _document_faults(manifest: PortalManifest, documents: Mapping[str, memoryview]) -> Iterator[str]:
    yield from asice.misnamed([each.href for each in manifest.documents], documents)
    for entry in manifest.documents:
        if entry.href in documents:
            yield from _content_faults(entry, documents[entry.href])
    size = sum(map(len, documents.values()))
    if size > MOST_DOCUMENT_BYTES:
        yield f"The documents have {size} bytes together: at most {MOST_DOCUMENT_BYTES} can be signed."


def _content_faults(entry: ManifestDocument, content: memoryview) -> Iterator[str]:
    media_type = entry.media_type.lower()  # case-insensitive (RFC 9110, 8.3.1)
    if media_type == FileType.TXT:
        try:
            plain_text.read_lines(content)
        except InvalidDocument as error:
            yield f"{entry.href}: {error}"
    elif media_type in {*FileType}:
        yield from (f"{entry.href}: {each}" for each in content_faults(FileType(media_type), content))
    else:
        yield f"{entry.href} has the media type {entry.media_type!r}: send {FileType.PDF} or {FileType.TXT}."


def _pages(manifest: PortalManifest, documents: Mapping[str, memoryview], around: Surroundings) -> list[Finding]:
    if around.count_pages is None:
        return [Finding("pages", State.SKIPPED, "Not checked: that needs segl[sandbox] or segl[service].")]
    faults, pages = [], 0
    for entry in manifest.documents:
        if entry.href in documents and not [*_content_faults(entry, documents[entry.href])]:
            try:
                pages += around.count_pages(entry.href, entry.media_type.lower(), documents[entry.href])
            except InvalidDocument as error:
                faults.append(str(error))
    faults += [each.sentence for each in too_many_pages(pages)]
    return [
        *_findings("pages", faults, f"There are {pages} in all, and each can be shown."),
        *_titles(manifest, around),
    ]


def _titles(manifest: PortalManifest, around: Surroundings) -> Iterator[Finding]:
    """Warnings, since the service may have other fonts."""
    for title in dict.fromkeys((manifest.title, *(each.title for each in manifest.documents))):
        if around.missing and (named := around.missing(title)):
            sentence = f"The title {title!r} has {named}, which no font here has: the service may refuse it."
            yield Finding("pages", State.WARNING, sentence)


def _terms(manifest: PortalManifest, sector: Sector | None) -> list[Finding]:
    """Without a sector, what only one of the two may ask for is a warning, since the sender may be of the other."""
    unreachable = [Finding("terms", State.FAULT, each) for each in _mail_faults(manifest)]
    broken = {each: [*refusals(each, manifest)] for each in ([sector] if sector else Sector)}
    everywhere = [each for each in next(iter(broken.values())) if all(each in found for found in broken.values())]
    doubts = [each for found in broken.values() for each in found if each not in everywhere]
    if not (unreachable or everywhere or doubts):
        askers = f"{sector} organizations" if sector else "organizations of both sectors"
        return [Finding("terms", State.OK, f"It asks only for what {askers} may ask for.")]
    return [
        *unreachable,
        *(Finding("terms", State.FAULT, each.sentence) for each in everywhere),
        *(Finding("terms", State.WARNING, each.sentence) for each in doubts),
    ]


def _mail_faults(manifest: PortalManifest) -> Iterator[str]:
    """The service checks more, but an address with nothing on one side of the @ is never valid."""
    for number, signer in enumerate(manifest.signers, 1):
        contact = contact_of(signer)
        if contact and contact.email and not re.fullmatch(r".*\S@\S.*", contact.email.address):
            yield f"The e-mail address of signer {number} cannot receive mail: give one like name@example.com."


def _sender(manifest: PortalManifest, signature: XmlSignature | None, url_sender: str | None) -> list[Finding]:
    if url_sender and (faults := [*wrong_sender(manifest.sender, url_sender)]):
        return _findings("sender", faults, "")
    signer = organization_number(signature.certificate) if signature else None
    if signer in (None, manifest.sender):
        return [Finding("sender", State.OK, f"It is {manifest.sender}.")]
    sentence = f"{signer} signed for {manifest.sender}, which must have authorized it as its broker."
    return [Finding("sender", State.WARNING, sentence)]


def _signer(signer: Signer) -> dict[str, Any]:
    contact = contact_of(signer)
    return {
        "identity_number": _masked(signer.identifier),
        "email": contact.email.address if contact and contact.email else None,
        "sms": contact.sms.number if contact and contact.sms else None,
        "order": signer.order,
        "signature_type": signer.signature_type,
    }


def _masked(identifier: PersonalIdentificationNumber | ContactInformation) -> str | None:
    return f"{identifier.value[:6]}*****" if isinstance(identifier, PersonalIdentificationNumber) else None


def _described_in(manifest: PortalManifest | None, name: str) -> dict[str, str | None]:
    entry = next((each for each in manifest.documents if each.href == name), None) if manifest else None
    return {"title": entry.title if entry else None, "media_type": entry.media_type if entry else None}


def _owner(certificate: x509.Certificate) -> dict[str, str | None]:
    return {"name": organization_name(certificate), "organization_number": organization_number(certificate)}


@dataclass(frozen=True, slots=True)
class _Sent:
    """A create request's body and what its head says; the sender is from the URL."""

    content_type: str
    body: bytes
    sender: str | None = None


def _sent(data: bytes) -> _Sent:
    if alone := _BOUNDARY.match(data):
        return _Sent(f'multipart/mixed; boundary="{alone[1].decode("latin-1")}"', data)
    end = _HEAD_END.search(data)
    if end is None:
        raise InvalidInput(_NEITHER)
    head, body = data[: end.start()], data[end.end() :]
    first, _, rest = head.partition(b"\n")
    headers = BytesHeaderParser().parsebytes(rest if b" HTTP/" in first else head)
    if "Content-Type" not in headers:
        raise InvalidInput(_NEITHER)
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        body = _joined(body)
    sender = _SENDER.match(first)
    return _Sent(str(headers["Content-Type"]), body, sender[1].decode() if sender else None)


def _joined(chunks: bytes) -> bytes:
    """Join a body sent in chunks (RFC 9112, 7.1); return it as it is if the recorder has joined them already."""
    joined, position = [], 0
    while size := _CHUNK.match(chunks, position):
        position = size.end() + int(size[1], 16) + 2
        joined.append(chunks[size.end() : position - 2])
    return b"".join(joined) if joined else chunks
