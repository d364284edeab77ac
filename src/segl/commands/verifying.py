"""The command `segl verify`: who signed, when, whether it is intact, what is trusted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segl.commands.terminal import WRONG_USAGE, console, file_content, print_json, safe, trusted

if TYPE_CHECKING:
    from rich.console import Console

    from segl.core.certificates import TrustAnchors
    from segl.core.verification import DocumentReport, SignatureReport

app = typer.Typer()
NO_DOCUMENT = "A signature is verified together with its documents: give the missing ones with --document FILE."
NO_TRUST = (
    "Nothing is trusted: no trust anchors were given. Give the root certificates that you trust "
    "with --trust FILE.pem (for a sandbox, the trust anchors that its ready file names)."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one file: its signatures, or the error that prevented reading it."""

    file: Path
    signatures: "tuple[SignatureReport, ...]" = ()
    error: str | None = None

    @property
    def passed(self) -> bool:
        return bool(self.signatures) and all(each.verdict == "TOTAL-PASSED" for each in self.signatures)

    def to_dict(self) -> dict[str, Any]:
        signatures = [each.to_dict() for each in self.signatures]
        return {"file": str(self.file), "error": self.error, "signatures": signatures}


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Signed PDFs (PAdES) and XAdES files.")],
    document: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="An original document, to compare with what was signed."),
    ] = None,
    trust: Annotated[list[Path] | None, typer.Option(metavar="PEM", help="Root certificates that you trust.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Report who signed and when, whether the bytes are intact, and whether each signature is trusted, or why not.

    Exits with 0 if every signature passed, 1 if one did not, 2 if a file could not be read or has no signature.
    """
    anchors, documents, at = trusted(trust or []), _documents(document or []), datetime.now(UTC)
    findings = [_examine(file, anchors, documents, at) for file in files]
    if as_json:
        passed = all(each.passed for each in findings)
        report = {
            "passed": passed,
            "checked_at": at.isoformat(),
            "files": [each.to_dict() for each in findings],
        }
        print_json(report)
    else:
        _print(findings, anchors)
    raise typer.Exit(_exit_code(findings))


def _exit_code(findings: Sequence[Finding]) -> int:
    if any(each.error for each in findings):
        return WRONG_USAGE
    return 0 if all(each.passed for each in findings) else 1


def _examine(file: Path, trust: "TrustAnchors", documents: Mapping[str, bytes] | None, at: datetime) -> Finding:
    from segl.core.errors import SeglError

    try:
        signatures = _signatures(file.read_bytes(), trust, documents, at)
    except OSError as error:
        return Finding(file, error=f"Cannot be read: {error.strerror}.")
    except SeglError as error:
        return Finding(file, error=str(error))
    except ModuleNotFoundError as error:
        return Finding(file, error=f"Verifying it needs {(error.name or '').split('.')[0]}; install segl[service].")
    return Finding(file, signatures, None if signatures else "It has no signature.")


def _signatures(
    content: bytes, trust: "TrustAnchors", documents: Mapping[str, bytes] | None, at: datetime
) -> "tuple[SignatureReport, ...]":
    from segl.core import pades, xades
    from segl.core.errors import InvalidSignature

    if b"%PDF-" in content[:1024]:
        return pades.verify(content, trust=trust, documents=documents, at=at)
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        # Nothing else covers the documents of a XAdES file; those of a XAdES attached to a PDF are covered by the seal.
        return xades.verify(content, trust=trust, documents=documents or {}, at=at)
    raise InvalidSignature("It is neither a PDF nor XML; give a signed PDF (PAdES) or a XAdES file.")


def _documents(files: Sequence[Path]) -> dict[str, bytes] | None:
    """Return the originals by file name, or by whole path where two have the same name."""
    if not files:
        return None
    names = [file.name for file in files]
    return {file.name if names.count(file.name) == 1 else str(file): file_content(file) for file in files}


def _print(findings: Sequence[Finding], trust: "TrustAnchors") -> None:
    """Print for a person: per file and signature, who signed, when, whether it is intact and trusted."""
    to = console()
    for finding in findings:
        to.print(safe(str(finding.file)), style="bold")
        if finding.error:
            to.print(f"  {safe(finding.error)}", style="red")
        for signature in finding.signatures:
            _print_signature(to, signature)
        to.print()
    signatures = [each for finding in findings for each in finding.signatures]
    passed, total = sum(each.verdict == "TOTAL-PASSED" for each in signatures), len(signatures)
    plural = "" if total == 1 else "s"
    if signatures:
        to.print(f"{passed} of {total} signature{plural} passed.", style=_style(passed == total))
    if signatures and not trust.anchors:
        to.print(NO_TRUST)
    if any(document.state == "missing" for signature in signatures for document in signature.documents):
        to.print(NO_DOCUMENT)


def _print_signature(to: "Console", signature: "SignatureReport") -> None:
    where = f" in {signature.name}" if signature.name else ""
    to.print(safe(f"  {signature.kind}{where}: {signature.signer}{_mark(signature)}"), style="bold")
    for name, value in _facts(signature):
        to.print(f"    {name:<12}{safe(value)}")
    for reason in signature.reasons:
        to.print(f"    {'Because':<12}{safe(reason)}", style="yellow")
    to.print(f"    {'Result':<12}{signature.verdict}", style=_style(signature.verdict == "TOTAL-PASSED"))


def _facts(signature: "SignatureReport") -> Iterator[tuple[str, str]]:
    time, mark = signature.signed_at, _mark(signature)
    yield "Signed", f"{time.astimezone():%d %B %Y at %H:%M:%S %Z}{mark}" if time else "time unknown"
    if evidence := signature.evidence or signature.claimed_evidence:
        name = f"{evidence.signer_name} {evidence.signer_identity}".rstrip()
        yield "Identified", f"{name}, by {evidence.method}, level {evidence.authentication_level}{mark}"
        yield "Agreed to", f"“{evidence.agreement}”{mark}"
        if evidence.shown_sha256:
            yield "Pages sent", f"{_pages(evidence.shown_pages)}{mark}"
    for document in signature.documents:
        yield "Document", f"{document.name}: {_state(document)}"
    yield "Intact", "yes, unchanged since it was signed" if signature.intact else "no"
    yield (
        "Trusted",
        "yes, it chains to a root you trust" if signature.trusted else "no, so what it says is only claimed",
    )
    yield "Certificate", f"{signature.certificate_subject}, issued by {signature.certificate_issuer}"


def _pages(shown: str) -> str:
    """Such as «pages 1-5, 7 of document 1; page 1 of document 2» for `1:1-5,7 2:1`."""
    documents = [each.partition(":") for each in shown.split()]
    parts = [
        f"page{'' if pages.isdigit() else 's'} {pages.replace(',', ', ')} of document {n}" for n, _, pages in documents
    ]
    return "; ".join(parts) or "none"


def _mark(signature: "SignatureReport") -> str:
    """Return a mark for what only the signature itself says, since it is broken or not trusted."""
    return "" if signature.trusted and (signature.intact or signature.evidence) else " (claimed)"


def _state(document: "DocumentReport") -> str:
    if document.state == "not given":
        return "not compared; give the file with --document"
    as_other = document.given_as if document.given_as != document.name else None
    return f"{document.state}, given as {as_other}" if as_other else str(document.state)


def _style(good: bool) -> str:
    return "green" if good else "red"
