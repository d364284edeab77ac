"""A plain text as pages: what signers are shown of it, and what is sealed. It enters typst as data, never as source."""

import json
import re
from io import BytesIO
from pathlib import Path
from typing import cast

import pikepdf
import typst

from segl.core.errors import InvalidDocument, TooManyPages
from segl.core.pades.front_page import FONTS

SOURCE = Path(__file__).with_name("text_pages.typ").read_bytes()
MOST_CHARACTERS = 1_000_000
LINES_A_PAGE = 54
MOST_PAGES = 2000
"""More lines than fit on these are not typeset: it would take more and more memory."""
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
# That change how other characters are read: a text must look like what it says (Unicode TR 36).
_STEERING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MISSING = b"\0\0"


def typeset_text(content: bytes) -> bytes:
    """A PDF 1.7 of A4 pages with every line of a text in UTF-8, its spaces kept and tabs at every eighth column.

    Raises:
        InvalidDocument: It is not text, too long, or has characters that could not be shown.
        TooManyPages: Its lines fill more than `MOST_PAGES`. Long lines, which are broken, may do so all the same.
    """
    lines = [_kept(line) for line in _decoded(content).splitlines()]
    if len(lines) > MOST_PAGES * LINES_A_PAGE:
        raise TooManyPages(
            f"The text has {len(lines)} lines, {LINES_A_PAGE} on a page; at most {MOST_PAGES} pages can be signed."
        )
    pdf = typst.Compiler(font_paths=FONTS).compile(
        SOURCE, format="pdf", sys_inputs={"data": json.dumps(lines or [""])}, pdf_standards="1.7", timestamp=0
    )
    _check_shown(cast(bytes, pdf))
    return cast(bytes, pdf)


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"The text is not UTF-8 at byte {error.start}: save it as UTF-8 and send that.") from None
    if len(text) > MOST_CHARACTERS:
        raise InvalidDocument(f"The text has {len(text)} characters; at most {MOST_CHARACTERS} can be signed.")
    if found := _NO_TEXT.search(text) or _STEERING.search(text):
        raise InvalidDocument(
            f"The text has the character U+{ord(found[0]):04X}, which cannot be shown: remove it, or send a PDF."
        )
    return text


def _kept(line: str) -> str:
    """The line with spaces that typst does not leave out: all but single ones between words."""
    return re.sub(r"^ +| {2,}", lambda spaces: "\N{NO-BREAK SPACE}" * len(spaces[0]), line.expandtabs(8).rstrip())


def _check_shown(pdf: bytes) -> None:
    """Refuse a text with characters that the font lacks, in whose place the page has glyph 0, a box."""
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
