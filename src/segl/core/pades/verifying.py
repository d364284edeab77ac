"""Verifying a signed PDF: the seal, to the last byte of the file, and each attached XAdES. Never a network call."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from itertools import pairwise
from typing import Any

from asn1crypto.core import Void
from asn1crypto.parser import peek
from asn1crypto.tsp import TSTInfo
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from segl.core import xades
from segl.core.certificates import TrustAnchors, load_der, organization_name
from segl.core.errors import InvalidSignature
from segl.core.pades.additions import UnexpectedAdditionError, check_additions
from segl.core.verification import DocumentReport, DocumentState, SignatureReport, Verdict, judge_signer

DIGESTS = ("sha256", "sha384", "sha512")
SUBFILTERS = ("/ETSI.CAdES.detached", "/adbe.pkcs7.detached")
MOST_NODES = 100_000
"""Of the trees of fields and attached files, of which a hostile file can have any number of paths."""
MOST_REVISIONS = 200
"""After the seal: each is compared with the one before. A renewal every year makes two a year."""

# What a revision consists of, with the spaces and comments (such as the name of a program) that follow each part.
_SPACE = rb"(?:[\s\0]|%[^\r\n]*[\r\n])*"
_OBJECT = rb"\s*\d+[\s\0]+\d+[\s\0]+obj\b.*\bendobj" + _SPACE
_TABLE = rb"\s*xref\s(?P<entries>[\s\dfn]*)trailer\s*<<.*>>" + _SPACE
_END = rb"startxref\s+(?P<start>\d+)\s+%%EOF\s*"


def verify(
    pdf: bytes, *, trust: TrustAnchors, documents: Mapping[str, bytes] | None, at: datetime
) -> tuple[SignatureReport, ...]:
    """A report for each signature over the PDF (ours have one, the seal), then for each in the attached XAdES.

    Args:
        documents: the originals by name, which the XAdES must cover. None: they are not at hand.
        at: the time at which the certificates must be valid.

    Raises:
        InvalidSignature: It is not a PDF that we can read, or it is not signed.
    """
    try:
        reader = PdfFileReader(BytesIO(pdf))
        _check_fields(reader)
        seals = [_seal_report(seal, trust, at) for seal in reader.embedded_regular_signatures]
        attached = [*dict.fromkeys(_attached_xml(reader))]
    except Exception as error:  # on files that are not what they seem, pyHanko raises whatever comes, assertions too
        raise InvalidSignature(f"The file cannot be read as a signed PDF ({error}).") from None
    if not seals:
        raise InvalidSignature("The PDF is not signed: it has no signature of its own.")
    signers = [report for name, xml in attached for report in _xades_reports(name, xml, trust, documents, at)]
    if documents and not signers:
        seals = [_covering_none(seal, documents) for seal in seals]
    return (*seals, *_together(seals[0], signers))


def _seal_report(seal: EmbeddedPdfSignature, trust: TrustAnchors, at: datetime) -> SignatureReport:
    seal.compute_integrity_info(skip_diff=True)  # type: ignore[no-untyped-call]  # pyHanko has types in part only
    faults = tuple(_faults(seal))
    certificate = load_der(seal.signer_cert.dump())
    others = [load_der(each.dump()) for each in seal.other_embedded_certs]
    voucher, distrust = judge_signer(certificate, extra=others, trust=trust, at=at)
    return SignatureReport(
        kind="PAdES",
        name=seal.field_name,
        signer=organization_name(certificate),
        signed_at=None if faults else seal.self_reported_timestamp,
        verdict=Verdict.FAILED if faults else Verdict.INDETERMINATE if distrust else Verdict.PASSED,
        intact=not faults,
        trusted=not distrust,
        reasons=(*faults, *distrust),
        certificate_subject=certificate.subject.rfc4514_string(),
        certificate_issuer=certificate.issuer.rfc4514_string(),
        vouched_for_by=voucher,
    )


def _faults(seal: EmbeddedPdfSignature) -> Iterator[str]:
    """What is wrong with the bytes, regardless of who signed them."""
    subfilter, digest = seal.sig_object.get("/SubFilter"), seal.md_algorithm
    if subfilter not in SUBFILTERS:
        yield f"The seal is of the kind {subfilter}, which is not a PDF signature that can be verified."
    if digest not in DIGESTS:
        yield f"The seal uses the digest algorithm {digest}, which protects nothing any more."
    yield from _signature_faults(seal)
    yield from _coverage_faults(seal)


def _signature_faults(seal: EmbeddedPdfSignature) -> Iterator[str]:
    if not isinstance(seal.signed_data["encap_content_info"]["content"], Void):
        yield "The seal has a content of its own, which is not the file."
    try:
        intact, valid = validate_sig_integrity(
            seal.signer_info, seal.signer_cert, expected_content_type="data", actual_digest=seal.compute_digest()
        )
    except SignatureValidationError as error:
        yield f"The seal is malformed: {error.failure_message}."
        return
    if not intact:
        yield "The sealed part of the file has been changed."
    if not valid:
        yield "The seal was not made with the key of its certificate."
    if not _is_alone_in_its_room(seal):
        yield "The gap left for the seal also holds something else, which was not signed."


def _is_alone_in_its_room(seal: EmbeddedPdfSignature) -> bool:
    """Whether the gap in what the seal covers holds the seal and zeros, as hexadecimal digits, and nothing else."""
    start, first, second, _ = seal.byte_range
    seal.reader.stream.seek(start + first)
    room = seal.reader.stream.read(second - start - first)
    contents = bytes(seal.pkcs7_content)
    written = contents.hex().encode()
    return room in {b"<%s>" % written, b"<%s>" % written.upper()} and not contents[peek(contents) :].strip(b"\0")


def _coverage_faults(seal: EmbeddedPdfSignature) -> Iterator[str]:
    """The seal must cover the whole file; only what keeps a seal verifiable over the years may come after it.

    Bytes that belong to no revision, which readers pass over, are not that.
    """
    if seal.coverage == SignatureCoverageLevel.ENTIRE_FILE:
        return
    if seal.coverage != SignatureCoverageLevel.ENTIRE_REVISION:
        yield "The seal does not cover the whole file."
        return
    try:
        _check_what_follows(seal)
    except UnexpectedAdditionError as error:
        yield f"The file was changed after it was sealed: {error}."


def _check_what_follows(seal: EmbeddedPdfSignature) -> None:
    if not _is_read_alike(seal):
        raise UnexpectedAdditionError("it has additions that some programs do not see")
    added = check_additions(seal.reader, seal.signed_revision)
    timestamps = seal.reader.embedded_timestamp_signatures
    later = [each for each in timestamps if each.signed_revision > seal.signed_revision]
    if len(later) != added or not all(map(_holds, later)):
        raise UnexpectedAdditionError("it has a document timestamp that does not hold")


def _holds(timestamp: EmbeddedPdfSignature) -> bool:
    """Whether a document timestamp is one, over the file as it was then; who made it is not judged."""
    content = timestamp.signed_data["encap_content_info"]["content"]
    algorithms = timestamp.md_algorithm, timestamp.external_md_algorithm
    if not isinstance(content.parsed, TSTInfo) or not {*algorithms} <= {*DIGESTS}:
        return False
    imprint = content.parsed["message_imprint"]["hashed_message"].native
    signed = hashlib.new(timestamp.md_algorithm, bytes(content)).digest()
    try:
        integrity = validate_sig_integrity(
            timestamp.signer_info, timestamp.signer_cert, expected_content_type="tst_info", actual_digest=signed
        )
    except SignatureValidationError:
        return False
    covers = timestamp.evaluate_signature_coverage() >= SignatureCoverageLevel.ENTIRE_REVISION
    return covers and _is_alone_in_its_room(timestamp) and all(integrity) and imprint == timestamp.compute_digest()


def _is_read_alike(seal: EmbeddedPdfSignature) -> bool:
    """Whether every reader finds what this one found after the seal, also one that takes the first of two entries.

    So there must be objects, each listed once, and cross-reference tables, one after another with nothing in between.
    """
    xrefs, (_, _, start, length) = seal.reader.xrefs, seal.byte_range
    later = range(seal.signed_revision + 1, xrefs.total_revisions)
    if not 0 < len(later) <= MOST_REVISIONS:
        return False
    objects = [at for each in later for _, at in xrefs.get_xref_data(each).standard_xrefs.values()]
    tables = {xrefs.get_startxref_for_revision(each): each for each in later}
    starts = sorted({*objects, *tables})
    seal.reader.stream.seek(0)
    whole = seal.reader.stream.read()
    pieces = zip(starts, (whole[one:other] for one, other in pairwise([*starts, len(whole)])), strict=True)
    return (
        len(objects) == len({*objects})
        and bool(re.fullmatch(_SPACE, whole[start + length : starts[0]]))
        and starts[0] >= start + length
        and starts[-1] in tables
        and all(_is_whole(seal.reader, piece, tables.get(at)) for at, piece in pieces)
    )


def _is_whole(reader: PdfFileReader, piece: bytes, revision: int | None) -> bool:
    """Whether a piece of the file is one object or, with the end of its revision, a cross-reference table."""
    words = [len(re.findall(word, piece)) for word in (rb"\d[\s\0]+obj\b", b"endobj", b"trailer", b"startxref")]
    if revision is None:
        return words == [1, 1, 0, 0] and bool(re.fullmatch(_OBJECT, piece, re.DOTALL))
    is_stream = reader.xrefs.get_xref_container_info(revision).stream_ref is not None
    if words != ([1, 1, 0, 1] if is_stream else [0, 0, 1, 1]):
        return False
    found = re.fullmatch((_OBJECT if is_stream else _TABLE) + _END, piece, re.DOTALL)
    if not found or int(found["start"]) != reader.xrefs.get_startxref_for_revision(revision):
        return False
    listed = len(reader.xrefs.get_xref_data(revision).standard_xrefs)
    return is_stream or len(re.findall(rb"\bn\b", found["entries"])) == listed


def _together(seal: SignatureReport, signers: Sequence[SignatureReport]) -> Iterator[SignatureReport]:
    """The attached signatures as those of one job under one seal: a genuine one from elsewhere proves nothing here."""
    read = [each for each in signers if each.vouched_for_by]
    jobs = {each.evidence.job_id for each in read if each.evidence}
    documents = {frozenset(each.sha256 for each in report.documents if each.sha256) for report in read}
    for report in signers:
        reasons: list[str] = []
        if not report.vouched_for_by:
            yield report
            continue
        if len(jobs) > 1:
            reasons.append("The attached signatures belong to different jobs.")
        if len(documents) > 1:
            reasons.append("The attached signatures do not cover the same documents.")
        if seal.vouched_for_by and not report.vouched_for_by.is_same_as(seal.vouched_for_by):
            reasons.append(
                f"It is vouched for by {report.vouched_for_by}, not by {seal.vouched_for_by}, who sealed the file."
            )
        yield replace(report, **_doubted(report, reasons)) if reasons else report


def _covering_none(seal: SignatureReport, documents: Mapping[str, bytes]) -> SignatureReport:
    """The report of a seal over a PDF that has no XAdES, and so says nothing of any document."""
    uncovered = tuple(DocumentReport(name, DocumentState.NOT_SIGNED) for name in documents)
    reason = "The PDF has no XAdES attached, which would say that the documents given are what was signed."
    return replace(seal, documents=uncovered, **_doubted(seal, [reason]))


def _doubted(report: SignatureReport, reasons: Sequence[str]) -> dict[str, Any]:
    verdict = Verdict.FAILED if report.verdict is Verdict.FAILED else Verdict.INDETERMINATE
    return {"verdict": verdict, "reasons": (*report.reasons, *reasons)}


def _attached_xml(reader: PdfFileReader) -> Iterator[tuple[str, bytes]]:
    """Name and content of each attached XML file."""
    names = _entry(reader.root, "/Names", {})
    nodes = _nodes([names["/EmbeddedFiles"]] if "/EmbeddedFiles" in names else [])
    for specification in (each.get_object() for node in nodes for each in list(_entry(node, "/Names", ()))[1::2]):
        name = str(_entry(specification, "/UF", _entry(specification, "/F", "")))
        content = specification["/EF"]["/F"]
        if name.lower().endswith(".xml") or str(_entry(content, "/Subtype", "")).endswith("xml"):
            yield name, content.data


def _check_fields(reader: PdfFileReader) -> None:
    """Make sure that the fields can be enumerated: a hostile tree of few objects has paths without end."""
    form = _entry(reader.root, "/AcroForm", {})
    for _ in _nodes(_entry(form, "/Fields", ())):
        pass


def _nodes(roots: Iterable[Any]) -> Iterator[Any]:
    """The nodes of a name tree (ISO 32000-1, 7.9.6) or of the fields (12.7.3.1), one for each path to it."""
    nodes = [*roots]
    for each in nodes:  # which grows
        node = each.get_object()
        nodes.extend(_entry(node, "/Kids", ()))
        if len(nodes) > MOST_NODES:
            raise ValueError(f"it has more than {MOST_NODES} fields or parts of the list of attached files")
        yield node


def _entry(dictionary: Any, key: str, default: Any) -> Any:
    """The value itself: pyHanko's `get` would answer a reference to it."""
    return dictionary[key] if key in dictionary else default  # noqa: SIM401 (see above)


def _xades_reports(
    name: str, xml: bytes, trust: TrustAnchors, documents: Mapping[str, bytes] | None, at: datetime
) -> tuple[SignatureReport, ...]:
    try:
        return xades.verify(xml, trust=trust, documents=documents, at=at, name=name)
    except InvalidSignature as error:
        return (_unreadable(name, str(error)),)


def _unreadable(name: str, reason: str) -> SignatureReport:
    return SignatureReport(
        kind="XAdES",
        name=name,
        signer="",
        signed_at=None,
        verdict=Verdict.FAILED,
        intact=False,
        trusted=False,
        reasons=(reason,),
        certificate_subject="",
        certificate_issuer="",
    )
