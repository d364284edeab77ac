"""What the create requests of all flows contain: a package with documents, and optionally an Idempotency-Key."""

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus

from segl.core import asice
from segl.core.asice import Package
from segl.core.errors import InvalidPackage
from segl.core.protocol import ManifestDocument
from segl.service import configuration, rendering
from segl.service.jobs import rules
from segl.service.jobs.creating import AcceptedDocument, Idempotency
from segl.service.jobs.errors import NotAllowedError
from segl.service.revocation import check_revocation
from segl.service.sender_api.authentication import Caller, policy, trust
from segl.service.sender_api.errors import RefusedError
from segl.service.sender_api.inspection import inspect

_PDF, _TEXT = "application/pdf", "text/plain"
_LONGEST_KEY = 255


def idempotency(key: str | None, body: memoryview) -> Idempotency | None:
    """Return what identifies a retry: the Idempotency-Key header and a digest of the body; None without the header.

    The header is defined in draft-ietf-httpapi-idempotency-key-header.

    Raises:
        RefusedError: The key is not valid.
    """
    return None if key is None else Idempotency(_plain(key), sha256(body).digest())


def open_package(caller: Caller, content: memoryview, *, received_at: datetime) -> Package:
    """Return the opened package, which the caller must have signed just now.

    Raises:
        InvalidPackage, UntrustedCertificate, RevocationUnknownError, RefusedError: The package is not accepted.
    """
    package = asice.open_package(
        content,
        trust=trust(),
        now=received_at,
        tolerance=configuration.current().signing_time_tolerance,
        expected_signer=caller.certificate,
        policy=policy(),
    )
    check_revocation(package.chain)
    return package


def accepted_documents(named: Sequence[ManifestDocument], package: Package, *, sender: str) -> list[AcceptedDocument]:
    """Return the documents named in the manifest, inspected, with plain texts typeset.

    Raises:
        InvalidInput, NotAllowedError: One of them cannot be signed.
    """
    for fault in asice.misnamed([each.href for each in named], package.documents):
        raise InvalidPackage(fault)
    rules.check_size(sum(map(len, package.documents.values())))  # before spending time on them
    typeset = rendering.typeset_texts({each.href: package.documents[each.href] for each in named if _is_text(each)})
    inspected = inspect(sender, {each.href: typeset.get(each.href, package.documents[each.href]) for each in named})
    return [
        AcceptedDocument(
            title=each.title,
            name=each.href,
            media_type=each.media_type.lower(),
            content=package.documents[each.href],
            pages=found.facts.pages,
            laid_out=found.laid_out,
            contents=found.pages,
        )
        for each, found in zip(named, inspected, strict=True)
    ]


def _is_text(document: ManifestDocument) -> bool:
    """Whether the document is plain text, which is typeset; a PDF is used as it is."""
    media_type = document.media_type.lower()  # case-insensitive (RFC 9110, 8.3.1)
    if media_type not in {_PDF, _TEXT}:
        raise NotAllowedError(
            "MEDIA_TYPE_NOT_SUPPORTED",
            f"{document.href} has the media type {document.media_type!r}: send {_PDF} or {_TEXT}.",
        )
    return media_type == _TEXT


def _plain(key: str) -> str:
    """Return the key without the quotes that the draft requires and some clients omit."""
    plain = re.sub(r'\A"(.*)"\Z', r"\1", key.strip())
    if bad := re.search(r"[^\x21\x23-\x7e]", plain):
        problem = f"has the character {bad[0]!r} in {plain[:40]!r}"
    elif not 0 < len(plain) <= _LONGEST_KEY:
        problem = f"is {len(plain)} characters long"
    else:
        return plain
    raise RefusedError(
        HTTPStatus.BAD_REQUEST,
        "INVALID_IDEMPOTENCY_KEY",
        f"The header Idempotency-Key {problem}: send 1 to {_LONGEST_KEY} visible ASCII characters other than quotes, "
        "such as a UUID.",
    )
