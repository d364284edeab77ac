"""What a signed PDF is made of besides the originals: its front page and the files attached to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from segl.core.protocol import SignatureType


class FrontPageDocument(NamedTuple):
    """An original as the front page lists it: its title and how many pages it has."""

    title: str
    pages: int


@dataclass(frozen=True, slots=True)
class FrontPageSigner:
    """One signer as the front page shows them.

    `identity` is the text the job allows to be shown: an identity number, a date of birth or nothing.
    `signed_at` is aware. `method` names the eID («TestID»), `level` its security level (3 or 4).
    """

    name: str
    identity: str
    signed_at: datetime
    method: str
    level: int
    signature_type: SignatureType


@dataclass(frozen=True, slots=True)
class FrontPage:
    """What the front page and the footers of a signed PDF say. It names no sending organization.

    `documents` are in the order of the originals; their page counts lay out the footers. `sealed_at` is aware.
    `test_mark` prints «TEST – uten rettsvirkning» on every page.
    """

    title: str
    job_id: int
    signers: Sequence[FrontPageSigner]
    documents: Sequence[FrontPageDocument]
    sealed_by: str
    sealed_at: datetime
    test_mark: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to the signed PDF: one signer's XAdES."""

    name: str
    media_type: str
    description: str
    content: bytes
