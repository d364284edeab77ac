"""What every job of a kept release has in common: who sends and signs it, and what its end must be."""

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from browsers import Browser, address
from builders import KARI, OLA, agreed, identity
from releases.service import NOW, PUBLIC, Service, organization_key, trust
from segl.core import asice, pades, xades
from segl.core.asice import PackageFile
from segl.core.evidence import Evidence
from segl.core.protocol import (
    ContactInformation,
    Email,
    ManifestDocument,
    Notifications,
    NotificationsUsingLookup,
    PersonalIdentificationNumber,
    PortalJobRequest,
    PortalJobResponse,
    PortalManifest,
    PortalStatusChange,
    Signer,
    Sms,
)
from segl.core.verification import Verdict
from segl.service import clock, due
from segl.service.store.models import Signing

PEOPLE = {1: (KARI, "Kari Nordmann"), 2: (OLA, "Ola Hansen"), 3: ("01017012345", "Eva Lie")}
"""Identity number and name of the signers by their number in each job."""
CONTRACT = {"avtale.pdf": (Path(__file__).parent / "contract.pdf").read_bytes()}
CASES: dict[str, type["Case"]] = {}
"""Every case by its name, in the order in which they are written."""
_MEDIA_TYPES = {".pdf": "application/pdf", ".txt": "text/plain"}
_BOUNDARY = "0123456789"
_MULTIPART = f"multipart/mixed; boundary={_BOUNDARY}"


class Case:
    """One job: how it came into its state (`begin`), and how it goes on to its end from there (`go_on`).

    `kept` is what those outside the service keep in the meantime, such as ids, URLs, links and cookies: JSON.
    """

    def __init_subclass__(cls) -> None:
        if "go_on" in vars(cls):
            CASES[cls.__name__] = cls

    sender: ClassVar[str] = PUBLIC
    documents: ClassVar[dict[str, bytes]] = CONTRACT

    def __init__(self, service: Service, kept: dict[str, Any]) -> None:
        self.service = service
        self.kept = kept
        self.name = type(self).__name__
        """The job's reference, and the queue where its changes are polled."""

    def begin(self) -> None:
        """Bring the job into its state."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Bring the job to its end; an assertion fails if that is another than it should be."""
        raise NotImplementedError

    # What the sender does

    def create(self, *signers: Signer, by: str = "", key: str = "", **more: Any) -> None:
        """Send the job, of Kari addressed by number if nobody is named."""
        body = self._body(signers or (self.person(1),), organization_key(by or self.sender), **more)
        answer = self.send(body, by=by, key=key)
        assert answer.status_code == 200, answer.content
        created = PortalJobResponse.from_xml(answer.content)
        self.kept |= {"job": created.signature_job_id, "cancellation": created.cancellation_url}
        if key:
            self.kept["body"] = body.hex()

    def send(self, body: bytes, *, by: str = "", key: str = "") -> Any:
        """What the API answers this request for a job."""
        headers = {"Idempotency-Key": key} if key else None
        return self.call("POST", self.jobs, body, _MULTIPART, by=by, headers=headers)

    def call(self, method: str, url: str, *body: Any, by: str = "", **more: Any) -> Any:
        """What the API answers the sender, or the organization `by`."""
        return self.service.call(method, url, *body, by=by or self.sender, **more)

    def poll(self, by: str = "") -> PortalStatusChange | None:
        """The change that the queue of this job gives."""
        answer = self.call("GET", f"{self.jobs}?polling_queue={self.name}", by=by)
        if answer.status_code == 204:
            return None
        change = PortalStatusChange.from_xml(answer.content)
        assert (change.signature_job_id, change.reference) == (self.job, self.name)
        return change

    def expect(self, status: str, *signers: str, by: str = "") -> PortalStatusChange:
        """The queue gives this status of the job and of its signers; it is not confirmed yet."""
        change = self.poll(by)
        assert change is not None
        assert (change.status, *(each.status for each in change.signatures)) == (status, *signers)
        return change

    def confirm(self, change: PortalStatusChange, by: str = "") -> None:
        """Confirm a change, after which the queue never gives it again."""
        assert self.call("POST", change.confirmation_url, by=by).status_code == 204
        self.let_pass(timedelta(minutes=10))
        assert self.poll(by) is None

    def fails(self, *signers: str) -> None:
        """The queue says that the job failed, with its signers in these states, and nothing after that."""
        self.confirm(self.expect("FAILED", *signers))

    def completes(self, by: str = "") -> list[Evidence]:
        """The queue says that the job is completed, and the results are there; see `verify`."""
        change = self.expect("COMPLETED_SUCCESSFULLY", *["SIGNED"] * len(self._names()), by=by)
        evidence = self.verify(change.pades_url, *(each.xades_url for each in change.signatures), by=by)
        self.confirm(change, by)
        return evidence

    def verify(self, pades_url: str | None, *xades_urls: str | None, by: str = "") -> list[Evidence]:
        """The results at these URLs pass for the job's documents, and bear the names of its signers in their order.

        Gives the evidence of each signature.
        """
        given: dict[str, Any] = {"trust": trust(), "documents": self.documents, "at": clock.now()}
        sealed = pades.verify(self.download(pades_url, by), **given)
        single = [report for url in xades_urls for report in xades.verify(self.download(url, by), **given)]
        names = self._names()
        assert [each.verdict for each in (*sealed, *single)] == [Verdict.PASSED] * (1 + 2 * len(names))
        assert [each.signer for each in (*sealed[1:], *single)] == names * 2
        return [each.evidence for each in single if each.evidence]

    def download(self, url: str | None, by: str = "") -> bytes:
        """A result."""
        assert url is not None
        answer = self.call("GET", url, by=by)
        assert answer.status_code == 200
        return b"".join(answer.streaming_content)

    # What the signers do

    def person(self, number: int, *, sms: str = "", **more: Any) -> Signer:
        """This signer, addressed by identity number and notified by e-mail, or by text message."""
        identifier = PersonalIdentificationNumber(PEOPLE[number][0])
        contact = Notifications(sms=Sms(sms)) if sms else Notifications(Email(self.email(number)))
        return Signer(identifier, contact, **more)

    def looked_up(self, number: int, **more: Any) -> Signer:
        """This signer, whose address the contact register knows."""
        return Signer(PersonalIdentificationNumber(PEOPLE[number][0]), NotificationsUsingLookup(), **more)

    def contact(self, number: int, **more: Any) -> Signer:
        """This signer, addressed by e-mail alone."""
        return Signer(ContactInformation(Email(self.email(number))), **more)

    def email(self, number: int) -> str:
        """Where this signer of this job, and nobody else, is notified."""
        return f"{number}@{self.name.lower()}.example.com"

    def link(self, number: int) -> dict[str, str]:
        """The token and the code of the only message that this signer was sent."""
        [text] = self.service.messages_to(self.email(number))
        found = re.search(r"/s/(\S+)\s.*?\s(\d{6})\s", text, re.DOTALL)
        assert found is not None
        return {"token": found[1], "code": found[2]}

    def sign(self, number: int = 1, *, browser: Browser | None = None, link: dict[str, str] | None = None) -> None:
        """Log in, after the link where there is one, and sign; with the browser of one who has, sign at once."""
        if browser is None:
            browser = self.enter(link).client if link else Browser()
            browser.log_in(*PEOPLE[number], then=self.page(number))
        answer = browser.press_sign(self.row, number)
        assert answer.headers.get("Location") == f"{self.page(number)}/receipt", answer.content

    def reject(self, number: int = 1, *, link: dict[str, str] | None = None) -> None:
        """Reject, after the link where there is one, else logged in."""
        browser = (self.enter(link) if link else self.open(number)).client
        answer = browser.reject(self.row, number)
        assert answer.headers.get("Location") == f"{self.page(number)}/receipt", answer.content

    def enter(self, link: dict[str, str]) -> Any:
        """The page that comes of following a link and entering its code; its `client` is the browser."""
        return Browser().enter(SimpleNamespace(**link))

    def open(self, number: int = 1) -> Any:
        """The page that comes of logging in to sign; its `client` is the browser."""
        return Browser().log_in(*PEOPLE[number], then=self.page(number))

    def agree(self, number: int = 1) -> None:
        """Agree, and let the process that was to sign end at that moment; its lease is over."""
        who, name = PEOPLE[number]
        agreed(self.row, number, identity(who, name=name))
        due.release_all(Signing)

    def page(self, number: int = 1) -> str:
        """The path of a signer's page."""
        return address(self.row, number)

    # What goes on in the service

    @property
    def job(self) -> int:
        """The job's id."""
        return int(self.kept["job"])

    def work(self, *kinds: Any) -> bool:
        """Do what is due of this job; see `Service.work`."""
        return self.service.work(self.job, *kinds)

    def let_pass(self, time: timedelta) -> None:
        """Move the business clock."""
        clock.move(time)

    @property
    def row(self) -> Any:
        """As far as the browser's helpers look at a job."""
        return SimpleNamespace(pk=self.job)

    @property
    def jobs(self) -> str:
        """The path of the sender's jobs."""
        return f"/api/{self.sender}/portal/signature-jobs"

    def _names(self) -> list[str]:
        return [PEOPLE[number][1] for number in range(1, self.kept["signers"] + 1)]

    def _body(self, signers: tuple[Signer, ...], key: Any, **more: Any) -> bytes:
        self.kept["signers"] = len(signers)
        listed = [(name, _MEDIA_TYPES[Path(name).suffix], content) for name, content in self.documents.items()]
        manifest = PortalManifest(
            signers=signers,
            sender=self.sender,
            title="Avtale om båtplass",
            documents=tuple(ManifestDocument(f"Om {name}", name, media_type) for name, media_type, _ in listed),
            **more,
        )
        package = asice.build(
            manifest=manifest.to_xml(),
            documents=[PackageFile(*each) for each in listed],
            key=key,
            signing_time=NOW,
        )
        parts = (
            ("application/xml", PortalJobRequest(self.name, self.name).to_xml()),
            ("application/octet-stream", package),
        )
        return (
            b"".join(
                f"--{_BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + content + b"\r\n" for kind, content in parts
            )
            + f"--{_BOUNDARY}--\r\n".encode()
        )
