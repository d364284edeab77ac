"""A signer agrees or rejects; the signature that was agreed to is made and recorded."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from segl.core import lifecycle
from segl.core.evidence import Evidence
from segl.core.lifecycle import IllegalStepError, JobState
from segl.core.protocol import SignatureType
from segl.core.statuses import SignerStatus
from segl.core.xades import SignedDocument
from segl.service import clock, due
from segl.service.jobs import changes, deliveries
from segl.service.jobs.errors import LevelTooLowError, NotOpenError, NotTheSignerError, PagesNotShownError
from segl.service.jobs.finding import laid_out, originals, signer_of
from segl.service.jobs.persons import Identity, shown_identity
from segl.service.store.documents import JobKey, StoredDocument, unwrap
from segl.service.store.models import Document, DocumentKind, Job, Sealing, Signer, Signing
from segl.service.store.transactions import write


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a signer agreed to, and from where: the sentence as it was shown is part of the evidence.

    `without_pictures`: the signer confirmed to sign though some pages have not been shown as pictures.
    """

    sentence: str
    ip_address: str
    user_agent: str
    without_pictures: bool = False


@dataclass(frozen=True, slots=True)
class SignatureTask:
    """What is needed to make one signature."""

    key: JobKey
    documents: tuple[SignedDocument, ...]
    evidence: Evidence
    signature_type: SignatureType


def check_open(signer: Signer) -> None:
    """Make sure that the signer may sign or reject now.

    Raises:
        NotOpenError: Signed or ended already, agreed already, not yet this signer's turn, or past the deadline.
    """
    [error] = why_not_open([signer])
    if error:
        raise error


def why_not_open(signers: Collection[Signer]) -> list[NotOpenError | None]:
    """Why each of these signers cannot sign or reject now, or None; at most two statements for all of them."""
    states = changes.states({each.job_id for each in signers})
    waiting = [each for each in signers if each.number in states[each.job_id].turn]
    agreed = set(Signing.objects.filter(signer__in=waiting).values_list("signer_id", flat=True))
    now = clock.now()
    return [_why_not_open(each, states[each.job_id], has_agreed=each.pk in agreed, now=now) for each in signers]


def _why_not_open(signer: Signer, job: JobState, *, has_agreed: bool, now: datetime) -> NotOpenError | None:
    try:
        lifecycle.check_turn(job, signer.number)
    except IllegalStepError as error:
        return NotOpenError(str(error), error.status.lower())
    if has_agreed:
        return NotOpenError("The signer has agreed already; the signature is being made.", "signing")
    if signer.activated_at is None or signer.activated_at > now:
        return NotOpenError("The job is not active yet.", "not_active")
    if signer.is_late(now):
        return NotOpenError("The deadline has passed.", "expired")
    return None


def check_person(signer: Signer, identity: Identity) -> None:
    """Make sure that this person may sign as this signer.

    Raises:
        NotTheSignerError: The signer was addressed by another national identity number.
        LevelTooLowError: The log-in's level is too low for the job.
    """
    if signer.personal_identification_number not in {"", identity.personal_identification_number}:
        raise NotTheSignerError("Someone else was asked to sign.")
    if identity.level < signer.job.required_authentication:
        raise LevelTooLowError(f"The job requires an eID of level {signer.job.required_authentication}.")


def agree(*, job_id: int, number: int, identity: Identity, agreement: Agreement) -> Signing:
    """Record that a signer agrees, and claim the signature for the caller, who makes it at once.

    From here on the signature is made even if the caller dies: a worker takes over when the lease ends. Only if the
    job ends first (cancelled, or rejected by another signer) is there no signature.

    Raises:
        NoSuchJobError: There is no such signer.
        NotTheSignerError, LevelTooLowError: The person may not sign as this signer.
        NotOpenError: The signer cannot sign now.
        PagesNotShownError: Pages have not been shown, and the agreement is not without their pictures.
    """
    with write():
        job = changes.lock(job_id)
        signer = signer_of(job_id=job_id, number=number)
        check_person(signer, identity)
        check_open(signer)
        delivered = deliveries.delivered(signer)
        missing = deliveries.missing(delivered, originals(job=job))
        if missing and not agreement.without_pictures:
            raise PagesNotShownError(missing)
        now = clock.now()
        record = {
            **asdict(identity),
            **asdict(agreement),
            "authenticated_at": identity.authenticated_at.isoformat(),
            "shown_identity": shown_identity(signer, identity),
            "shown_pages": deliveries.as_text(delivered),
        }
        signing = Signing.objects.create(signer=signer, agreement=record, agreed_at=now, due_at=now)
        return due.claim(Signing, id=signing.pk)[0]


def reject(*, job_id: int, number: int, identity: Identity | None) -> None:
    """The signer declines, which ends the job. Without an eID only for signers addressed by contact information.

    Raises:
        NoSuchJobError: There is no such signer.
        NotTheSignerError: The person is not the signer.
        NotOpenError: The signer cannot act now.
    """
    with write():
        job = changes.lock(job_id)
        signer = signer_of(job_id=job_id, number=number)
        if identity is not None:
            check_person(signer, identity)
        elif not signer.is_addressed_by_contact_information:
            raise NotTheSignerError("Log in with an eID first.")
        check_open(signer)
        before = changes.state(job)
        changes.step(job, before, lifecycle.end(before, number, SignerStatus.REJECTED))
        changes.publish(job)


def begin_signature(signing: Signing) -> SignatureTask | None:
    """Return the documents to sign and the evidence, or None if the job ended before the signature was made."""
    signer = Signer.objects.select_related("job").get(pk=signing.signer_id)
    if signer.number not in changes.state(signer.job).turn:
        with write():
            due.finish(signing)
        return None
    agreement = signing.agreement
    evidence = Evidence(
        job_id=signer.job_id,
        job_title=signer.job.title,
        signer_number=signer.number,
        signer_name=agreement["name"],
        signer_identity=agreement["shown_identity"],
        signature_type=SignatureType(signer.signature_type),
        method=agreement["method"],
        provider=agreement["provider"],
        authentication_level=agreement["level"],
        authenticated_at=datetime.fromisoformat(agreement["authenticated_at"]),
        agreed_at=signing.agreed_at,
        agreement=agreement["sentence"],
        ip_address=agreement["ip_address"],
        user_agent=agreement["user_agent"],
        login_reference=agreement["reference"],
        shown_sha256=" ".join(bytes(each.sha256).hex() for each in laid_out(job=signer.job)),
        shown_pages=agreement.get("shown_pages", ""),
    )
    documents = tuple(
        SignedDocument(each.name, each.media_type, bytes(each.sha256)) for each in originals(job=signer.job)
    )
    return SignatureTask(
        unwrap(bytes(signer.job.wrapped_key)), documents, evidence, SignatureType(signer.signature_type)
    )


def complete_signature(signing: Signing, xades: StoredDocument) -> bool:
    """Record a signature that was made and stored; the last one makes the job due for sealing.

    Returns whether it counts: it does not if the job has ended in the meantime.

    Raises:
        LeaseLostError: Another worker has taken over.
    """
    with write():
        signer = Signer.objects.select_related("job").get(pk=signing.signer_id)
        job = changes.lock(signer.job_id)
        due.finish(signing)
        before = changes.state(job)
        if signer.number not in before.turn:
            return False
        _add_xades(job, signer, xades)
        Signer.objects.filter(pk=signer.pk).update(name=signing.agreement["name"])
        after = lifecycle.sign(before, signer.number)
        changes.step(job, before, after)
        if after.all_signed:
            # Published once the sealed PDF exists: until then there is nothing new to fetch.
            Sealing.objects.create(job=job, due_at=clock.now())
        else:
            changes.publish(job)
        due.wake_on_commit()
    return True


def _add_xades(job: Job, signer: Signer, stored: StoredDocument) -> None:
    Document.objects.create(
        job=job,
        signer=signer,
        kind=DocumentKind.XADES,
        number=signer.number,
        name=f"xades-{signer.number}.xml",
        media_type="application/xml",
        stored_name=stored.name,
        size=stored.size,
        sha256=stored.sha256,
    )
