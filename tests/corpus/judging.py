"""What became of a document: refused, the same when sealed, or different, and in which program."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from math import ceil

import pikepdf
from PIL import Image

from certificates import NOW, Authority
from corpus.pictures import alike, contact_sheet
from corpus.viewers import PROGRAMS, SCALE, Box, CannotShowError, viewers, widths
from segl.core.errors import InvalidDocument
from segl.core.keys import PrivateKey
from segl.core.pades import FrontPage, FrontPageDocument, FrontPageSigner, seal, verify
from segl.core.protocol import SignatureType
from segl.core.verification import Verdict as SealVerdict
from segl.service import rendering

MOST_PAGES = 12
"""Pages of one document that are compared."""
REFUSED, SAME, STUCK = "refused", "same", "accepted, but not sealed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is `REFUSED`, `SAME`, or says in which programs something differs; `reason` is the sentence of a refusal,
    or the page. The contact sheet shows original and sealed page in each of these programs."""

    kind: str
    reason: str = ""
    contact_sheet: Image.Image | None = None


def judge(content: bytes) -> Verdict:
    """Take a document through inspection, pictures, assembly, seal and verification, and compare its pages."""
    try:
        [inspected] = rendering.inspect({"document": content})
    except InvalidDocument as refusal:
        return Verdict(REFUSED, str(refusal).removeprefix("document: "))
    for number, (_, width) in enumerate(_places(inspected.laid_out)[:MOST_PAGES], 1):
        rendering.page_image(inspected.laid_out, page=number, width=ceil(width))
    try:
        sealed = sealed_pdf(inspected)
    except InvalidDocument as error:
        return Verdict(STUCK, str(error))
    return compare(content, sealed, laid_out=inspected.laid_out)


def sealed_pdf(inspected: rendering.Inspected) -> bytes:
    """The document sealed, verified, and as the service checks it before it completes a job."""
    signer = FrontPageSigner("Kari Nordmann", "01018012345", NOW, "TestID", 4, SignatureType.AUTHENTICATED_SIGNATURE)
    documents = [FrontPageDocument("Document", inspected.facts.pages)]
    front_page = FrontPage("Corpus", 1, [signer], documents, "Corpus", NOW)
    assembled = rendering.assemble(documents=[inspected.laid_out], front_page=front_page, attachments=[])
    sealed = seal(assembled, key=_key(), sealed_at=NOW)
    [report] = verify(sealed, trust=_authority().trust(), documents=None, at=NOW)
    if report.verdict is not SealVerdict.PASSED:
        raise AssertionError(f"the seal does not verify: {report}")
    rendering.check_sealed(sealed, documents=[inspected.laid_out])
    return sealed


def compare(content: bytes, sealed: bytes, *, laid_out: bytes, programs: Collection[str] = PROGRAMS) -> Verdict:
    """Compare the pages of an original with the last pages of the sealed PDF, which are those of the laid-out one."""
    places = _places(laid_out)
    unseen: set[str] = set()
    with pikepdf.open(BytesIO(sealed)) as document:
        first = len(document.pages) - len(places)
    wide = widths(content)
    with viewers(content, sealed) as both:
        asked = [each for each in both if each.name in programs]
        for number, (box, width) in enumerate(places[:MOST_PAGES]):
            unlike: list[str] = []
            row: list[Image.Image] = []
            for program in asked:
                try:
                    one = program.original(number, width / wide[number])
                except CannotShowError:
                    unseen.add(program.name)
                    continue
                other = program.sealed(first + number, box)
                if not alike(one, other):
                    unlike.append(program.name)
                    row += [one, other]
            if unlike:
                return Verdict(f"differs in {' and '.join(unlike)}", f"page {number + 1}", contact_sheet(*row))
    return Verdict(SAME, " and ".join(f"{name} cannot show the original" for name in unseen))


def _places(laid_out: bytes) -> list[tuple[Box, float]]:
    """Where each page lies on its sheet, and its exact width in pixels."""
    with pikepdf.open(BytesIO(laid_out)) as document:
        return [_place(page) for page in document.pages]


def _place(page: pikepdf.Page) -> tuple[Box, float]:
    left, low, right, high = (float(each) * SCALE for each in page.artbox)
    height = float(page.mediabox[3]) * SCALE
    return (round(left), round(height - high), round(right), round(height - low)), right - left


@cache
def _authority() -> Authority:
    return Authority.root("Seal Root")


@cache
def _key() -> PrivateKey:
    return _authority().intermediate("Seal Issuer").seal("Corpus")
