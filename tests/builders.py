"""Jobs and all that belongs to them, made with the use cases; needs Django and the fixture `database`."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import obstore
from django.apps import apps
from django.db import connections

from pdfs import pdf
from segl.core.protocol import (
    ContactInformation,
    Email,
    ManifestDocument,
    Notifications,
    PersonalIdentificationNumber,
    PortalJobRequest,
    PortalManifest,
    Sms,
)
from segl.core.protocol import Signer as RequestedSigner
from segl.core.sector import Sector
from segl.service import due
from segl.service.jobs.creating import AcceptedDocument, Idempotency, create_job
from segl.service.jobs.links import NewLink
from segl.service.jobs.notifying import begin_notification, complete_notification
from segl.service.jobs.persons import Identity
from segl.service.jobs.sealing import begin_seal, complete_seal
from segl.service.jobs.signing import Agreement, agree, begin_signature, complete_signature
from segl.service.rendering import read_contents, tasks, wire
from segl.service.rendering.limits import Limits
from segl.service.store import documents as stored
from segl.service.store.models import (
    CallPace,
    Job,
    Notification,
    Organization,
    PollTime,
    Sealing,
    Signer,
    Signing,
    StatusChange,
)
from segl.service.store.transactions import write

KARI = "13097248022"
OLA = "17054026641"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PDF = pdf("Avtale")


def organization(
    number: str = "123456789",
    name: str = "Nordvik kommune",
    sector: Sector = Sector.PUBLIC,
    brokers: Sequence[Organization] = (),
) -> Organization:
    """A registered organization; the same number gives the same row."""
    made, _ = Organization.objects.get_or_create(number=number, defaults={"name": name, "sector": sector})
    made.brokers.add(*brokers)
    return made


def person(
    number: str = KARI, *, email: str = "kari@example.com", sms: str | None = None, **more: Any
) -> RequestedSigner:
    """A signer addressed by national identity number."""
    notifications = Notifications(Email(email), Sms(sms) if sms else None)
    return RequestedSigner(PersonalIdentificationNumber(number), notifications, **more)


def contact(email: str = "ola@example.com", **more: Any) -> RequestedSigner:
    """A signer addressed by e-mail alone."""
    return RequestedSigner(ContactInformation(Email(email)), **more)


def manifest(*signers: RequestedSigner, titles: Sequence[str] = ("Avtale",), **more: Any) -> PortalManifest:
    """A manifest of these signers (one person by default) and a PDF per title."""
    return PortalManifest(
        signers=signers or (person(),),
        sender=more.pop("sender", "123456789"),
        title=more.pop("title", "Avtale om båtplass"),
        documents=tuple(
            ManifestDocument(title, f"{number:04}_dokument.pdf", "application/pdf")
            for number, title in enumerate(titles, 1)
        ),
        **more,
    )


def accepted(wanted: PortalManifest, *contents: bytes) -> list[AcceptedDocument]:
    """The documents of a manifest, as the edge passes them on after its checks."""
    given = contents or (PDF,) * len(wanted.documents)
    return [
        AcceptedDocument(each.title, each.href, each.media_type, content, _pages(content), *laid_out(content))
        for each, content in zip(wanted.documents, given, strict=True)
    ]


def _pages(content: bytes) -> int:
    return len(read_contents(laid_out(content)[1]))


@cache
def laid_out(content: bytes) -> tuple[bytes, bytes]:
    """A PDF as it is shown and sealed, and the JSON of its pages, made as a rendering child makes them.

    What is no PDF is taken for a text that was typeset.
    """
    _, pages, made = wire.split(tasks.inspect({"": content if content[:6] == b"%PDF-1" else PDF}, limits=Limits()))
    return made, pages


def create(
    *signers: RequestedSigner,
    sender: Organization | None = None,
    reference: str | None = None,
    polling_queue: str | None = None,
    contents: Sequence[bytes] = (),
    idempotency: Idempotency | None = None,
    **more: Any,
) -> Job:
    """A job that was accepted."""
    sender = sender or organization()
    wanted = manifest(*signers, sender=sender.number, **more)
    return create_job(
        sender=sender,
        broker=sender,
        request=PortalJobRequest(reference, polling_queue),
        manifest=wanted,
        manifest_xml=wanted.to_xml(),
        documents=accepted(wanted, *contents),
        idempotency=idempotency,
    )


def create_of(*documents: AcceptedDocument) -> Job:
    """A job for Kari of these documents."""
    wanted, sender = manifest(titles=[each.title for each in documents]), organization()
    return create_job(
        sender=sender,
        broker=sender,
        request=PortalJobRequest(),
        manifest=wanted,
        manifest_xml=wanted.to_xml(),
        documents=documents,
    )


def create_texts(*typeset: bytes) -> Job:
    """A job for Kari of plain texts, one for each of these PDFs that they were typeset as."""
    return create_of(
        *(
            AcceptedDocument("Tekst", f"{number:04}_tekst.txt", "text/plain", b"tekst", 1, *laid_out(pdf))
            for number, pdf in enumerate(typeset, 1)
        )
    )


def identity(number: str = KARI, *, level: int = 4, name: str = "Kari Nordmann") -> Identity:
    """A log-in with the test eID."""
    return Identity(
        personal_identification_number=number,
        name=name,
        method="TestID",
        provider="Segl test eID",
        level=level,
        authenticated_at=NOW,
        reference="login-1",
    )


def agreement() -> Agreement:
    return Agreement(
        sentence="Jeg signerer dokumentet.", ip_address="192.0.2.7", user_agent="Firefox", without_pictures=True
    )


def agreed(job: Job, number: int = 1, who: Identity | None = None) -> Signing:
    """The claimed signature of a signer who agrees now."""
    return agree(job_id=job.pk, number=number, identity=who or identity(), agreement=agreement())


def signed(job: Job, number: int = 1, who: Identity | None = None) -> bool:
    """Let a signer agree and record a signature (some bytes); return whether it counted."""
    signing = agreed(job, number, who)
    task = begin_signature(signing)
    assert task is not None
    return complete_signature(signing, stored.put(task.key, f"<xades-{number}/>".encode()))


def sealed(job: Job) -> None:
    """Complete the job with a sealed PDF (some bytes)."""
    sealing = due.claim(Sealing, job=job.pk)[0]
    task = begin_seal(sealing)
    complete_seal(sealing, stored.put(task.key, b"%PDF sealed"))


def sent_link(signer: Signer) -> NewLink:
    """Send the oldest due message to a signer; return its link and code."""
    notification = due.claim(Notification, signer=signer.pk)[0]
    message = begin_notification(notification)
    assert message is not None
    assert message.link is not None
    complete_notification(notification)
    return message.link


def due_rows(count: int, *, at: datetime = NOW - timedelta(days=365), apart: timedelta = timedelta()) -> list[int]:
    """Add `count` due rows that mean nothing, the first due at `at`; return their keys in order."""
    key = stored.new_key().wrapped
    with write():
        sender = organization()
        job = Job.objects.create(
            sender=sender,
            broker=sender,
            title="Title",
            required_authentication=4,
            wrapped_key=key,
            created_at=NOW,
            activates_at=NOW,
            available_seconds=3600,
        )
        signer = Signer.objects.create(job=job, number=1, signature_type="", status_since=NOW)
        rows = [
            Notification.objects.create(signer=signer, created_at=NOW, due_at=at + apart * number)
            for number in range(count)
        ]
    return [each.pk for each in rows]


def everything() -> dict[str, Any]:
    """All rows except those that count calls, and all stored documents: they are equal if nothing has changed."""
    kept = [model for model in apps.get_models() if model not in {CallPace, PollTime}]
    rows = {model.__name__: sorted(model.objects.values_list()) for model in kept}  # type: ignore[attr-defined]  # any model's manager
    return rows | {"contents": stored_names()}


def stored_names() -> set[str]:
    """The names of all stored documents."""
    return {each["path"] for page in obstore.list(stored._store()) for each in page}


def status_of(job: Job) -> tuple[str, list[str]]:
    """The status of a job and those of its signers."""
    signers = Signer.objects.filter(job=job).order_by("number")
    return Job.objects.get(pk=job.pk).status, [each.status for each in signers]


def version_of(job: Job) -> int:
    """How many status changes of a job were published to the sender's queue."""
    change = StatusChange.objects.filter(job=job).first()
    return change.version if change else 0


def in_threads(*actions: Callable[[], Any]) -> list[Any]:
    """Run all at once, each with its own database connection; return what each returned or raised."""
    start = threading.Barrier(len(actions))
    outcomes: list[Any] = [None] * len(actions)

    def run(number: int) -> None:
        start.wait(10)
        try:
            outcomes[number] = actions[number]()
        except Exception as error:  # an outcome like any other
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(actions))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
        assert not each.is_alive(), "the threads wait for each other"
    return outcomes
