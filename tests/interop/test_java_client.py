"""Every portal use case that the official Java client documents, through that client, against a running sandbox."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pypdfium2
import pytest

import pdfs
import signers
from java_client import CreatedJob, JavaClient, JavaClientError, JavaProgram, StatusChange
from running_sandbox import ROOT, Sandbox, move_clock, running_sandbox
from segl.core import pades, xades
from segl.core.certificates import TrustAnchors
from segl.core.evidence import Evidence
from segl.core.verification import DocumentState, SignatureReport, Verdict
from segl.sandbox.testing import people
from segl.sandbox.testing.people import Person

PUBLIC, PRIVATE, BROKER = "123456789", "310248711", "318602352"
CONTRACT = {"title": "Contract", "content": (ROOT / "demo" / "contract.pdf").read_bytes()}
ADVANCED, AUTHENTICATED = "ADVANCED_ELECTRONIC_SIGNATURE", "AUTHENTICATED_ELECTRONIC_SIGNATURE"
SECONDS_FOR_A_CHANGE = 30
SECONDS_TO_STAY_AWAY = 3
_numbers = count(1)


@dataclass(frozen=True)
class Someone(Person):
    """A person whom no other test knows, with a mobile number of their own."""

    mobile_number: str = ""

    def by_number(self, **more: Any) -> dict[str, Any]:
        """As a signer with an identity number who is notified by e-mail."""
        return {"personal_identification_number": self.number, "email": self.address, **more}

    def by_email(self, **more: Any) -> dict[str, Any]:
        """As a signer who is known by the e-mail address."""
        return {"email": self.address, **more}


def someone(name: str = "Kari Nordmann") -> Someone:
    number = next(_numbers)
    return Someone(f"person-{number}@example.com", f"010170{number:05}", name, f"9{number:07}")


class Sender:
    """An organization with the Java client and a polling queue of its own, and what a test asks of the sandbox."""

    def __init__(self, client: JavaClient, sandbox: Sandbox) -> None:
        self.client = client
        self.sandbox = sandbox

    def create(self, *signers: dict[str, Any], **job: Any) -> CreatedJob:
        return self.client.create(signers, **{"title": "Contract", "documents": [CONTRACT], **job})

    def signs(self, person: Person) -> None:
        """The person reads the last message they got, and signs."""
        people.sign(person, self.message_to(person))

    def message_to(self, person: Person) -> dict[str, Any]:
        return people.mail_to(person, self.sandbox.outbox)

    def messages_to(self, address: str) -> list[dict[str, Any]]:
        """The messages that were sent so far."""
        answer = httpx.get(self.sandbox.outbox, headers={"Accept": "application/json"}, trust_env=False)
        return [each for each in answer.json() if each["to"] == address]

    def change(self, sender: dict[str, str] | None = None) -> StatusChange:
        """The next status change, waiting for it as a patient client does."""
        end = time.monotonic() + SECONDS_FOR_A_CHANGE
        while (change := self.client.get_status_change(sender)).status == "NO_CHANGES":
            assert time.monotonic() < end, f"no status change in {SECONDS_FOR_A_CHANGE} s"
            wait_until(change.next_permitted_poll_time)
        return change

    def completed(self) -> StatusChange:
        """Return the status change to completed; those before it are confirmed."""
        while (change := self.change()).status != "COMPLETED_SUCCESSFULLY":
            self.client.confirm(change)
        return change

    def has_no_change(self, sender: dict[str, str] | None = None) -> bool:
        change = self.client.get_status_change(sender)
        wait_until(change.next_permitted_poll_time)
        return change.status == "NO_CHANGES"

    def evidence(self, change: StatusChange, signer: dict[str, Any]) -> Evidence:
        """What the signer's XAdES says of the act; its signature must have passed."""
        [report] = xades.verify(
            self.client.get_xades(change, signer), trust=self._trust(), documents=None, at=datetime.now(UTC)
        )
        assert report.verdict is Verdict.PASSED, report.reasons
        assert report.evidence
        return report.evidence

    def verified(self, change: StatusChange, *documents: bytes) -> tuple[SignatureReport, ...]:
        """What our verifier finds in the signed PDF, of which everything must have passed: seal, then signers."""
        originals = {f"original {number}": content for number, content in enumerate(documents or [CONTRACT["content"]])}
        reports = pades.verify(
            self.client.get_pades(change), trust=self._trust(), documents=originals, at=datetime.now(UTC)
        )
        assert {each.verdict for each in reports} == {Verdict.PASSED}, [each.reasons for each in reports]
        return reports

    def _trust(self) -> TrustAnchors:
        return TrustAnchors.from_pem(Path(self.sandbox.ready["server"]["trust_anchors"]).read_bytes())


def wait_until(moment: datetime) -> None:
    time.sleep(max(0, (moment - datetime.now(UTC)).total_seconds()))


def text_of(pdf: bytes) -> str:
    """The words of the first page."""
    with pypdfium2.PdfDocument(pdf) as document:
        return str(document[0].get_textpage().get_text_bounded())


@pytest.fixture
def make_sender(java: JavaProgram, request: pytest.FixtureRequest) -> Callable[..., Sender]:
    def make(sandbox: Sandbox, organization: str = PUBLIC, acting_for: str | None = None) -> Sender:
        queue = {"organization_number": acting_for or organization, "polling_queue": request.node.name}
        return Sender(JavaClient(java, sandbox, organization, sender=queue), sandbox)

    return make


@pytest.fixture
def sender(make_sender: Callable[..., Sender], sandbox: Sandbox) -> Sender:
    """The public organization."""
    return make_sender(sandbox)


@pytest.fixture
def private(make_sender: Callable[..., Sender], sandbox: Sandbox) -> Sender:
    return make_sender(sandbox, PRIVATE)


@pytest.fixture(scope="module")
def other_sandbox(java: JavaProgram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose clock is moved, and in which a client has to stay away for longer than it tries again itself."""
    options = ("--poll-seconds", str(SECONDS_TO_STAY_AWAY))
    with running_sandbox(tmp_path_factory.mktemp("other") / "folder", *options) as running:
        yield running


@pytest.fixture
def elsewhere(make_sender: Callable[..., Sender], other_sandbox: Sandbox) -> Sender:
    """The public organization in the sandbox whose clock is moved."""
    return make_sender(other_sandbox)


# Signers


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ({"personal_identification_number", "email"}, "address"),
        ({"personal_identification_number", "mobile_number"}, "mobile_number"),
        ({"personal_identification_number", "email", "mobile_number"}, "address"),
        ({"email"}, "address"),
        ({"mobile_number"}, "mobile_number"),
        ({"email", "mobile_number"}, "address"),
    ],
    ids=["number, e-mail", "number, SMS", "number, e-mail and SMS", "e-mail", "SMS", "e-mail and SMS"],
)
def test_a_signer_of_each_kind_is_notified_and_signs(sender: Sender, kind: set[str], address: str) -> None:
    kari = someone()
    every = {"personal_identification_number": kari.number, "email": kari.address, "mobile_number": kari.mobile_number}
    signer = {name: every[name] for name in kind}
    job = sender.create(signer, reference="myReferenceToJob")

    people.sign(kari, people.mail_to(Person(getattr(kari, address), kari.number, kari.name), sender.sandbox.outbox))

    change = sender.completed()
    assert (change.job_id, change.reference) == (job.job_id, "myReferenceToJob")
    assert change.statuses == ["SIGNED"]
    evidence = sender.evidence(change, signer)
    assert evidence.signer_name == "Kari Nordmann"
    # A signer addressed by contact information is never named by identity number there.
    expected = kari.number if "personal_identification_number" in kind else "01.01.1970"
    assert evidence.signer_identity == expected
    assert [each.signer for each in sender.verified(change)[1:]] == ["Kari Nordmann"]


@pytest.mark.parametrize("lookup", ["EMAIL_ONLY", "EMAIL_AND_SMS"])
def test_a_signer_notified_by_lookup_finds_the_job_after_log_in(sender: Sender, lookup: str) -> None:
    kari = someone()
    signer = {"personal_identification_number": kari.number, "lookup": lookup}
    sender.create(signer)

    people.sign(kari, {"links": [sender.sandbox.ready["web_root"]]})

    change = sender.completed()
    assert [(each.signer, each.status) for each in change.signatures] == [(kari.number, "SIGNED")]
    assert sender.evidence(change, signer).signer_identity == kari.number


def test_ten_signers_of_one_job_are_distinguished(sender: Sender) -> None:
    everyone = [someone(f"Person {number}") for number in range(10)]
    sender.create(*(each.by_number() for each in everyone))

    sender.signs(everyone[6])

    change = sender.change()
    signed = [each.signer for each in change.signatures if each.status == "SIGNED"]
    assert signed == [everyone[6].number]
    assert [each.signer for each in change.signatures] == [each.number for each in everyone]
    assert sender.evidence(change, everyone[6].by_number()).signer_name == "Person 6"


def test_signers_in_an_order_are_notified_one_after_the_other(sender: Sender) -> None:
    kari, ola = someone(), someone("Ola Hansen")
    sender.create(ola.by_email(order=2), kari.by_email(order=1))

    sender.signs(kari)
    first = sender.change()
    assert (first.status, first.statuses) == ("IN_PROGRESS", ["WAITING", "SIGNED"])
    assert sender.message_to(ola)["sent_at"] > sender.message_to(kari)["sent_at"]
    sender.client.confirm(first)
    sender.signs(ola)

    assert sender.completed().statuses == ["SIGNED", "SIGNED"]
    assert len(sender.messages_to(ola.address)) == len(sender.messages_to(kari.address)) == 1


def test_the_next_in_order_is_not_notified_before(sender: Sender) -> None:
    kari, ola = someone(), someone("Ola Hansen")
    sender.create(kari.by_email(order=1), ola.by_email(order=2))

    sender.message_to(kari)

    assert sender.messages_to(ola.address) == []


def test_a_signer_on_behalf_of_another_sees_so(sender: Sender) -> None:
    kari, ola = someone(), someone("Ola Hansen")
    sender.create(kari.by_email(on_behalf_of="OTHER"), ola.by_email(on_behalf_of="SELF"))

    words = "på vegne av en annen enn deg selv"
    assert words in signers.signing_page(kari, sender.message_to(kari))
    assert words not in signers.signing_page(ola, sender.message_to(ola))


# What is signed


@pytest.mark.parametrize(
    ("asked", "made"), [("AUTHENTICATED_SIGNATURE", AUTHENTICATED), ("ADVANCED_SIGNATURE", ADVANCED)]
)
def test_the_signature_is_of_the_type_that_was_asked_for(sender: Sender, asked: str, made: str) -> None:
    kari = someone()
    sender.create(kari.by_number(signature_type=asked))

    sender.signs(kari)

    assert sender.evidence(sender.completed(), kari.by_number()).signature_type == made


def test_an_eid_of_level_3_is_enough_when_the_job_says_so(sender: Sender) -> None:
    kari = someone()
    sender.create(kari.by_number(), required_authentication="THREE")

    assert "bekrefter du at du har lest" in signers.page_at_level_3(kari, sender.message_to(kari))


def test_an_eid_of_level_3_is_not_enough_for_level_4(sender: Sender) -> None:
    kari = someone()
    sender.create(kari.by_number(), required_authentication="FOUR", nonsensitive_title="Noe å signere")

    with pytest.raises(people.Lost, match="returned 403: Noe å signere"):
        signers.page_at_level_3(kari, sender.message_to(kari))


def test_a_private_organizations_signatures_are_advanced(private: Sender) -> None:
    kari = someone()
    private.create(kari.by_number())

    private.signs(kari)

    evidence = private.evidence(private.completed(), kari.by_number())
    assert (evidence.signature_type, evidence.authentication_level) == (ADVANCED, 4)


def test_several_documents_are_signed_as_one_job(sender: Sender) -> None:
    kari = someone()
    titles = ["Avtale på blå resept", "Vedlegg 1/2: priser & vilkår", "Avtale på blå resept"]
    contents = [pdfs.pdf(f"Document {number}") for number in range(3)]
    documents = [{"title": title, "content": content} for title, content in zip(titles, contents, strict=True)]
    sender.create(kari.by_email(), title="Tre dokumenter", documents=documents)

    sender.signs(kari)

    change = sender.completed()
    [_, signature] = sender.verified(change, *contents)
    assert [each.state for each in signature.documents] == [DocumentState.INTACT] * 3
    assert [each.given_as for each in signature.documents] == ["original 0", "original 1", "original 2"]


def test_a_plain_text_document_is_signed(sender: Sender) -> None:
    kari = someone()
    text = "Kjære alle, her er det som skal signeres.\n".encode()
    sender.create(kari.by_email(), documents=[{"title": "Brev", "content": text, "type": "TXT"}])

    sender.signs(kari)

    assert [each.kind for each in sender.verified(sender.completed(), text)] == ["PAdES", "XAdES"]


@pytest.mark.parametrize(
    ("asked", "shown", "hidden"),
    [
        ("PERSONAL_IDENTIFICATION_NUMBER_AND_NAME", "number", "born"),
        ("DATE_OF_BIRTH_AND_NAME", "born", "number"),
        ("NAME", "name", "number"),
    ],
)
def test_the_signed_document_shows_the_identity_that_was_asked_for(
    sender: Sender, asked: str, shown: str, hidden: str
) -> None:
    kari = someone()
    sender.create(kari.by_number(), identifier_in_signed_documents=asked)

    sender.signs(kari)

    front_page = text_of(sender.client.get_pades(sender.completed()))
    identities = {"number": kari.number, "born": "01.01.1970", "name": "Kari Nordmann"}
    assert identities[shown] in front_page
    assert identities[hidden] not in front_page


def test_the_message_carries_the_nonsensitive_title_only(sender: Sender) -> None:
    kari = someone()
    sender.create(kari.by_email(), title="Oppsigelse", nonsensitive_title="Brev til deg", description="Les dette nøye.")

    message = sender.message_to(kari)

    assert "Brev til deg" in message["text"]
    assert "Oppsigelse" not in message["subject"] + message["text"]
    page = signers.signing_page(kari, message)
    assert "Oppsigelse" in page
    assert "Les dette nøye." in page


def test_a_job_is_open_from_its_activation_for_as_long_as_it_is_available(elsewhere: Sender) -> None:
    kari, hour = someone(), timedelta(hours=1)
    begin = move_clock(elsewhere.sandbox, timedelta()) + hour
    elsewhere.create(kari.by_email(), activation_time=begin.isoformat(), available_seconds=3600)
    elsewhere.create((ola := someone()).by_email())

    elsewhere.message_to(ola)
    assert elsewhere.messages_to(kari.address) == []
    move_clock(elsewhere.sandbox, hour)
    message = elsewhere.message_to(kari)
    assert "Avvis" in signers.signing_page(kari, message)
    move_clock(elsewhere.sandbox, hour)
    with pytest.raises(people.Lost, match="Fristen har gått ut"):
        people.sign(kari, message)


# The status queue


def test_an_empty_queue_is_no_changes_and_says_when_to_poll_again(sender: Sender) -> None:
    before = datetime.now(UTC)

    change = sender.client.get_status_change()

    assert change.status == "NO_CHANGES"
    wait = change.next_permitted_poll_time - before
    assert timedelta(seconds=0.9) < wait < timedelta(seconds=3)


def test_after_a_change_the_next_poll_is_permitted_at_once(sender: Sender) -> None:
    created = sender.create(someone().by_email())
    sender.client.cancel(created)

    assert sender.change().next_permitted_poll_time <= datetime.now(UTC)


def test_a_poll_that_is_too_early_is_refused_and_a_later_one_accepted(elsewhere: Sender) -> None:
    """This client's exception contains no time; the empty answer before it does."""
    empty = elsewhere.client.get_status_change()
    assert empty.status == "NO_CHANGES"

    with pytest.raises(JavaClientError) as refused:
        elsewhere.client.get_status_change()
    assert refused.value.kind == "TooEagerPollingException"

    time.sleep(SECONDS_TO_STAY_AWAY)
    assert elsewhere.has_no_change()


def test_a_change_that_is_not_confirmed_comes_back_until_it_is(elsewhere: Sender) -> None:
    kari = someone()
    elsewhere.create(kari.by_email(), someone().by_email())
    elsewhere.signs(kari)

    first = elsewhere.change()
    assert elsewhere.has_no_change()
    move_clock(elsewhere.sandbox, timedelta(minutes=11))
    again = elsewhere.change()
    assert (again.job_id, again.statuses) == (first.job_id, first.statuses) == (first.job_id, ["SIGNED", "WAITING"])
    elsewhere.client.confirm(again)
    move_clock(elsewhere.sandbox, timedelta(minutes=11))
    assert elsewhere.has_no_change()


def test_a_confirmed_change_makes_room_for_the_next(sender: Sender) -> None:
    kari, ola = someone(), someone("Ola Hansen")
    job = sender.create(kari.by_number(), ola.by_email())

    sender.signs(kari)
    first = sender.change()
    assert (first.job_id, first.status, first.statuses) == (job.job_id, "IN_PROGRESS", ["SIGNED", "WAITING"])
    assert first.cancellable
    assert not first.deletable
    sender.client.confirm(first)
    sender.client.confirm(first)
    people.reject(ola, sender.message_to(ola))
    second = sender.change()

    assert (second.job_id, second.status, second.statuses) == (job.job_id, "FAILED", ["SIGNED", "REJECTED"])
    assert not second.cancellable
    assert second.signatures[1].since > second.signatures[0].since
    sender.client.confirm(second)
    assert sender.has_no_change()


def test_each_queue_gives_the_changes_of_its_own_jobs(private: Sender) -> None:
    """The private organization's queue without a name is used here alone."""
    unnamed = {"organization_number": PRIVATE}
    named = {"organization_number": PRIVATE, "polling_queue": "Æ & ø / å?"}
    jobs = {name: private.create(someone().by_email(), sender=queue) for name, queue in (("u", unnamed), ("n", named))}
    for job in jobs.values():
        private.client.cancel(job)

    assert private.change(named).job_id == jobs["n"].job_id
    assert private.change(unnamed).job_id == jobs["u"].job_id
    assert private.has_no_change(named)
    assert private.has_no_change(unnamed)
    assert private.has_no_change()


# Results


def test_signed_documents_are_fetched(sender: Sender) -> None:
    kari, ola = someone(), someone("Ola Hansen")
    sender.create(kari.by_number(), ola.by_email())
    sender.signs(kari)
    sender.signs(ola)

    change = sender.completed()

    assert change.pades_available
    assert [each.xades_available for each in change.signatures] == [True, True]
    names = [sender.evidence(change, each).signer_name for each in (kari.by_number(), ola.by_email())]
    assert names == ["Kari Nordmann", "Ola Hansen"]
    assert [each.signer for each in sender.verified(change)[1:]] == names


def test_documents_are_deleted_a_day_after_the_job_was_completed(elsewhere: Sender) -> None:
    kari = someone()
    elsewhere.create(kari.by_email())
    elsewhere.signs(kari)
    change = elsewhere.completed()
    with pytest.raises(JavaClientError) as too_early:
        elsewhere.client.delete_documents(change)
    assert too_early.value.answer[:2] == (409, "DOCUMENTS_NOT_DELETABLE")

    move_clock(elsewhere.sandbox, timedelta(hours=25))
    elsewhere.client.delete_documents(change)
    elsewhere.client.delete_documents(change)

    for fetch in (elsewhere.client.get_pades, lambda change: elsewhere.client.get_xades(change, kari.by_email())):
        with pytest.raises(JavaClientError) as gone:
            fetch(change)
        assert gone.value.answer[:2] == (404, "DOCUMENTS_DELETED")
    later = elsewhere.change()
    assert (later.job_id, later.deletable) == (change.job_id, False)
    with pytest.raises(JavaClientError) as deleted:
        elsewhere.client.delete_documents(later)
    assert deleted.value.kind == "DocumentsNotDeletableException"
    elsewhere.client.confirm(later)


# Cancelling


def test_a_job_is_cancelled_as_it_was_created(sender: Sender) -> None:
    kari, ola = someone(), someone("Ola Hansen")
    job = sender.create(kari.by_email(), ola.by_email())
    message = sender.message_to(ola)

    sender.client.cancel(job)
    sender.client.cancel(job)

    change = sender.change()
    assert (change.job_id, change.status, change.statuses) == (job.job_id, "FAILED", ["CANCELLED", "CANCELLED"])
    with pytest.raises(people.Lost, match="Avsenderen har trukket dokumentet tilbake"):
        people.sign(ola, message)


def test_a_job_is_cancelled_from_its_status_change(sender: Sender) -> None:
    kari, ola = someone(), someone("Ola Hansen")
    sender.create(kari.by_email(), ola.by_email())
    sender.signs(kari)

    change = sender.change()
    sender.client.cancel(change)
    sender.client.confirm(change)

    assert sender.change().statuses == ["SIGNED", "CANCELLED"]


def test_a_completed_job_cannot_be_cancelled(sender: Sender) -> None:
    kari = someone()
    job = sender.create(kari.by_email())
    sender.signs(kari)
    change = sender.completed()

    with pytest.raises(JavaClientError, match="The job can no longer be cancelled: every signer has signed") as refused:
        sender.client.cancel(job)
    assert refused.value.kind == "JobCannotBeCancelledException"
    with pytest.raises(JavaClientError) as refused:
        sender.client.cancel(change)
    assert refused.value.kind == "NotCancellableException"


# Who may, and what is refused


def test_a_broker_sends_for_the_organization_that_authorized_it(
    make_sender: Callable[..., Sender], sandbox: Sandbox
) -> None:
    broker = make_sender(sandbox, BROKER, acting_for=PUBLIC)
    kari = someone()
    job = broker.create(kari.by_number())

    broker.signs(kari)

    change = broker.completed()
    assert change.job_id == job.job_id
    assert [each.signer for each in broker.verified(change)[1:]] == ["Kari Nordmann"]


def test_a_broker_that_nobody_authorized_is_refused(make_sender: Callable[..., Sender], sandbox: Sandbox) -> None:
    broker = make_sender(sandbox, BROKER, acting_for=PRIVATE)

    for action in (lambda: broker.create(someone().by_email()), broker.client.get_status_change):
        with pytest.raises(JavaClientError, match=f"{BROKER} is not authorized to act for {PRIVATE}") as refused:
            action()
        assert refused.value.kind == "BrokerNotAuthorizedException"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Dear all, please sign.", "not a PDF"),
        (pdfs.encrypted(user="secret", owner="secret"), "password"),
        (CONTRACT["content"][:-2000], "damaged"),
    ],
    ids=["text", "encrypted", "broken"],
)
def test_a_document_that_cannot_be_signed_is_refused_in_our_words(sender: Sender, content: bytes, words: str) -> None:
    kari = someone()

    with pytest.raises(JavaClientError) as refused:
        sender.create(kari.by_email(), documents=[{"title": "Contract", "content": content}])

    status, code, said, kind = refused.value.answer
    assert (refused.value.kind, status, code, kind) == (
        "UnexpectedResponseException", 400, "INVALID_DOCUMENT", "CLIENT",
    )  # fmt: skip
    assert words in said
    assert sender.messages_to(kari.address) == []


def test_what_the_sector_may_not_have_is_refused_in_our_words(private: Sender) -> None:
    with pytest.raises(JavaClientError) as refused:
        private.create(someone().by_number(signature_type="AUTHENTICATED_SIGNATURE"))

    status, code, said, _ = refused.value.answer
    assert (status, code) == (400, "SIGNATURE_TYPE_NOT_ALLOWED")
    assert ADVANCED in said


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("organization", "984661185"), ("chain", "does not chain with any of the trust anchors")],
)
def test_the_client_talks_to_no_other_server(
    java: JavaProgram, sandbox: Sandbox, other_sandbox: Sandbox, wrong: str, words: str
) -> None:
    expected = {"organization": {"server_organization_number": PUBLIC}, "chain": {"trusting": other_sandbox}}[wrong]
    client = JavaClient(java, sandbox, PUBLIC, **expected)

    with pytest.raises(JavaClientError, match=words):
        client.get_status_change()
