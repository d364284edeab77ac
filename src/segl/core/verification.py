"""What a verification found: one report per signature, in words a person can act on."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

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
    vouched_for_by: str = ""
    """The organization in the certificate; for a person's, the one that issued it."""
    documents: tuple[DocumentReport, ...] = ()
    evidence: Evidence | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report in what JSON knows: strings, numbers, booleans, lists, dicts."""
        return {key: _plain(value) for key, value in asdict(self).items()}


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
