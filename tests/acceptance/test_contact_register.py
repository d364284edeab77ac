"""Signers whom the service looks up, as a sender and the sandbox's contact register see it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from running_sandbox import ROOT, Sandbox
from segl.sandbox.faults_client import FaultsClient
from segl.sandbox.stand_ins.contact_register import usual_email
from segl.sdk import (
    ClientConfiguration,
    Document,
    FileType,
    Job,
    JobStatus,
    JobStatusChange,
    NotificationsUsingLookup,
    PersonalIdentificationNumber,
    PollingQueue,
    PortalClient,
    Sender,
    SignatureStatus,
    Signer,
)

PUBLIC = "123456789"
CONTRACT = ROOT / "demo" / "contract.pdf"
SECONDS = 20.0


@pytest.fixture
def client(sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[PortalClient]:
    """The public organization's, with a polling queue of the test's own."""
    configured = ClientConfiguration.sandbox(sandbox.ready_file, PUBLIC)
    with PortalClient(replace(configured, sender=Sender(PUBLIC, PollingQueue(request.node.name)))) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _unchanged(sandbox: Sandbox) -> Iterator[None]:
    """Reset the register after each test."""
    yield
    httpx.delete(sandbox.ready["contact_register"], trust_env=False).raise_for_status()


def edit(sandbox: Sandbox, **values: Any) -> None:
    httpx.post(sandbox.ready["contact_register"], json=values, trust_env=False).raise_for_status()


def create(client: PortalClient, *numbers: str, sms: bool = False, available: timedelta | None = None) -> int:
    signers = [Signer(PersonalIdentificationNumber(each), NotificationsUsingLookup(sms=sms)) for each in numbers]
    job = Job(Document("Contract", "Please sign.", FileType.PDF, CONTRACT), signers, available=available)
    return client.create(job).signature_job_id


def messages(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the messages that were sent."""
    answer = httpx.get(sandbox.outbox, headers={"Accept": "application/json"}, trust_env=False)
    messages: list[dict[str, Any]] = answer.raise_for_status().json()
    return messages


def wait_for_message(sandbox: Sandbox, to: str) -> dict[str, Any]:
    end = time.monotonic() + SECONDS
    while not (found := [each for each in messages(sandbox) if each["to"] == to]):
        assert time.monotonic() < end, f"no message to {to} in {SECONDS} s"
        time.sleep(0.05)
    return found[0]


def wait_for_attempt(sandbox: Sandbox) -> None:
    """Wait until a look-up in the register has failed."""
    end = time.monotonic() + SECONDS
    asked = "SELECT count(*) FROM lookup WHERE due_at IS NOT NULL AND last_error LIKE '%503%'"
    with closing(sqlite3.connect(sandbox.folder / "segl.sqlite3", timeout=20)) as database:
        while not database.execute(asked).fetchone()[0]:
            assert time.monotonic() < end, f"the register was not asked in {SECONDS} s"
            time.sleep(0.05)


def wait_for_change(client: PortalClient) -> JobStatusChange:
    end = time.monotonic() + SECONDS
    while (change := client.get_status_change()).status is JobStatus.NO_CHANGES:
        assert time.monotonic() < end, f"no change in {SECONDS} s"
        time.sleep(change.seconds_until_next_poll)
    client.confirm(change.confirmation_reference)
    return change


def test_anyone_is_notified_at_the_address_in_the_register(client: PortalClient, sandbox: Sandbox) -> None:
    create(client, "00000000000", "11111111111", "12345678910")
    for number in ("00000000000", "11111111111", "12345678910"):
        message = wait_for_message(sandbox, usual_email(number))
        assert message["channel"] == "email"
        assert number not in str(message)
    assert client.get_status_change().status is JobStatus.NO_CHANGES


def test_what_a_test_says_of_somebody_counts(client: PortalClient, sandbox: Sandbox) -> None:
    addresses = {"epostadresse": "aase@example.com", "mobiltelefonnummer": "+4799999990"}
    edit(sandbox, personer=[{"personidentifikator": "01017012345", "kontaktinformasjon": addresses}])
    create(client, "01017012345", sms=True, available=timedelta(hours=1))
    assert wait_for_message(sandbox, "aase@example.com")["channel"] == "email"
    assert wait_for_message(sandbox, "+4799999990")["channel"] == "sms"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"reservasjon": "JA"}, SignatureStatus.RESERVED),
        ({"status": "IKKE_REGISTRERT"}, SignatureStatus.CONTACT_INFORMATION_MISSING),
    ],
    ids=["reserved", "missing"],
)
def test_the_sender_sees_who_cannot_be_notified(
    client: PortalClient, sandbox: Sandbox, said: dict[str, str], status: SignatureStatus
) -> None:
    edit(sandbox, personer=[{"personidentifikator": "01017012346", **said}])
    job_id = create(client, "01017012346", "01017012347")
    change = wait_for_change(client)
    assert (change.signature_job_id, change.status) == (job_id, JobStatus.FAILED)
    assert [each.status for each in change.signatures] == [status, SignatureStatus.NOT_APPLICABLE]


def test_a_job_waits_for_a_register_that_is_down(client: PortalClient, sandbox: Sandbox) -> None:
    with FaultsClient.sandbox(sandbox.ready_file) as faults:
        faults.ask("register-down")
        create(client, "01017012348")  # and is answered
        wait_for_attempt(sandbox)
    wait_for_message(sandbox, usual_email("01017012348"))
    assert client.get_status_change().status is JobStatus.NO_CHANGES
