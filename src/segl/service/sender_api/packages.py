"""What create requests of any flow have: a document package, its documents, and maybe an Idempotency-Key."""

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
from segl.service.sender_api.authentication import Caller, trust
from segl.service.sender_api.errors import RefusedError
from segl.service.sender_api.inspection import inspect

_PDF, _TEXT = "application/pdf", "text/plain"
_LONGEST_KEY = 255


def idempotency(key: str | None, body: memoryview) -> Idempotency | None:
    """What a retry is recognized by: the header Idempotency-Key, if there is one, and the whole body.

    The header is that of draft-ietf-httpapi-idempotency-key-header.

    Raises:
        RefusedError: The key is none.
    """
    return None if key is None else Idempotency(_plain(key), sha256(body).digest())


def open_package(caller: Caller, content: memoryview, *, received_at: datetime) -> Package:
    """The package, which the caller has signed just now.

    Raises:
        InvalidPackage, UntrustedCertificate, RevocationUnknownError, RefusedError: It is not as it must be.
    """
    package = asice.open_package(
        content,
        trust=trust(),
        now=received_at,
        tolerance=configuration.current().signing_time_tolerance,
        expected_signer=caller.certificate,
    )
    check_revocation(package.chain)
    return package


def accepted_documents(asked: Sequence[ManifestDocument], package: Package, *, sender: str) -> list[AcceptedDocument]:
    """The documents that the manifest names, inspected; texts are typeset.

    Raises:
        InvalidInput, NotAllowedError: One of them cannot be signed.
    """
    for fault in asice.misnamed([each.href for each in asked], package.documents):
        raise InvalidPackage(fault)
    rules.check_size(sum(map(len, package.documents.values())))  # before anything spends time on them
    typeset = rendering.typeset_texts({each.href: package.documents[each.href] for each in asked if _is_text(each)})
    facts = inspect(sender, {each.href: typeset.get(each.href, package.documents[each.href]) for each in asked})
    return [
        AcceptedDocument(
            title=each.title,
            name=each.href,
            media_type=each.media_type.lower(),
            content=package.documents[each.href],
            pages=found.pages,
            typeset=typeset.get(each.href),
        )
        for each, found in zip(asked, facts, strict=True)
    ]


def _is_text(document: ManifestDocument) -> bool:
    """Whether it is plain text, which is to be typeset; a PDF is taken as it is."""
    media_type = document.media_type.lower()  # its case means nothing (RFC 9110, 8.3.1)
    if media_type not in {_PDF, _TEXT}:
        raise NotAllowedError(
            "MEDIA_TYPE_NOT_SUPPORTED",
            f"{document.href} has the media type {document.media_type!r}: send {_PDF} or {_TEXT}.",
        )
    return media_type == _TEXT


def _plain(key: str) -> str:
    """The key, which clients write with quotes (as the draft says) or without."""
    plain = re.sub(r'\A"(.*)"\Z', r"\1", key.strip())
    if bad := re.search(r"[^\x21\x23-\x7e]", plain):
        wrong = f"has the character {bad[0]!r} in {plain[:40]!r}"
    elif not 0 < len(plain) <= _LONGEST_KEY:
        wrong = f"is {len(plain)} characters long"
    else:
        return plain
    raise RefusedError(
        HTTPStatus.BAD_REQUEST,
        "INVALID_IDEMPOTENCY_KEY",
        f"The header Idempotency-Key {wrong}: give 1 to {_LONGEST_KEY} visible ASCII characters without quotes among "
        "them, such as a UUID.",
    )
