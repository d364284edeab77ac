"""A front page to typeset, and the organization that seals."""

from collections.abc import Callable
from io import BytesIO

import pikepdf
import pytest

from certificates import NOW, Authority
from segl.core.keys import PrivateKey
from segl.core.pades import FrontPage, FrontPageDocument, FrontPageSigner, fonts, originals
from segl.core.pades.assembly import lay_out, merge
from segl.core.pades.front_page import typeset
from segl.core.pades.sheets import check_same
from segl.core.protocol import SignatureType


def signer(name: str = "Kari Nordmann", identity: str = "01018012345") -> FrontPageSigner:
    return FrontPageSigner(name, identity, NOW, "TestID", 4, SignatureType.AUTHENTICATED_SIGNATURE)


@pytest.fixture
def front_page() -> Callable[..., FrontPage]:
    """A front page about documents with so many pages; names of the signers and anything else can be given."""

    def make(*pages: int, names: tuple[str, ...] = ("Kari Nordmann", "Ola Hansen"), **changes: object) -> FrontPage:
        values = {
            "title": "Leieavtale Storgata 14",
            "job_id": 101234,
            "signers": [signer(name) for name in names],
            "documents": [FrontPageDocument(f"Dokument {number}", count) for number, count in enumerate(pages, 1)],
            "sealed_by": "Nordvik segl",
            "sealed_at": NOW,
        }
        return FrontPage(**values | changes)  # type: ignore[arg-type]  # values of many types

    return make


@pytest.fixture(scope="session")
def footers() -> dict[tuple[int, ...], bytes]:
    """Front pages with footers that were typeset before, by the number of pages of each document."""
    return {}


@pytest.fixture
def shipped_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Debian's fonts."""
    monkeypatch.setattr(fonts, "NOTO", ())


@pytest.fixture
def assembled(front_page: Callable[..., FrontPage], footers: dict[tuple[int, ...], bytes]) -> Callable[..., bytes]:
    """Originals laid out and assembled, on a front page of one page."""

    def make(*documents: bytes) -> bytes:
        sheets = []
        for content in documents:
            with originals.opened(content) as original:
                sheets.append(lay_out(original))
        pages = tuple(len(pikepdf.open(BytesIO(each)).pages) for each in sheets)
        described = front_page(*pages)
        if pages not in footers:
            footers[pages] = typeset(described)
        sealed = merge(footers[pages], documents=sheets, front_page=described, attachments=())
        check_same(sealed, sheets)
        return sealed

    return make


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.root("Seal Root").intermediate("Seal Issuer")


@pytest.fixture(scope="session")
def seal_key(authority: Authority) -> PrivateKey:
    return authority.seal("Nordvik segl")
