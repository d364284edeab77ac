"""A running sandbox for programs' tests: organizations, people who sign through the pages, and their messages.

with running_sandbox(folder) as sandbox:
    organization, kari = sandbox.new_organization(), sandbox.new_person("Kari Nordmann")
    with PortalClient(organization.configuration) as client:
        client.create(Job(document, [kari.by_email]))
        kari.sign()
"""

import asyncio
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx

from segl.core.errors import InvalidInput, SeglError
from segl.core.verification import SignatureReport, Verdict
from segl.sandbox.starting import start
from segl.sandbox.testing import people
from segl.sdk import (
    AsyncPortalClient,
    ClientCertificate,
    ClientConfiguration,
    ContactInformation,
    Email,
    Environment,
    JobStatusChange,
    Notifications,
    NotificationsUsingLookup,
    PersonalIdentificationNumber,
    PortalClient,
    Sender,
    Signer,
)

SECONDS_TO_START = 60
SECONDS_FOR_CHANGE = 30
_IDENTITY_NUMBER_LENGTH = 11


class SandboxNotRunningError(SeglError):
    """The sandbox did not start, or does not respond as it should."""


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization of the sandbox, with what a client needs to send as it."""

    number: str
    name: str
    sector: str
    configuration: ClientConfiguration = field(repr=False)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message from the service: `channel` is `email` or `sms`, `links` are the URLs in `text`, in order."""

    channel: str
    to: str
    subject: str
    text: str
    links: Sequence[str]


@dataclass(frozen=True, slots=True)
class SandboxSigner:
    """A person who signs through the pages, with a unique e-mail address and identity number."""

    name: str
    email: str
    number: str
    _sandbox: "Sandbox" = field(repr=False)
    _followed: set[str] = field(default_factory=set, repr=False, compare=False)
    """The mails whose link led to a signature or rejection."""

    @property
    def by_number(self) -> Signer:
        """The person as a signer who logs in with an eID."""
        return Signer(PersonalIdentificationNumber(self.number), Notifications(Email(self.email)))

    @property
    def by_email(self) -> Signer:
        """The person as a signer who follows a link and enters a security code."""
        return Signer(ContactInformation(Email(self.email)))

    @property
    def by_lookup(self) -> Signer:
        """The person as a signer whom the service looks up in the contact register; call `register` first."""
        return Signer(PersonalIdentificationNumber(self.number), NotificationsUsingLookup())

    def register(self, *, email: str | None = None, mobile: str | None = None, reserved: bool = False) -> None:
        """Replace the person's entry in the contact register; `email` is usually their own."""
        contact = {"epostadresse": email, "mobiltelefonnummer": mobile}
        person = {
            "personidentifikator": self.number,
            "reservasjon": "JA" if reserved else "NEI",
            "kontaktinformasjon": {name: value for name, value in contact.items() if value is not None},
        }
        _json(people.http().post(self._sandbox.ready["contact_register"], json={"personer": [person]}))

    def sign(self) -> str:
        """Follow the link in the oldest mail not yet followed, read and sign; return the heading of the receipt.

        Raises `people.Lost` if no such mail arrives, or the pages do not lead to the receipt.
        """
        return self._follow(people.sign)

    def reject(self) -> str:
        """Follow that link, read and reject; return the heading of the page that confirms it."""
        return self._follow(people.reject)

    def messages(self) -> Sequence[SentMessage]:
        """Return the messages sent to this person so far, the oldest first."""
        return [each for each in self._sandbox.messages() if each.to == self.email]

    @property
    def _person(self) -> people.Person:
        return people.Person(self.email, self.number, self.name)

    def _follow(self, act: Callable[[people.Person, Mapping[str, Any]], str]) -> str:
        mail = people.mail_to(self._person, self._sandbox.ready["outbox"], followed=self._followed)
        heading = act(self._person, mail)
        self._followed.add(mail["id"])
        return heading

    @property
    def date_of_birth(self) -> str:
        """The date of birth as signed documents show it; see `_new_identity_number`."""
        return f"{self.number[:2]}.{int(self.number[2:4]) - 80:02}.19{self.number[4:6]}"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox; `ready` is the content of its ready file."""

    ready: Mapping[str, Any]

    @property
    def environment(self) -> Environment:
        server = self.ready["server"]
        return Environment(
            self.ready["api_root"],
            server["trust_anchors"],
            server["organization_number"],
            keeps_idempotency_keys=True,
        )

    def new_organization(
        self,
        name: str = "Testorganisasjon",
        sector: Literal["public", "private"] = "public",
        broker_for: Sequence[str] = (),
    ) -> Organization:
        """Create an organization, which has sent nothing and whose queues are empty."""
        values = {"name": name, "sector": sector, "broker_for": list(broker_for)}
        made = _json(people.http().post(self.ready["new_organizations"], json=values))
        certificate = ClientCertificate.from_pkcs12(made["pkcs12"], made["password"])
        configuration = ClientConfiguration(
            self.environment, certificate, Sender(made["number"]), calls_per_second=None
        )
        return Organization(made["number"], made["name"], made["sector"], configuration)

    def new_person(self, name: str | None = None) -> SandboxSigner:
        """Create a person; without a name, with a random one."""
        name = name or f"{secrets.choice(_FIRST_NAMES)} {secrets.choice(_LAST_NAMES)}"
        return SandboxSigner(name, f"{secrets.token_hex(6)}@example.com", _new_identity_number(), self)

    def messages(self) -> Sequence[SentMessage]:
        """Return all messages sent so far, the oldest first."""
        found = _json(people.http().get(self.ready["outbox"], headers={"Accept": "application/json"}))
        names = ("channel", "to", "subject", "text", "links")
        return [SentMessage(*(each[name] for name in names)) for each in found]

    def assert_signed(
        self, pdf: bytes | str | os.PathLike[str], *, by: "SandboxSigner | Sequence[SandboxSigner]"
    ) -> None:
        """Fail unless the PDF (a path, or content) is sealed, intact, trusted, and signed by exactly these people."""
        from segl.core import pades
        from segl.core.certificates import TrustAnchors, load_pem

        name, content = ("The PDF", pdf) if isinstance(pdf, bytes) else (os.fspath(pdf), Path(pdf).read_bytes())
        trust = TrustAnchors(load_pem(Path(self.ready["server"]["trust_anchors"]).read_bytes()))
        try:
            _seal, *signatures = reports = pades.verify(content, trust=trust, documents=None, at=datetime.now(UTC))
        except (InvalidInput, ValueError) as error:  # it is not a PDF, or has no signature
            raise AssertionError(f"{name} is not signed: {error}") from None
        if any(each.verdict != Verdict.PASSED for each in reports):
            doubts = [f"{each.signer}: {reason}" for each in reports for reason in each.reasons]
            raise AssertionError(f"{name}: {'; '.join(doubts)}")
        missing, signed = [by] if isinstance(by, SandboxSigner) else [*by], list(signatures)
        for each in [*missing]:
            if theirs := next((one for one in signed if _is_of(one, each)), None):
                signed.remove(theirs)
                missing.remove(each)
        if missing or signed:
            extra = ", ".join(each.signer for each in signed) or "nobody"
            lacking = ", ".join(each.name for each in missing) or "nobody"
            raise AssertionError(f"{name} is signed by {extra} too, and lacks the signature of {lacking}.")


def _is_of(signature: SignatureReport, person: SandboxSigner) -> bool:
    """Whether the signature is this person's, by name and by the identity in the document, if any."""
    identity = signature.evidence.signer_identity if signature.evidence else ""
    return signature.signer == person.name and identity in {"", person.number, person.date_of_birth}


_FIRST_NAMES = ("Kari", "Ola", "Ingrid", "Nils", "Berit", "Lars", "Solveig", "Jon", "Astrid", "Per", "Ragnhild", "Odd")
_LAST_NAMES = ("Nordmann", "Hansen", "Berg", "Lie", "Dahl", "Moen", "Solberg", "Haugen", "Eide", "Strand", "Vik", "Aas")


def next_change(client: PortalClient) -> JobStatusChange:
    """Confirm and return the next change on the client's queue; AssertionError if none arrives."""
    deadline = time.monotonic() + SECONDS_FOR_CHANGE
    while (change := client.get_status_change()).message is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"no status change came within {SECONDS_FOR_CHANGE} s")
        time.sleep(change.seconds_until_next_poll)
    client.confirm(change.confirmation_reference)
    return change


async def next_change_async(client: AsyncPortalClient) -> JobStatusChange:
    """See `next_change`."""
    deadline = time.monotonic() + SECONDS_FOR_CHANGE
    while (change := await client.get_status_change()).message is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"no status change came within {SECONDS_FOR_CHANGE} s")
        await asyncio.sleep(change.seconds_until_next_poll)
    await client.confirm(change.confirmation_reference)
    return change


def _json(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise SandboxNotRunningError(f"The sandbox returned {answer.status_code}: {answer.text[:200]}")
    return answer.json()


def _new_identity_number() -> str:
    """Return a synthetic number: with 80 added to the month, like those of the test population register."""
    from stdnum.no import fodselsnummer

    while True:
        born = date(1950, 1, 1) + timedelta(days=secrets.randbelow(50 * 365))
        number = f"{born:%d}{born.month + 80}{born:%y}{secrets.randbelow(500):03}"
        number += fodselsnummer.calc_check_digit1(number)
        number += fodselsnummer.calc_check_digit2(number)
        if len(number) == _IDENTITY_NUMBER_LENGTH:
            return number


@contextmanager
def running_sandbox(folder: Path) -> Iterator[Sandbox]:
    """Run `segl sandbox` in this folder, on its own ports, until the block ends."""
    process = start(folder, while_process=os.getpid())
    try:
        yield ready(folder, process)
    finally:
        process.terminate()
        process.wait()


def ready(folder: Path, process: "subprocess.Popen[bytes] | None" = None) -> Sandbox:
    """Return the sandbox in this folder once it accepts calls; SandboxNotRunningError if it never does."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not (file := folder / "ready.json").exists():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            log = (folder / "sandbox.log").read_text(errors="replace")
            raise SandboxNotRunningError(f"The sandbox in {folder} did not start:\n{log[-2000:]}")
        time.sleep(0.01)
    return Sandbox(json.loads(file.read_text()))
