"""The front page and the footers, typeset with typst. Texts enter as JSON data, never as typst source."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pikepdf
import typst
from PIL import ImageFont

from segl.core.pades import fonts
from segl.core.pades.values import FrontPage, FrontPageSigner
from segl.core.protocol import SignatureType

HERE = Path(__file__).parent
SOURCE = (HERE / "front_page.typ").read_bytes()
OSLO = ZoneInfo("Europe/Oslo")
# The font of the footers and the room for their text, both tenfold, since advances at 7.5 points would be rounded.
FOOTER_FONT = ImageFont.truetype(fonts.SHIPPED / "Inter-Regular.ttf", 75)
FOOTER_WIDTH = 3600
MONTHS_NB = "januar februar mars april mai juni juli august september oktober november desember"
MONTHS_EN = "January February March April May June July August September October November December"
SIGNATURE_TYPES = {
    SignatureType.ADVANCED_SIGNATURE: {
        "nb": "avansert elektronisk signatur",
        "en": "advanced electronic signature",
    },
    SignatureType.AUTHENTICATED_SIGNATURE: {"nb": "autentisert signatur", "en": "authenticated signature"},
}


def typeset(front_page: FrontPage) -> bytes:
    """The front page (as many A4 pages as it needs), then a page with a footer alone for each page of the originals.

    What no face has is printed as `fonts.printable` gives it.
    """
    footers = sum(document.pages for document in front_page.documents)
    pdf = _compiled(front_page, front_pages=1)
    with pikepdf.open(BytesIO(pdf)) as compiled:
        front_pages = len(compiled.pages) - footers
    return pdf if front_pages == 1 else _compiled(front_page, front_pages)


def faces(text: str) -> typst.Fonts:
    """The faces that a text needs; those of Debian's packages, if it does, take some 0.2 s the first time."""
    return _faces(fonts.folders(text))


@cache
def _faces(folders: Sequence[Path]) -> typst.Fonts:
    paths = [str(each) for each in folders]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=paths)


def _compiled(front_page: FrontPage, front_pages: int) -> bytes:
    """The PDF, numbered as if the front page took so many pages: having typst find that out is slow in long PDFs."""
    data = json.dumps(_data(front_page, front_pages), ensure_ascii=False)
    pdf = typst.Compiler(font_paths=faces(data)).compile(
        SOURCE,
        format="pdf",
        sys_inputs={"data": data},
        pdf_standards="1.7",
        timestamp=int(front_page.sealed_at.timestamp()),
    )
    return cast(bytes, pdf)


def _data(front_page: FrontPage, front_pages: int) -> dict[str, object]:
    lasts = list(accumulate((document.pages for document in front_page.documents), initial=front_pages))
    return {
        "families": fonts.FAMILIES,
        "title": _set(front_page.title),
        "job_id": str(front_page.job_id),
        "signers": [_signer(signer) for signer in front_page.signers],
        "documents": [
            {"title": _set(document.title), "first": before + 1, "last": before + document.pages}
            for document, before in zip(front_page.documents, lasts, strict=False)
        ],
        "sealed_by": _set(front_page.sealed_by),
        "sealed_at": _moment(front_page.sealed_at),
        "signed_and_sealed": _signed_and_sealed(front_page),
        "front_pages": front_pages,
        "total_pages": lasts[-1],
        "test_mark": front_page.test_mark,
    }


def _signed_and_sealed(front_page: FrontPage) -> str:
    """The footer's text that says most in its room: all names, else fewer, else clipped names and seal."""
    texts = _shorter_and_shorter(front_page)
    return next((text for text in texts if _width(text) <= FOOTER_WIDTH), texts[-1])


def _width(text: str) -> float:
    """The width of a footer's text, tenfold in points; for other faces than Inter the most that it may be."""
    inter = "".join(each for each in text if fonts.shows_in_inter(each))
    others = sum(each not in fonts.ISOLATES for each in text) - len(inter)
    return FOOTER_FONT.getlength(inter) + others * FOOTER_FONT.size


def _shorter_and_shorter(front_page: FrontPage) -> list[str]:
    date = f"{front_page.sealed_at.astimezone(OSLO):%d.%m.%Y}"
    return [
        f"Signert av {_listed(names, shown)} · forseglet av {_clipped(front_page.sealed_by, seal_length)} {date}"
        for name_length, seal_length in ((60, 60), (28, 40), (18, 24))
        for names in [[_clipped(signer.name, name_length) for signer in front_page.signers]]
        for shown in range(len(names), 0, -1)
    ]


def _listed(names: Sequence[str], shown: int) -> str:
    """«Kari Nordmann, Ola Hansen og 8 til»"""
    rest = [f"{len(names) - shown} til"] if shown < len(names) else []
    *all_but_last, last = [*names[:shown], *rest]
    return f"{', '.join(all_but_last)} og {last}" if all_but_last else last


def _clipped(name: str, length: int) -> str:
    name = fonts.printable(name)
    return fonts.isolated(name if len(name) <= length else name[: length - 1].rstrip() + "…")


def _set(text: str) -> str:
    return fonts.isolated(fonts.printable(text))


def _signer(signer: FrontPageSigner) -> dict[str, object]:
    return asdict(signer) | {
        "name": _set(signer.name),
        "identity": _set(signer.identity),
        "method": _set(signer.method),
        "signed_at": _moment(signer.signed_at),
        "signature_type": SIGNATURE_TYPES[signer.signature_type],
    }


def _moment(moment: datetime) -> dict[str, str]:
    """A time in Norway with its zone, in both languages."""
    local = moment.astimezone(OSLO)
    zone = f"UTC{local:%z}"[:6].replace("+0", "+")
    return {
        "nb": f"{local.day}. {MONTHS_NB.split()[local.month - 1]} {local.year} kl. {local:%H.%M.%S} ({zone})",
        "en": f"{local.day} {MONTHS_EN.split()[local.month - 1]} {local.year} at {local:%H:%M:%S} ({zone})",
    }
