"""Which plain texts can be signed, as far as that shows without making them into pages."""

import re

from segl.core.errors import InvalidDocument, TooManyPages

MOST_CHARACTERS = 1_000_000
LINES_A_PAGE = 54
MOST_PAGES = 2000
"""Of a job's documents together. More lines than fit on these are not typeset: it would take more and more memory."""
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
# That change how other characters are read: a text must look like what it says (Unicode TR 36).
_STEERING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def read_lines(content: bytes | memoryview) -> list[str]:
    """The lines of a text in UTF-8.

    Raises:
        InvalidDocument: It is not text, too long, or has characters that could not be shown.
        TooManyPages: Its lines fill more than `MOST_PAGES`. Long lines, which are broken, may do so all the same.
    """
    lines = _decoded(content).splitlines()
    if len(lines) > MOST_PAGES * LINES_A_PAGE:
        raise TooManyPages(
            f"The text has {len(lines)} lines, {LINES_A_PAGE} on a page; at most {MOST_PAGES} pages can be signed."
        )
    return lines


def _decoded(content: bytes | memoryview) -> str:
    try:
        text = str(content, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"The text is not UTF-8 at byte {error.start}: save it as UTF-8 and send that.") from None
    if len(text) > MOST_CHARACTERS:
        raise InvalidDocument(f"The text has {len(text)} characters; at most {MOST_CHARACTERS} can be signed.")
    if found := _NO_TEXT.search(text) or _STEERING.search(text):
        raise InvalidDocument(
            f"The text has the character U+{ord(found[0]):04X}, which cannot be shown: remove it, or send a PDF."
        )
    return text
