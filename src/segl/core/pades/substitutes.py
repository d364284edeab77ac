"""What PDFium draws with in place of fonts that a PDF does not embed, and which characters that leaves out.

PDFium has Latin letters of its own. Others come from Debian's packages `fonts-liberation` and `fonts-noto-cjk`, which
are mapped into memory once, so that a rendering child, which can open no file, has them.
"""

import ctypes
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from pikepdf import Array, Dictionary, Name, Object, Pdf

from segl.core.errors import InvalidDocument
from segl.core.pades.fonts import Face, characters, face_offsets, named

LIBERATION = Path("/usr/share/fonts/truetype/liberation")
NOTO_CJK = Path("/usr/share/fonts/opentype/noto")
STYLES = ("Regular", "Bold", "Italic", "BoldItalic")
COLLECTION = int.from_bytes(b"ttcf", "big")
BOLD = 600
FIXED, ROMAN = 1, 16
"""Bits of a pitch family (fpdf_sysfontinfo.h)."""
SYMBOLS = 2
"""The character set of fonts such as Wingdings."""
# Who writes in it, by character set; in this order are the faces of a Noto collection.
CJK = {128: "JP", 129: "KR", 130: "KR", 134: "SC", 136: "TC"}
COUNTRIES = ("JP", "KR", "SC", "TC")
# Fonts whose letters are pictures, which no other font has in these places.
PICTURES = re.compile(r"wingdings|webdings|marlett", re.IGNORECASE)
# What PDFium's own faces and each of these have: Windows code page 1252 and control characters, which are not shown.
SURE = frozenset(bytes(range(256)).decode("cp1252", "ignore")) - {"\x00"}
SURE_CODES = frozenset(map(ord, SURE))
WESTERN = frozenset("\t\n\r" + bytes(range(32, 256)).decode("latin-1") + "ŠšŽžŒœŸ–—‘’“”…€™")
IN_FIELDS = WESTERN | {
    each
    for page in ("cp1250", "cp1251", "cp1253")
    for each in bytes(range(128, 256)).decode(page, "ignore")
    if each.isupper() or each.islower()
}
"""What PDFium draws in fields: it leaves out other characters, also those that its fonts have."""
LIBERATION_FAMILIES = {f"Liberation{kind}": f"Liberation {kind}" for kind in ("Sans", "Serif", "Mono")}
FONT_FILES = (Name.FontFile, Name.FontFile2, Name.FontFile3)
INVISIBLE_MODES = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)


class _Faces:
    """Answers PDFium, which asks for a face for each font that a document does not embed (fpdf_sysfontinfo.h)."""

    def __init__(self) -> None:
        self.faces: list[Face] = []
        self.numbers: dict[tuple[str, str], int] = {}
        """Of each family and style, from 1."""
        self.asked: list[str] = []
        """The names of the fonts asked for."""
        self.info: Any = None

    def load(self) -> None:
        for kind in ("Sans", "Serif", "Mono"):
            for style in STYLES:
                self._add(LIBERATION / f"Liberation{kind}-{style}.ttf", [f"Liberation {kind}"], style)
        for kind in ("Sans", "Serif"):
            families = [f"Noto {kind} CJK {country}" for country in COUNTRIES]
            self._add(NOTO_CJK / f"Noto{kind}CJK-Regular.ttc", families, "Regular")
        fields = dict(pdfium.FPDF_SYSFONTINFO._fields_)
        answers = {"MapFont": self._map, "GetFont": self._get, "GetFontData": self._data, "DeleteFont": self._delete}
        self.info = pdfium.FPDF_SYSFONTINFO(1, **{name: fields[name](answer) for name, answer in answers.items()})
        pdfium.FPDF_SetSystemFontInfo(self.info)

    def _add(self, path: Path, families: Sequence[str], style: str) -> None:
        if path.exists():
            with path.open("rb") as file:
                font = mmap(file.fileno(), 0, access=ACCESS_READ)
            for family, at in zip(families, face_offsets(font), strict=False):
                self.faces.append(Face(font, at))
                self.numbers[family, style] = len(self.faces)

    def _map(self, _: Any, weight: int, italic: int, charset: int, pitch: int, face: Any, __: Any) -> int | None:
        """The number of a face; None for what PDFium has of its own."""
        name = (ctypes.cast(face, ctypes.c_char_p).value or b"").decode(errors="replace")
        self.asked.append("".join(each for each in name if each.isprintable()))
        if charset == SYMBOLS:
            return None  # It asks again, as if for letters.
        if country := CJK.get(charset):
            kinds = ("Serif", "Sans") if pitch & ROMAN else ("Sans", "Serif")
            found = (self.numbers.get((f"Noto {kind} CJK {country}", "Regular")) for kind in kinds)
            return next(filter(None, found), None)
        style = STYLES[(weight >= BOLD) + 2 * bool(italic)]
        return self.numbers.get((f"Liberation {_kind(name, pitch)}", style))

    def _get(self, *_: Any) -> None:
        """Faces are found by `_map`."""

    def _data(self, _: Any, number: int, table: int, buffer: Any, room: int) -> int:
        """Fill the buffer with the font file, as a whole (of a collection) or from the face on; return its length."""
        font, at = self.faces[number - 1]
        if table not in {0, COLLECTION} or (table and font[:4] != b"ttcf"):
            return 0
        start = 0 if table else at
        if buffer:
            part = font[start : start + min(room, len(font) - start)]
            ctypes.memmove(buffer, part, len(part))
        return len(font) - start

    def _delete(self, *_: Any) -> None:
        """The faces stay."""


_faces = _Faces()


def load() -> None:
    """Let PDFium draw with those of Debian's fonts that are installed, and with no others."""
    if _faces.info is None:
        _faces.load()


def asked() -> int:
    """How many times PDFium needed a face so far; if not for a document, all its fonts are embedded."""
    return len(_faces.asked)


def can_embed(value: str) -> bool:
    """Whether PDFium can draw a form value in a font that every reader has, or that `settle_fonts` embeds."""
    if WESTERN.issuperset(value):
        return True
    return IN_FIELDS.issuperset(value) and ("Liberation Sans", "Regular") in _faces.numbers


def settle_fonts(original: Pdf) -> None:
    """Embed the fonts that PDFium gave to form values, and forget the numbers that others have in a font not there.

    PDFium would look such a number up in another font, where it is another letter.
    """
    embedded: dict[str, Object] = {}
    for each in original.objects:
        if isinstance(each, Dictionary) and each.get(Name.Type) == Name.Font:
            descendants = each.get(Name.DescendantFonts)
            for font in (each, *(descendants if isinstance(descendants, Array) else ())):
                _settle(font, original, embedded)


def check_fonts(document: pypdfium2.PdfDocument, *, since: int) -> None:
    """Make sure that fonts which are not embedded lose nothing; `since` is what `asked` gave before it was drawn.

    Raises:
        InvalidDocument: A character cannot be drawn, or nothing says which one it is.
    """
    fonts = _faces.asked[since:]
    if pictures := next(filter(PICTURES.search, fonts), None):
        raise InvalidDocument(f"The PDF uses the font {pictures} and does not embed it: embed the fonts.")
    if not fonts:
        return
    for number, page in enumerate(document, 1):
        if lost := next(_lost(page), None):
            font, character = lost
            raise InvalidDocument(
                f"Page {number} of the PDF has {character} in the font {font}, which is not embedded, "
                "and cannot be shown: embed the fonts."
            )


def _settle(font: Object, original: Pdf, embedded: dict[str, Object]) -> None:
    descriptor = font.get(Name.FontDescriptor) if isinstance(font, Dictionary) else None
    if not isinstance(descriptor, Dictionary) or any(each in descriptor for each in FONT_FILES):
        return
    if Name.CIDToGIDMap in font:
        del font.CIDToGIDMap
    name = str(descriptor.get(Name.FontName, ""))[1:]
    number = _faces.numbers.get((LIBERATION_FAMILIES.get(name, ""), "Regular"))
    if number is not None and font.get(Name.Subtype) == Name.TrueType:
        if name not in embedded:
            embedded[name] = original.make_stream(_faces.faces[number - 1].font[:])
        descriptor.FontFile2 = embedded[name]


def _kind(name: str, pitch: int) -> str:
    for standard, kind in (("Courier", "Mono"), ("Times", "Serif"), ("Helvetica", "Sans")):
        if name.startswith(standard):
            return kind
    return "Mono" if pitch & FIXED else "Serif" if pitch & ROMAN else "Sans"


def _lost(page: pypdfium2.PdfPage) -> Iterator[tuple[str, str]]:
    """The fonts and the characters on a page that cannot be drawn."""
    textpage = page.get_textpage()
    text = textpage.raw
    is_unknown = pdfium.FPDFText_HasUnicodeMapError
    places = range(pdfium.FPDFText_CountChars(text))
    unknown = {at for at in places if is_unknown(text, at) == 1}
    if not unknown and SURE.issuperset(textpage.get_text_range()):
        return  # as nearly every page: each further question about each character would take as long as drawing it
    for at in places:
        code = pdfium.FPDFText_GetUnicode(text, at)
        if code in SURE_CODES and at not in unknown:
            continue
        shown = pdfium.FPDFText_GetTextObject(text, at)
        if not shown or pdfium.FPDFTextObj_GetTextRenderMode(shown) in INVISIBLE_MODES:
            continue
        font = pdfium.FPDFTextObj_GetFont(shown)
        if pdfium.FPDFFont_GetIsEmbedded(font):
            continue
        if at in unknown and not _is_blank(code):
            yield _text(pdfium.FPDFFont_GetBaseFontName, font), "a character that the PDF does not name"
        elif at not in unknown and not _is_drawn(font, code):
            yield _text(pdfium.FPDFFont_GetBaseFontName, font), named(chr(code))


def _is_blank(code: int) -> bool:
    return code in {0, 0xA0, 0xAD} or unicodedata.category(chr(code)) == "Cc"


def _is_drawn(font: Any, code: int) -> bool:
    if chr(code).isspace() or unicodedata.category(chr(code)) in {"Cc", "Cf"}:
        return True
    number = _faces.numbers.get((_text(pdfium.FPDFFont_GetFamilyName, font), "Regular"))
    if number is not None:
        return bool(_characters(_faces.faces[number - 1])[code])
    return bool(pdfium.FPDFFont_GetGlyphPath(font, code, 1.0))


def _text(read: Any, font: Any) -> str:
    buffer = ctypes.create_string_buffer(256)
    read(font, buffer, len(buffer))
    return "".join(each for each in buffer.value.decode(errors="replace") if each.isprintable())


@cache
def _characters(face: Face) -> bytes:
    return characters([face])
