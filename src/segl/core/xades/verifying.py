"""Verifying XAdES signatures: says what was found instead of yes or no."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from urllib.parse import unquote

from segl.core import xmldsig
from segl.core.certificates import TrustAnchors, organization_name
from segl.core.errors import InvalidMessage, InvalidSignature
from segl.core.evidence import OBJECT_ID, Evidence, read_evidence
from segl.core.verification import DocumentReport, DocumentState, SignatureReport, Verdict, judge_signer
from segl.core.xml import parse
from segl.core.xmldsig import Reference, XmlSignature

_SIGNATURE = f"{{{xmldsig.DS}}}Signature"
_MAX_BYTES = 10_000_000
_MOST_SIGNATURES = 100
_SENTENCES = {
    DocumentState.CHANGED: "The document {} is not the one that was signed.",
    DocumentState.MISSING: "The document {} is signed, but it is not among the documents given.",
    DocumentState.NOT_SIGNED: "The document {} was given, but this signature does not cover it.",
}


def verify(
    xml: bytes,
    *,
    trust: TrustAnchors,
    documents: Mapping[str, bytes] | None,
    at: datetime,
    name: str = "",
) -> tuple[SignatureReport, ...]:
    """One report per signature in `xml` (a ds:Signature, or a XAdESSignatures element of several).

    Args:
        documents: content by name. Each must be covered, and each signed document must be among them, under
            its name or another. None: they are not at hand, only the signature over their digests is judged.
        at: the time at which the certificates must be valid.
        name: the file or attachment's name, for the reports.

    Raises:
        InvalidSignature: It is not a signature that we can read.
    """
    try:
        root = parse(xml, max_bytes=_MAX_BYTES, keep_pis=True)
    except InvalidMessage as error:
        raise InvalidSignature(f"The signature is not accepted. {error}") from None
    signatures = [root] if root.tag == _SIGNATURE else root.findall(_SIGNATURE)
    if not 0 < len(signatures) <= _MOST_SIGNATURES:
        raise InvalidSignature(
            f"There are {len(signatures)} signatures in the XML, whose root element is {root.tag!s}; "
            f"there must be from 1 to {_MOST_SIGNATURES}."
        )
    return tuple(_report(xmldsig.read(each), trust, documents, at, name) for each in signatures)


def _report(
    signature: XmlSignature,
    trust: TrustAnchors,
    documents: Mapping[str, bytes] | None,
    at: datetime,
    name: str,
) -> SignatureReport:
    """What is said of the signer and the act comes from signed bytes; so nothing is when they are broken."""
    unbroken = not signature.faults
    found = _documents(signature.files, documents)
    voucher, distrust = judge_signer(signature.certificate, extra=signature.other_certificates, trust=trust, at=at)
    said = _evidence(signature) if unbroken else None
    evidence, claimed = (None, said) if distrust else (said, None)
    states = {each.state for each in found}
    intact = unbroken and DocumentState.CHANGED not in states
    complete = bool(found) and states <= {DocumentState.INTACT, DocumentState.NOT_GIVEN}
    return SignatureReport(
        kind="XAdES",
        name=name,
        signer=evidence.signer_name if evidence else organization_name(signature.certificate),
        signed_at=signature.signing_time if unbroken else None,
        verdict=_verdict(intact=intact, certain=complete and not distrust),
        intact=intact,
        trusted=not distrust,
        reasons=(*signature.faults, *_sentences(found), *distrust),
        certificate_subject=signature.certificate.subject.rfc4514_string(),
        certificate_issuer=signature.certificate.issuer.rfc4514_string(),
        vouched_for_by=voucher,
        documents=found,
        evidence=evidence,
        claimed_evidence=claimed,
    )


def _verdict(*, intact: bool, certain: bool) -> Verdict:
    if not intact:
        return Verdict.FAILED
    return Verdict.PASSED if certain else Verdict.INDETERMINATE


def _evidence(signature: XmlSignature) -> Evidence | None:
    """The evidence, in signatures that have it: our own."""
    content = signature.parts.get(OBJECT_ID)
    return read_evidence(content) if content else None


def _documents(references: Sequence[Reference], given: Mapping[str, bytes] | None) -> tuple[DocumentReport, ...]:
    reports: list[DocumentReport] = []
    used: set[str | None] = set()
    for each in references:
        reports.append(_document(each, given, used))
        used.add(reports[-1].given_as)
    extra = [DocumentReport(name, DocumentState.NOT_SIGNED) for name in given or () if name not in used]
    return (*reports, *extra)


def _document(reference: Reference, given: Mapping[str, bytes] | None, used: Collection[str | None]) -> DocumentReport:
    """A file that was renamed is still the document that was signed: the bytes decide, then the name.

    Of equal ones, each counts for one reference.
    """
    name, digest = unquote(reference.uri), reference.digest.hex()
    if given is None:
        return DocumentReport(name, DocumentState.NOT_GIVEN, digest)
    by_preference = sorted(given, key=lambda each: (each in used, each != name))
    same = next((each for each in by_preference if reference.matches(given[each])), None)
    if same is not None:
        return DocumentReport(name, DocumentState.INTACT, digest, same)
    if name in given:
        return DocumentReport(name, DocumentState.CHANGED, digest, name)
    return DocumentReport(name, DocumentState.MISSING, digest)


def _sentences(reports: Sequence[DocumentReport]) -> tuple[str, ...]:
    if not reports:
        return ("The signature covers no document.",)
    return tuple(_SENTENCES[each.state].format(each.name) for each in reports if each.state in _SENTENCES)
