"""What commands have in common: reading files, printing for people and programs, exiting."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rich.console import Console

    from segl.core.certificates import TrustAnchors
    from segl.diagnosis.findings import Finding

WRONG_USAGE = 2
_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "fault": ("✗", "red"), "skipped": ("–", "bright_black")}
_IDENTITY_NUMBER = re.compile(r"(?<!\d)(\d{6})[ .-]?\d{5}(?!\d)")


def console() -> "Console":
    """Return a console that prints text as it is, without markup or wrapping."""
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True)


def safe(text: str) -> str:
    """Return text from an untrusted file without characters that could control the terminal."""
    return "".join(each if each.isprintable() else "�" for each in text)


def masked(text: str) -> str:
    """Return the text without the last five digits of anything that could be a national identity number."""
    return _IDENTITY_NUMBER.sub(r"\1*****", text)


def print_json(value: Any, *, mask: bool = False) -> None:
    """Print for a program; with `mask`, national identity numbers are masked."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    typer.echo(masked(text) if mask else text)


def print_findings(to: "Console", findings: Sequence["Finding"]) -> None:
    """Print a line for each finding, and a summary."""
    for each in findings:
        mark, color = _MARKS[each.state]
        to.print(f"  {mark} {each.check:<13}", style=color, end="")
        to.print(safe(masked(each.sentence)))
    count = Counter(str(each.state) for each in findings)
    counts = [
        f"{number} {word}{'' if number == 1 else 's'}" for word in ("fault", "warning") if (number := count[word])
    ]
    to.print()
    well = "Nothing is wrong in what was checked" if count["skipped"] else "Nothing is wrong"
    to.print(f"{' and '.join(counts).capitalize() or well}.", style="red" if count["fault"] else "green")


def findings_for_json(findings: Iterable["Finding"]) -> list[dict[str, str]]:
    return [{"check": each.check, "state": each.state, "sentence": each.sentence} for each in findings]


def all_well(findings: Iterable["Finding"]) -> bool:
    """Whether no finding is a fault."""
    return all(each.state != "fault" for each in findings)


def file_content(file: Path, *, most: int = -1) -> bytes:
    """Return the file's bytes; end the command if it cannot be read or has more than `most` bytes (-1: no limit)."""
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1 if most >= 0 else -1)
    except OSError as error:
        fail(f"{file}: Cannot be read: {error.strerror}.")
    if 0 <= most < len(content):
        fail(f"{file}: Too large: it has more than {most} bytes, far more than the service accepts.")
    return content


def trusted(files: Sequence[Path]) -> "TrustAnchors":
    """Return the root certificates given with --trust, and the intermediates among them."""
    from segl.core.certificates import TrustAnchors

    anchors = TrustAnchors.of([certificate for file in files for certificate in _certificates(file)])
    if files and not anchors.anchors:
        fail("--trust: None of the certificates given is a root, that is, issued by itself; give one.")
    return anchors


def _certificates(file: Path) -> "Sequence[Certificate]":
    from segl.core.certificates import load_pem
    from segl.core.errors import InvalidInput

    try:
        return load_pem(file_content(file))
    except InvalidInput as error:
        fail(f"--trust {file}: {error}")


def fail(sentence: str) -> NoReturn:
    """End the command with a message: it was used incorrectly."""
    typer.echo(f"segl: {sentence}", err=True)
    raise typer.Exit(WRONG_USAGE)
