"""The sender creates a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from django.db import Error, IntegrityError, OperationalError

from segl.core import lifecycle
from segl.core.protocol import (
    ContactInformation,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PortalJobRequest,
    PortalManifest,
)
from segl.core.protocol import Signer as RequestedSigner
from segl.core.sector import Sector
from segl.core.statuses import SignerStatus
from segl.core.terms import Terms
from segl.service import clock, due, outages
from segl.service.jobs import changes, rules
from segl.service.jobs.errors import KeyReusedError, OutcomeUnknownError
from segl.service.store.documents import StoredDocument, discard, new_key, put_all, recorded
from segl.service.store.models import Document, DocumentKind, Job, Lookup, Organization, Reservation, Signer
from segl.service.store.transactions import write


@dataclass(frozen=True, slots=True)
class AcceptedDocument:
    """A document that was checked: its title, file name and media type by the manifest, its bytes and its pages.

    `laid_out` is the PDF that is shown and sealed, `contents` the JSON of its pages (see `segl.service.rendering`).
    """

    title: str
    name: str
    media_type: str
    content: bytes | memoryview
    pages: int
    laid_out: bytes
    contents: bytes


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What distinguishes a retry from another request: the sender's key, and the SHA-256 of the request's body."""

    key: str
    request_sha256: bytes


def create_job(
    *,
    sender: Organization,
    broker: Organization,
    request: PortalJobRequest,
    manifest: PortalManifest,
    manifest_xml: bytes | memoryview,
    documents: Sequence[AcceptedDocument],
    idempotency: Idempotency | None = None,
) -> Job:
    """Accept a job: once this returns, the job survives a crash; if this raises, nothing of the job is left.

    The exception is OutcomeUnknownError. A retry that arrives while the first request is still being handled returns
    the first one's job.

    Raises:
        NotAllowedError: The sender may not ask for this, or the documents are too large together.
        KeyReusedError: The key came with another request before.
        OutcomeUnknownError: The database failed, and the job may be there or not.
        OperationalError, StoreAwayError: The database or the document store failed.
    """
    terms = rules.permitted_terms(Sector(sender.sector), manifest)
    rules.check_size(sum(len(each.content) for each in documents))
    rules.check_pages(sum(each.pages for each in documents))
    key = new_key()
    stored = put_all(key, chain([manifest_xml], *([each.content, each.laid_out, each.contents] for each in documents)))
    is_complete = False
    try:
        with write():
            job = _add_job(
                sender=sender,
                broker=broker,
                request=request,
                manifest=manifest,
                wrapped_key=key.wrapped,
                terms=terms,
                idempotency=idempotency,
            )
            if idempotency:
                Reservation.objects.filter(sender=sender, key=idempotency.key).delete()
            _add_parts(job, manifest, terms, documents, stored)
            is_complete = True
        return job
    except Exception as error:
        if isinstance(error, OperationalError) and is_complete and (made := _made(stored[0], error)):
            return made
        discard(stored)
        if isinstance(error, IntegrityError) and (first := retried_job(sender=sender, idempotency=idempotency)):
            return first
        raise


def _made(manifest: StoredDocument, error: OperationalError) -> Job | None:
    """Return the job with this manifest if it was made after all: the answer to COMMIT may be what was lost.

    Raises:
        OutcomeUnknownError: The database does not say.
    """
    try:
        document = recorded(manifest)
    except Error:
        raise OutcomeUnknownError(f"whether a job was made is not known: {outages.reason(error)}") from error
    return document.job if document else None


def retried_job(*, sender: Organization, idempotency: Idempotency | None) -> Job | None:
    """The job that the same request with the same key created before, if any.

    Raises:
        KeyReusedError: The key came with another request before.
    """
    if idempotency is None:
        return None
    job = Job.objects.filter(sender=sender, idempotency_key=idempotency.key).first()
    if job and bytes(job.request_sha256 or b"") != idempotency.request_sha256:
        raise KeyReusedError(
            f"The Idempotency-Key {idempotency.key!r} came with another request before, which created job {job.pk}: "
            "send a new request with a new key, and a retry with exactly the same body."
        )
    return job


def _add_job(
    *,
    sender: Organization,
    broker: Organization,
    request: PortalJobRequest,
    manifest: PortalManifest,
    wrapped_key: bytes,
    terms: Terms,
    idempotency: Idempotency | None,
) -> Job:
    now = clock.now()
    availability = manifest.availability
    activation: datetime | None = availability.activation_time if availability else None
    seconds = availability.available_seconds if availability else None
    return Job.objects.create(
        sender=sender,
        broker=broker,
        reference=request.reference,
        polling_queue=request.polling_queue or "",
        title=manifest.title,
        nonsensitive_title=manifest.nonsensitive_title or "",
        description=manifest.description or "",
        required_authentication=int(terms.level),
        identifier_in_signed_documents=manifest.identifier_in_signed_documents or "",
        wrapped_key=wrapped_key,
        created_at=now,
        activates_at=max(now, activation or now),
        available_seconds=rules.DEFAULT_AVAILABLE_SECONDS if seconds is None else seconds,
        idempotency_key=idempotency.key if idempotency else None,
        request_sha256=idempotency.request_sha256 if idempotency else None,
    )


def _add_parts(
    job: Job,
    manifest: PortalManifest,
    terms: Terms,
    documents: Sequence[AcceptedDocument],
    stored: Sequence[StoredDocument],
) -> None:
    signers = _add_signers(job, manifest, terms)
    lookups = _add_lookups(job, manifest, signers)
    _add_documents(job, documents, stored)
    changes.notify([each for each in signers if each.activated_at], at=job.activates_at, now=job.created_at)
    if lookups or job.activates_at <= job.created_at:
        due.wake_on_commit()


def _add_signers(job: Job, manifest: PortalManifest, terms: Terms) -> list[Signer]:
    """The signers; those whose turn comes first can act from the job's activation on."""
    orders = ((number, each.order or 0, SignerStatus.WAITING) for number, each in enumerate(manifest.signers, 1))
    first = lifecycle.job_state(orders).turn
    return Signer.objects.bulk_create(
        Signer(
            job=job,
            number=number,
            order=signer.order or 0,
            activated_at=job.activates_at if number in first else None,
            signature_type=signature_type,
            on_behalf_of=signer.on_behalf_of or OnBehalfOf.SELF,
            status_since=job.created_at,
            **_addresses(signer),
        )
        for number, (signer, signature_type) in enumerate(
            zip(manifest.signers, terms.signature_types, strict=True), start=1
        )
    )


def _add_lookups(job: Job, manifest: PortalManifest, signers: Sequence[Signer]) -> list[Lookup]:
    """The lookups of signers reached through the contact register: due at once, whenever their turn comes."""
    return Lookup.objects.bulk_create(
        Lookup(signer=signer, sms=requested.notifications.sms, due_at=job.created_at)
        for signer, requested in zip(signers, manifest.signers, strict=True)
        if isinstance(requested.notifications, NotificationsUsingLookup)
    )


def _addresses(signer: RequestedSigner) -> dict[str, str]:
    if isinstance(signer.identifier, ContactInformation):
        return {"personal_identification_number": "", **_contact(signer.identifier)}
    given = signer.notifications
    contact = _contact(given) if isinstance(given, Notifications) else {}  # Others are looked up in the register.
    return {"personal_identification_number": signer.identifier.value, **contact}


def _contact(given: Notifications) -> dict[str, str]:
    return {"email": given.email.address if given.email else "", "sms": given.sms.number if given.sms else ""}


def _add_documents(job: Job, documents: Sequence[AcceptedDocument], stored: Sequence[StoredDocument]) -> None:
    """The manifest, then for each document the original, the laid-out PDF and its pages, in the order of `stored`."""
    manifest, *rest = stored
    rows = [_row(job, 1, manifest, kind=DocumentKind.MANIFEST, name="manifest.xml", media_type="application/xml")]
    for number, document in enumerate(documents, 1):
        original, laid_out, pages = rest[3 * number - 3 : 3 * number]
        rows += [
            _row(
                job,
                number,
                original,
                kind=DocumentKind.ORIGINAL,
                title=document.title,
                name=document.name,
                media_type=document.media_type,
                pages=document.pages,
            ),
            _row(
                job,
                number,
                laid_out,
                kind=DocumentKind.LAID_OUT,
                name=f"laid-out-{number}.pdf",
                media_type="application/pdf",
                pages=document.pages,
            ),
            _row(
                job,
                number,
                pages,
                kind=DocumentKind.PAGES,
                name=f"pages-{number}.json",
                media_type="application/json",
            ),
        ]
    Document.objects.bulk_create(rows)


def _row(job: Job, number: int, stored: StoredDocument, **values: Any) -> Document:
    return Document(job=job, number=number, stored_name=stored.name, size=stored.size, sha256=stored.sha256, **values)
