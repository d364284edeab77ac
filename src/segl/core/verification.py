"""What a verification found: one report per signature, in words a person can act on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from cryptography.x509 import Certificate

from segl.core.certificates import TrustAnchors, Voucher, check_commitment
from segl.core.errors import UntrustedCertificate
from segl.core.evidence import Evidence


class Verdict(StrEnum):
    """The status of a signature validation (ETSI EN 319 102-1, 5.1.3)."""

    PASSED = "TOTAL-PASSED"
    INDETERMINATE = "INDETERMINATE"
    FAILED = "TOTAL-FAILED"


class DocumentState(StrEnum):
    """What was found of a document. All but INTACT keep a signature from passing, NOT_GIVEN excepted."""

    INTACT = "intact"
    CHANGED = "changed"
    """A document of this name was given, but it is not what was signed."""
    MISSING = "missing"
    """Signed, but not among the documents that were given."""
    NOT_SIGNED = "not signed"
    """Given, but not what this signature is over."""
    NOT_GIVEN = "not given"
    """Signed; no documents were given to compare with."""


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """One document: name and SHA-256 (hex) as in the signature; `given_as` is the name it was given under."""

    name: str
    state: DocumentState
    sha256: str | None = None
    given_as: str | None = None


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One signature: who signed, when, whether bytes are intact, what is trusted, and why not (`reasons`)."""

    kind: Literal["XAdES", "PAdES"]
    name: str
    """The file, attachment or field it was found in; empty when the caller has not said."""
    signer: str
    signed_at: datetime | None
    verdict: Verdict
    intact: bool
    trusted: bool
    reasons: tuple[str, ...]
    certificate_subject: str
    certificate_issuer: str
    vouched_for_by: Voucher | None = None
    """None for what cannot be read as a signature."""
    documents: tuple[DocumentReport, ...] = ()
    evidence: Evidence | None = None
    """What the signature says of the act, if it is unbroken and trusted."""
    claimed_evidence: Evidence | None = None
    """What an unbroken signature says of the act that is not trusted: anyone can have made it up."""

    def to_dict(self) -> dict[str, Any]:
        """The report in what JSON knows: strings, numbers, booleans, lists, dicts."""
        voucher = self.vouched_for_by.name if self.vouched_for_by else ""
        values = asdict(replace(self, vouched_for_by=None)) | {"vouched_for_by": voucher}
        return {key: _plain(value) for key, value in values.items()}


def judge_signer(
    certificate: Certificate, *, extra: Sequence[Certificate], trust: TrustAnchors, at: datetime
) -> tuple[Voucher, tuple[str, ...]]:
    """Who vouches for a signature made with this certificate, and why it is not to be trusted, if so.

    Args:
        extra: the certificates that came with it.
    """
    try:
        anchor = trust.chain(certificate, extra=extra, at=at)[-1]
        check_commitment(certificate)
    except UntrustedCertificate as error:
        return Voucher.of(certificate, None), (str(error),)
    return Voucher.of(certificate, anchor), ()


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case tuple() | list():
            return [_plain(each) for each in value]
        case StrEnum():
            return str(value)
    return value
