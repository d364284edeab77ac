"""Who uses the service meanwhile: programs that send jobs and poll, people who sign and reject, and strangers.

Each does what a careful user does after an error: looks, and tries again. They write down what the service promised.
"""

import queue
import random
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psycopg

import mutations
from chaos.service import SENDERS, Service
from pdfs import pdf
from segl.core.errors import SeglError
from segl.sandbox.testing import people
from segl.sandbox.testing.people import Person
from segl.sdk import (
    ClientConfiguration,
    ConfirmationReference,
    ContactInformation,
    Document,
    Email,
    FileType,
    Job,
    JobStatus,
    Notifications,
    PersonalIdentificationNumber,
    PortalClient,
    Signer,
    TooEagerPollingError,
)

CONTRACT = Path(__file__).parents[2] / "demo" / "contract.pdf"
SIGNERS, SENDING, POLLING, STRANGERS = 2, 2, 2, 1
BORN = ("010170", "020280")
"""How the identity numbers of first and second signers begin."""
MOST_OPEN_JOBS = 12
"""As many jobs as the signers can keep up with."""

Signed = dict[int, str]


@dataclass(frozen=True)
class Accepted:
    """A job that the service accepted, or may have: `is_certain` says which. `signs` says who of its people signs."""

    reference: str
    sender: str
    document: Document
    people: tuple[Person, ...]
    signs: tuple[bool, ...]
    is_certain: bool

    @property
    def outcome(self) -> str:
        """The state in which the job ends."""
        return "COMPLETED_SUCCESSFULLY" if all(self.signs) else "FAILED"


@dataclass
class Record:
    """What the service promised, and what was seen to be wrong."""

    jobs: dict[str, Accepted] = field(default_factory=dict)
    ended: dict[int, Any] = field(default_factory=dict)
    """The last change of each ended job, by the job's id, as it was confirmed."""
    confirmed: dict[str, float] = field(default_factory=dict)
    """When the confirmation of each reference was answered (monotonic)."""
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    failed_calls: int = 0

    def call(self) -> None:
        self.calls += 1


class Load:
    """All users, in threads of their own, until `close`."""

    def __init__(self, service: Service, chosen: random.Random) -> None:
        self._service = service
        self._seeds = chosen
        self.record = Record()
        self._stopping = threading.Event()
        self._draining = threading.Event()
        self._to_do: queue.Queue[tuple[Accepted, int]] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._numbers = count(10_000)
        self.open_jobs = threading.Semaphore(MOST_OPEN_JOBS)

    def start(self) -> None:
        for name, work, wanted in (
            ("sender", self._send, SENDING),
            ("poller", self._poll, POLLING),
            ("signer", self._sign, SIGNERS),
            ("stranger", self._disturb, STRANGERS),
        ):
            for number in range(wanted):
                own = random.Random(self._seeds.random())
                thread = threading.Thread(target=self._guarded, args=[work, number, own], name=f"{name} {number}")
                thread.start()
                self._threads.append(thread)

    def drain(self) -> None:
        """Send no more jobs; what is open goes on to its end."""
        self._draining.set()

    def close(self) -> None:
        self._draining.set()
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def is_idle(self) -> bool:
        """Whether every certain job has ended, as far as its sender knows."""
        ended = {change.reference for change in self.record.ended.values()}
        return all(each.reference in ended for each in self.record.jobs.values() if each.is_certain)

    def _guarded(self, work: Callable[[int, random.Random], None], number: int, chosen: random.Random) -> None:
        try:
            work(number, chosen)
        except Exception as error:
            self.record.wrong.append(f"{threading.current_thread().name} gave up: {error!r}")
            raise

    # Senders

    def _send(self, number: int, chosen: random.Random) -> None:
        sender = list(SENDERS)[number % len(SENDERS)]
        made = 0
        while not self._draining.wait(chosen.uniform(0, 0.3)):
            if not self.open_jobs.acquire(timeout=1):
                continue
            made += 1
            self._create(sender, f"{number}-{made}", chosen)

    def _create(self, sender: str, reference: str, chosen: random.Random) -> None:
        number = chosen.choice([1, 1, 2])
        signs = tuple(chosen.random() < 0.9 for _ in range(number))
        signers = tuple(
            Person(f"p{place}-{reference}@example.com", f"{BORN[place]}{next(self._numbers):05}", f"Person {place}")
            for place in range(number)
        )
        job = Accepted(reference, sender, _document(reference, chosen), signers, signs, is_certain=False)
        self.record.jobs[reference] = job
        with self._client(sender, chosen) as client:
            if self._tried(lambda: client.create(_job(job))):
                self._expect(job)
            else:
                self.open_jobs.release()

    def _expect(self, job: Accepted) -> None:
        self.record.jobs[job.reference] = replace(job, is_certain=True)
        for place in range(len(job.people)):
            self._to_do.put((job, place))

    def adopt(self) -> None:
        """Expect of a job whose creation got no answer what is expected of others, if it exists; once all is well."""
        for job in list(self.record.jobs.values()):
            if not job.is_certain and self._service.rows(f"SELECT id FROM job WHERE reference = '{job.reference}'"):
                self._expect(job)

    # Pollers

    def _poll(self, number: int, chosen: random.Random) -> None:
        sender = list(SENDERS)[number % len(SENDERS)]
        while not self._stopping.is_set():
            with self._client(sender, chosen) as client:
                for _ in range(chosen.randint(1, 20)):
                    if self._stopping.wait(chosen.uniform(0, 0.2)):
                        return
                    self._handle_next(client, chosen)

    def _handle_next(self, client: PortalClient, chosen: random.Random) -> None:
        asked_at = time.monotonic()
        change = self._tried(client.get_status_change)
        if change is None or change.status is JobStatus.NO_CHANGES:
            self._stopping.wait(0.3)
            return
        reference = change.confirmation_reference
        if self.record.confirmed.get(reference.url, asked_at) < asked_at:
            self.record.wrong.append(f"{reference.url} was delivered again after its confirmation was answered")
        if chosen.random() < 0.1:
            return  # this program dies before it confirms: the change comes back
        if self._tried(lambda: _confirmed(client, reference)):
            self.record.confirmed[reference.url] = time.monotonic()
            if change.status is not JobStatus.IN_PROGRESS:
                is_new = self.record.ended.setdefault(change.signature_job_id, change) is change
                if is_new and self.record.jobs[change.reference].is_certain:
                    self.open_jobs.release()

    # Signers

    def _sign(self, number: int, chosen: random.Random) -> None:
        while not self._stopping.is_set():
            try:
                job, place = self._to_do.get(timeout=0.2)
            except queue.Empty:
                continue
            if not self._has_acted(job, place):
                self._act(job, place, chosen)

    def _act(self, job: Accepted, place: int, chosen: random.Random) -> None:
        person = job.people[place]
        outbox = f"{self._service.web_root}/outbox"
        try:
            mail = people.mail_to(person, outbox)
            (people.sign if job.signs[place] else people.reject)(person, mail)
        except (httpx.HTTPError, people.Lost):
            self.record.failed_calls += 1
            self._stopping.wait(0.3)
        self._to_do.put((job, place))  # looked at once more, until it is known to be done

    def _has_acted(self, job: Accepted, place: int) -> bool:
        """Whether the signature or rejection came about, or the job ended by another signer's rejection."""
        found = self._looked_up(
            "SELECT signer.status, job.status FROM signer JOIN job ON job.id = signer.job_id "
            f"WHERE job.reference = '{job.reference}' AND signer.number = {place + 1}"
        )
        if not found:
            self._stopping.wait(0.3)
            return False
        [(signer, whole)] = found
        return signer in {"SIGNED", "REJECTED"} or whole not in {"IN_PROGRESS"}

    def _looked_up(self, statement: str) -> list[tuple[Any, ...]] | None:
        try:
            return self._service.rows(statement)
        except (psycopg.Error, sqlite3.Error):
            return None

    # Strangers

    def _disturb(self, number: int, chosen: random.Random) -> None:
        """Garbage, half requests and wrong addresses: none may fail the service."""
        while not self._stopping.wait(chosen.uniform(0, 0.4)):
            try:
                answer = chosen.choice([self._garbage_to_the_api, self._garbage_to_the_pages, self._almost_a_job])(
                    chosen
                )
            except httpx.HTTPError:
                continue
            self.record.call()
            if answer.status_code == 500:
                self.record.wrong.append(f"{answer.request.method} {answer.request.url} was answered 500")

    def _garbage_to_the_api(self, chosen: random.Random) -> httpx.Response:
        sender = chosen.choice(list(SENDERS))
        configuration = self._configuration(sender, chosen)
        path = chosen.choice(
            ["portal/signature-jobs", "portal/signature-jobs/1", f"{chosen.random()}", "%00", "direct"]
        )
        with httpx.Client(verify=self._tls(sender), trust_env=False, timeout=20) as client:
            return client.request(
                chosen.choice(["POST", "GET", "DELETE", "PUT"]),
                f"{configuration.environment.api_root}/{sender}/{path}",
                content=chosen.randbytes(chosen.choice([0, 10, 3000, 200_000])),
                headers={
                    "Content-Type": chosen.choice(["multipart/mixed; boundary=x", "application/xml", "text/plain"])
                },
            )

    def _almost_a_job(self, chosen: random.Random) -> httpx.Response:
        sender = chosen.choice(list(SENDERS))
        configuration = self._configuration(sender, chosen)
        body = mutations.sent(
            configuration.certificate, chosen.choice(mutations.CHANGES), chosen.choice(mutations.PARTS), chosen
        )
        with httpx.Client(verify=self._tls(sender), trust_env=False, timeout=20) as client:
            url = f"{configuration.environment.api_root}/{sender}/portal/signature-jobs"
            return client.post(url, content=body, headers={"Content-Type": mutations.MULTIPART})

    def _garbage_to_the_pages(self, chosen: random.Random) -> httpx.Response:
        path = chosen.choice(["/", "/signere/1", f"/s/{chosen.randbytes(16).hex()}", "/language", "/%00", "/outbox"])
        with httpx.Client(trust_env=False, timeout=20, verify=False) as client:
            method = chosen.choice(["GET", "POST", "HEAD", "OPTIONS"])
            return client.request(method, self._service.web_root + path, content=chosen.randbytes(100))

    def _tls(self, sender: str) -> ssl.SSLContext:
        pki = self._service.operator.pki
        [files] = [each for each in pki.organizations if each.organization.number == sender]
        context = ssl.create_default_context(cafile=str(pki.trust_anchors))
        context.load_cert_chain(files.certificate, files.private_key)
        return context

    # Calls

    def _configuration(self, sender: str, chosen: random.Random) -> ClientConfiguration:
        return self._service.client(sender, chosen.choice(self._service.api_roots))

    @contextmanager
    def _client(self, sender: str, chosen: random.Random) -> Iterator[PortalClient]:
        with PortalClient(self._configuration(sender, chosen)) as client:
            yield client

    def _tried(self, call: Callable[[], Any]) -> Any:
        """The answer, or None after an error that a careful program waits out."""
        self.record.call()
        try:
            return call()
        except TooEagerPollingError:
            return None
        except SeglError as error:
            self.record.failed_calls += 1
            status = getattr(error, "status", None)
            if status is not None and status not in {429, 503}:
                self.record.wrong.append(f"an API call was answered {status}: {error}")
            return None


def _confirmed(client: PortalClient, reference: ConfirmationReference) -> bool:
    client.confirm(reference)
    return True


def _document(reference: str, chosen: random.Random) -> Document:
    return chosen.choice(
        [
            Document("Contract", "Please sign.", FileType.PDF, CONTRACT),
            Document("Letter", "Please sign.", FileType.PDF, pdf(f"Letter {reference}")),
            Document("Text", "Please sign.", FileType.TXT, f"Agreed: {reference}".encode()),
        ]
    )


def _job(job: Accepted) -> Job:
    signers = [
        Signer(PersonalIdentificationNumber(person.number), Notifications(Email(person.address)))
        if place == 0
        else Signer(ContactInformation(email=Email(person.address)))
        for place, person in enumerate(job.people)
    ]
    return Job(job.document, signers, job.reference)
