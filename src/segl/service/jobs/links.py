"""The unique links and security codes of signers who are addressed by contact information.

A link alone opens nothing; with its code it opens one signer's job. Only digests are kept.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from django.conf import settings

from segl.service import clock
from segl.service.jobs.errors import NoSuchLinkError
from segl.service.store.models import Link, Signer

_CODE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link's token and security code, for the signer alone."""

    token: str
    code: str

    def __repr__(self) -> str:
        return "NewLink(…)"


def new_link(signer: Signer) -> NewLink:
    """Make a link and its code for a signer; earlier ones stay valid, since their messages may be on their way."""
    link = NewLink(secrets.token_urlsafe(24), f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}")
    Link.objects.create(
        signer=signer,
        token_digest=_token_digest(link.token),
        code_digest=code_digest(link.token, link.code),
        created_at=clock.now(),
    )
    return link


def signer_of_link(*, token: str) -> Signer:
    """The signer to whom a link was sent. The link alone grants no access.

    Raises:
        NoSuchLinkError: The link was never sent.
    """
    return link_of(token).signer


def link_of(token: str) -> Link:
    """The link with this token, with its signer and job.

    Raises:
        NoSuchLinkError: The link was never sent.
    """
    link = Link.objects.select_related("signer__job").filter(token_digest=_token_digest(token)).first()
    if link is None:
        raise NoSuchLinkError("This link was never sent: open the link in the latest message.")
    return link


def _token_digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def code_digest(token: str, code: str) -> bytes:
    """Keyed with the service's secret: a code is short, so a plain digest could be searched for it."""
    return hmac.new(settings.SECRET_KEY.encode(), f"{token}:{code}".encode(), hashlib.sha256).digest()
