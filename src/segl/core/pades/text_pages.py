"""A plain text as pages: what signers are shown of it, and what is sealed. It enters typst as data, never as source."""

import json
import re
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import cast

import pikepdf
import typst

from segl.core.errors import InvalidDocument
from segl.core.pades import fonts
from segl.core.pades.front_page import faces
from segl.core.plain_text import read_lines

SOURCE = Path(__file__).with_name("text_pages.typ").read_bytes()
NO_FACE = "which no font of the signed document has: remove it, or send a PDF instead."
_MISSING = b"\0\0"


def typeset_text(content: bytes) -> bytes:
    """A PDF 1.7 of A4 pages with every line of a text in UTF-8, its spaces kept and tabs at every eighth column.

    Raises:
        InvalidDocument: It is not text, too long, or has characters that could not be shown.
        TooManyPages: See `read_lines`.
    """
    lines = read_lines(content)
    _check_faces(lines)
    kept = [{"text": _kept(line), "rtl": fonts.is_from_the_right(line)} for line in lines or [""]]
    pdf = typst.Compiler(font_paths=faces("".join(lines))).compile(
        SOURCE,
        format="pdf",
        sys_inputs={"data": json.dumps({"families": fonts.FAMILIES, "lines": kept})},
        pdf_standards="1.7",
        timestamp=0,
    )
    if has_box(cast(bytes, pdf)):
        raise InvalidDocument(f"The text has a combination of characters, {NO_FACE}")
    return cast(bytes, pdf)


def _kept(line: str) -> str:
    """The line with spaces that typst does not leave out, all but single ones between words, and breakable long words.

    typst could find these itself, but takes three times as long for a text then.
    """
    spaced = re.sub(r"^ +| {2,}", lambda spaces: "\N{NO-BREAK SPACE}" * len(spaces[0]), line.expandtabs(8).rstrip())
    return re.sub(r"\S{40}", "\\g<0>\N{ZERO WIDTH SPACE}", spaced)


def _check_faces(lines: Iterable[str]) -> None:
    if missing := fonts.missing("".join(lines)):
        raise InvalidDocument(f"The text has {fonts.named(missing)}, {NO_FACE}")


def has_box(pdf: bytes) -> bool:
    """Whether a PDF that typst made has a box (glyph 0), as where no face has both a letter and its mark."""
    with pikepdf.open(BytesIO(pdf)) as document:
        return any(
            str(shown.operator) in {"Tj", "TJ"} and _lacks_glyph(shown.operands[0])
            for page in document.pages
            for shown in pikepdf.parse_content_stream(page, "Tj TJ")
        )


def _lacks_glyph(shown: pikepdf.Object) -> bool:
    pieces = shown if isinstance(shown, pikepdf.Array) else [shown]
    codes = b"".join(bytes(each) for each in pieces if isinstance(each, pikepdf.String))
    return _MISSING in (codes[at : at + 2] for at in range(0, len(codes), 2))
