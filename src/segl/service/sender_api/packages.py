"""What the create requests of all flows contain: a package with documents."""

from collections.abc import Sequence
from datetime import datetime

from segl.core import asice
from segl.core.asice import Package
from segl.core.errors import InvalidPackage
from segl.core.protocol import ManifestDocument
from segl.service import configuration, rendering
from segl.service.jobs import rules
from segl.service.jobs.creating import AcceptedDocument
from segl.service.jobs.errors import NotAllowedError
from segl.service.revocation import check_revocation
from segl.service.sender_api.authentication import Caller, policy, trust
from segl.service.sender_api.inspection import inspect

_PDF, _TEXT = "application/pdf", "text/plain"


def open_package(caller: Caller, content: memoryview, *, received_at: datetime) -> Package:
    """Return the opened package, which the caller must have signed just now.

    Raises:
        InvalidPackage, UntrustedCertificate, RevocationUnknownError: The package is not accepted.
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
