"""The faces that texts are set in, and what of a text they cannot show.

Inter and small faces for Arabic and Hebrew are part of Segl. Other scripts need Debian's packages `fonts-noto-core` and
`fonts-noto-cjk`.
"""

import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

SHIPPED = Path(__file__).parent / "fonts"
NOTO = (Path("/usr/share/fonts/truetype/noto"), Path("/usr/share/fonts/opentype/noto"))
FAMILIES = ["Inter", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans CJK SC"]
"""Tried first, in this order; then typst looks for a face that has the character."""
# That change how other characters are read: a name must look like what it says (Unicode TR 36).
_STEERING = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
ISOLATES = "\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}"
MOST_NAMED = 3
_FROM_THE_RIGHT = {"R", "AL"}
# Characters that typesetting hides if no face has them (Unicode's Default_Ignorable_Code_Point).
_IGNORABLE = re.compile(r"[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
# Marks of letters of any script, which only a face that has both can set, and odd spaces, for which typst looks into no
# other face: what of these the shipped faces lack is missing.
_SHIPPED_ONLY = re.compile(
    r"[\x1c-\x1f\u1680\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\U0001d165-\U0001d1ad]"
)


def folders(text: str) -> tuple[Path, ...]:
    """Where the faces are that a text needs."""
    return (SHIPPED, *_installed()) if _beyond_shipped(text) else (SHIPPED,)


def missing(text: str) -> str:
    """The characters that no face has, each once."""
    if not (others := _beyond_shipped(text)):
        return ""
    installed = _characters(tuple(path for each in _installed() for path in sorted(each.glob("*-Regular.tt[cf]"))))
    return "".join(each for each in others if _SHIPPED_ONLY.match(each) or not installed[ord(each)])


def named(characters: str) -> str:
    """The first few of these, for a message: «U+1F600 (GRINNING FACE), U+A840 (PHAGS-PA LETTER KA) and 3 more»."""
    shown = ", ".join(f"U+{ord(each):04X} ({unicodedata.name(each, 'no name')})" for each in characters[:MOST_NAMED])
    return shown + (f" and {len(characters) - MOST_NAMED} more" if len(characters) > MOST_NAMED else "")


def printable(text: str) -> str:
    """The text as it can be set: what no face has as its plain form («ﬀ»: «ff»), or else as «?»."""
    text = text.translate(_STEERING)
    for each in missing(text):
        plain = unicodedata.normalize("NFKD", each)
        text = text.replace(each, "?" if missing(plain) else plain)
    return text


def isolated(text: str) -> str:
    """The text for use within a line: set from the right if it begins so, without changing the order around it."""
    reads_right = any(unicodedata.bidirectional(each) in _FROM_THE_RIGHT for each in text)
    return text.join(ISOLATES) if reads_right else text


def is_from_the_right(text: str) -> bool:
    """Whether a paragraph is set from the right: by its first letter (Unicode TR 9, rules P2 and P3)."""
    directions = (unicodedata.bidirectional(each) for each in text)
    return next((each for each in directions if each in {"L", *_FROM_THE_RIGHT}), "L") != "L"


def shows_in_inter(character: str) -> bool:
    """Whether Inter has it."""
    return bool(_characters((SHIPPED / "Inter-Regular.ttf",))[ord(character)])


class Face(NamedTuple):
    """A face in a font file that is mapped into memory: the byte at which it begins is not 0 in collections."""

    font: mmap
    at: int


def face_offsets(font: mmap) -> list[int]:
    """Where in a font file its faces begin (OpenType, font collections)."""
    if font[:4] != b"ttcf":
        return [0]
    count = int.from_bytes(font[8:12], "big")
    return list(struct.unpack_from(f">{count}I", font, 12))


def characters(faces: Iterable[Face]) -> bytes:
    """A 1 at the code of each character that one of the faces has, else 0 (OpenType, `cmap`)."""
    found = bytearray(0x110000)
    for each in chain.from_iterable(map(_ranges, faces)):
        found[each.start : each.stop] = b"\1" * len(each)
    return bytes(found)


def _installed() -> list[Path]:
    """Debian's hundreds of faces: looking into them takes some 0.2 s, and is seldom needed."""
    return [each for each in NOTO if each.is_dir()]


def _beyond_shipped(text: str) -> list[str]:
    shipped = _characters(tuple(SHIPPED.glob("*-Regular.ttf")))
    return [each for each in dict.fromkeys(text) if not shipped[ord(each)] and not _is_invisible(each)]


def _is_invisible(character: str) -> bool:
    is_space = character.isspace() and not _SHIPPED_ONLY.match(character)
    return is_space or bool(_IGNORABLE.match(character))


def _ranges(face: Face) -> Iterator[range]:
    font, at = face
    tables = struct.unpack_from(">H", font, at + 4)[0]
    entries = (struct.unpack_from(">4sIII", font, at + 12 + 16 * number) for number in range(tables))
    [cmap] = [offset for tag, _, offset, _ in entries if tag == b"cmap"]
    for number in range(struct.unpack_from(">H", font, cmap + 2)[0]):
        platform, _, offset = struct.unpack_from(">HHI", font, cmap + 4 + 8 * number)
        kind = struct.unpack_from(">H", font, cmap + offset)[0]
        if platform in {0, 3} and kind == 4:
            yield from _segments(font, cmap + offset)
        elif platform in {0, 3} and kind == 12:
            count = struct.unpack_from(">I", font, cmap + offset + 12)[0]
            groups = font[cmap + offset + 16 : cmap + offset + 16 + 12 * count]
            yield from (range(first, last + 1) for first, last, _ in struct.iter_unpack(">III", groups))


@cache
def _characters(paths: tuple[Path, ...]) -> bytes:
    """What the fonts have; the faces of a collection have the same."""
    with ExitStack() as opened:
        files = [opened.enter_context(path.open("rb")) for path in paths]
        maps = [opened.enter_context(mmap(file.fileno(), 0, access=ACCESS_READ)) for file in files]
        return characters(Face(each, face_offsets(each)[0]) for each in maps)


def _segments(font: mmap, at: int) -> Iterator[range]:
    """The characters of a subtable of format 4."""
    count = struct.unpack_from(">H", font, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", font, at + 14)
    starts = struct.unpack_from(f">{count}H", font, at + 16 + 2 * count)
    offsets_at = at + 16 + 6 * count
    offsets = struct.unpack_from(f">{count}H", font, offsets_at)
    for number, (start, end, offset) in enumerate(zip(starts, ends, offsets, strict=True)):
        if not offset:
            yield range(start, min(end, 0xFFFE) + 1)
            continue
        glyphs = struct.unpack_from(f">{end - start + 1}H", font, offsets_at + 2 * number + offset)
        yield from (range(code, code + 1) for code, glyph in enumerate(glyphs, start) if glyph)
