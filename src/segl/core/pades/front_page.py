"""The front page and the footers, typeset with typst. Texts enter as JSON data, never as typst source."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pikepdf
import typst
from PIL import ImageFont

from segl.core.pades.values import FrontPage, FrontPageSigner
from segl.core.protocol import SignatureType

HERE = Path(__file__).parent
SOURCE = (HERE / "front_page.typ").read_bytes()
FONTS = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(HERE / "fonts")])
OSLO = ZoneInfo("Europe/Oslo")
# The font of the footers and the room for their text, both tenfold, since advances at 7.5 points would be rounded.
FOOTER_FONT = ImageFont.truetype(HERE / "fonts" / "Inter-Regular.ttf", 75)
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

    Characters that the font does not have show as boxes.
    """
    footers = sum(document.pages for document in front_page.documents)
    pdf = _compiled(front_page, front_pages=1)
    with pikepdf.open(BytesIO(pdf)) as compiled:
        front_pages = len(compiled.pages) - footers
    return pdf if front_pages == 1 else _compiled(front_page, front_pages)


def _compiled(front_page: FrontPage, front_pages: int) -> bytes:
    """The PDF, numbered as if the front page took so many pages: having typst find that out is slow in long PDFs."""
    pdf = typst.Compiler(font_paths=FONTS).compile(
        SOURCE,
        format="pdf",
        sys_inputs={"data": json.dumps(_data(front_page, front_pages))},
        pdf_standards="1.7",
        timestamp=int(front_page.sealed_at.timestamp()),
    )
    return cast(bytes, pdf)


def _data(front_page: FrontPage, front_pages: int) -> dict[str, object]:
    lasts = list(accumulate((document.pages for document in front_page.documents), initial=front_pages))
    return {
        "title": front_page.title,
        "job_id": str(front_page.job_id),
        "signers": [_signer(signer) for signer in front_page.signers],
        "documents": [
            {"title": document.title, "first": before + 1, "last": before + document.pages}
            for document, before in zip(front_page.documents, lasts, strict=False)
        ],
        "sealed_by": front_page.sealed_by,
        "sealed_at": _moment(front_page.sealed_at),
        "signed_and_sealed": _signed_and_sealed(front_page),
        "front_pages": front_pages,
        "total_pages": lasts[-1],
        "test_mark": front_page.test_mark,
    }


def _signed_and_sealed(front_page: FrontPage) -> str:
    """The footer's text that says most in its room: all names, else fewer, else clipped names and seal."""
    texts = _shorter_and_shorter(front_page)
    return next((text for text in texts if FOOTER_FONT.getlength(text) <= FOOTER_WIDTH), texts[-1])


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
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


def _signer(signer: FrontPageSigner) -> dict[str, object]:
    return asdict(signer) | {
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
