"""A plain text as pages: what signers are shown of it, and what is sealed. It enters typst as data, never as source."""

import json
import re
from io import BytesIO
from pathlib import Path
from typing import cast

import pikepdf
import typst

from segl.core.errors import InvalidDocument
from segl.core.pades.front_page import FONTS
from segl.core.plain_text import read_lines

SOURCE = Path(__file__).with_name("text_pages.typ").read_bytes()
_MISSING = b"\0\0"


def typeset_text(content: bytes) -> bytes:
    """A PDF 1.7 of A4 pages with every line of a text in UTF-8, its spaces kept and tabs at every eighth column.

    Raises:
        InvalidDocument: It is not text, too long, or has characters that could not be shown.
        TooManyPages: See `read_lines`.
    """
    lines = [_kept(line) for line in read_lines(content)]
    pdf = typst.Compiler(font_paths=FONTS).compile(
        SOURCE, format="pdf", sys_inputs={"data": json.dumps(lines or [""])}, pdf_standards="1.7", timestamp=0
    )
    _check_shown(cast(bytes, pdf))
    return cast(bytes, pdf)


def _kept(line: str) -> str:
    """The line with spaces that typst does not leave out: all but single ones between words."""
    return re.sub(r"^ +| {2,}", lambda spaces: "\N{NO-BREAK SPACE}" * len(spaces[0]), line.expandtabs(8).rstrip())


def _check_shown(pdf: bytes) -> None:
    """Refuse a text with characters that the font lacks, which the page would show as a box (glyph 0)."""
    with pikepdf.open(BytesIO(pdf)) as document:
        for page in document.pages:
            for shown in pikepdf.parse_content_stream(page, "Tj TJ"):
                if str(shown.operator) in {"Tj", "TJ"} and _lacks_glyph(shown.operands[0]):
                    raise InvalidDocument(
                        "The text has characters that are not in the font of the signed document: send a PDF instead."
                    )


def _lacks_glyph(shown: pikepdf.Object) -> bool:
    pieces = shown if isinstance(shown, pikepdf.Array) else [shown]
    codes = b"".join(bytes(each) for each in pieces if isinstance(each, pikepdf.String))
    return _MISSING in (codes[at : at + 2] for at in range(0, len(codes), 2))
