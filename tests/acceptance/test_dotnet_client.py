"""The portal flow with requests and a package in the .NET client's shape, over mutual TLS as it speaks it."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import people
import pytest
from people import Person

from dotnet_shape import USER_AGENT, DotnetJob, DotnetSigner
from running_sandbox import ROOT, Sandbox
from segl.core import pades, xades
from segl.core.certificates import TrustAnchors
from segl.core.protocol import PortalJobResponse, PortalJobStatus, PortalStatusChange
from segl.core.verification import Verdict
from segl.sdk import ClientConfiguration
from segl.sdk.tls import client_context

SENDER = "123456789"
QUEUE = "dotnet"
CONTRACT = (ROOT / "demo" / "contract.pdf").read_bytes()
# The identity numbers of that client's own tests; neither is valid.
KARI = Person("dotnet-kari@example.com", "12345678910", "Kari Nordmann")
OLA = Person("dotnet-ola@example.com", "10987654321", "Ola Hansen")
BOTH_TYPES = {"Accept": "application/xml, application/octet-stream"}
POLL_TIME = "X-Next-permitted-poll-time"
SECONDS_FOR_A_CHANGE = 30


@pytest.fixture
def configuration(sandbox: Sandbox) -> ClientConfiguration:
    return ClientConfiguration.sandbox(sandbox.ready_file, SENDER)


@pytest.fixture
def http(configuration: ClientConfiguration) -> Iterator[httpx.Client]:
    """It shows its own certificate alone, and accepts nothing in particular unless a request says so."""
    context = client_context(
        anchors=configuration.environment.anchors(),
        organization_number=configuration.environment.organization_number,
        key=replace(configuration.certificate, chain=()),
    )
    with httpx.Client(verify=context, trust_env=False, timeout=10) as opened:
        opened.headers = httpx.Headers({"User-Agent": USER_AGENT})
        yield opened


def test_a_job_in_the_shape_of_the_dotnet_client_is_signed_and_fetched(
    sandbox: Sandbox, configuration: ClientConfiguration, http: httpx.Client
) -> None:
    jobs = f"{sandbox.ready['api_root']}/{SENDER}/portal/signature-jobs"
    job = DotnetJob(
        sender=SENDER,
        title="Contract",
        documents={"Contract": CONTRACT, "Appendix": CONTRACT + b"\n"},
        signers=[DotnetSigner(each.number, each.address) for each in (KARI, OLA)],
        reference="myReferenceToJob",
        polling_queue=QUEUE,
    )

    answer = http.post(jobs, content=job.body(configuration.certificate), headers=job.headers())
    assert answer.status_code == 200, answer.text
    created = PortalJobResponse.from_xml(answer.content)
    assert created.reference == "myReferenceToJob"
    for person in (KARI, OLA):
        people.sign(person, people.mail_to(person, sandbox.outbox))

    change = completed(http, jobs)
    assert change.signature_job_id == created.signature_job_id
    assert [each.status for each in change.signatures] == ["SIGNED", "SIGNED"]
    assert_passed(sandbox, http, change)

    confirmed = http.post(change.confirmation_url)
    assert (confirmed.status_code, confirmed.content) == (204, b"")
    assert next_change(http, jobs) is None


def completed(http: httpx.Client, jobs: str) -> PortalStatusChange:
    """Return the change to completed; those before it are confirmed."""
    end = time.monotonic() + SECONDS_FOR_A_CHANGE
    while (change := next_change(http, jobs)) is None or change.status is not PortalJobStatus.COMPLETED_SUCCESSFULLY:
        assert time.monotonic() < end, f"the job was not completed in {SECONDS_FOR_A_CHANGE} s"
        if change is not None:
            assert http.post(change.confirmation_url).status_code == 204
    return change


def next_change(http: httpx.Client, jobs: str) -> PortalStatusChange | None:
    """The next status change, if there is one; else it returns when the next poll is permitted."""
    answer = http.get(f"{jobs}?polling_queue={QUEUE}", headers={"Accept": "application/xml"})
    permitted = datetime.fromisoformat(answer.headers[POLL_TIME])
    if answer.status_code == 204:
        time.sleep(max(0, (permitted - datetime.now(UTC)).total_seconds()))
        return None
    assert answer.status_code == 200, answer.text
    return PortalStatusChange.from_xml(answer.content)


def assert_passed(sandbox: Sandbox, http: httpx.Client, change: PortalStatusChange) -> None:
    """Every signature holds, over both documents under the names that the client gave them."""
    trust = TrustAnchors.from_pem(Path(sandbox.ready["server"]["trust_anchors"]).read_bytes())
    originals = {"Contract": CONTRACT, "Appendix": CONTRACT + b"\n"}
    now = datetime.now(UTC)
    assert change.pades_url
    sealed = http.get(change.pades_url, headers=BOTH_TYPES)
    reports = list(pades.verify(sealed.content, trust=trust, documents=originals, at=now))
    for signature in change.signatures:
        assert signature.xades_url
        found = http.get(signature.xades_url, headers=BOTH_TYPES)
        reports += xades.verify(found.content, trust=trust, documents=originals, at=now)
    assert [each.verdict for each in reports] == [Verdict.PASSED] * 5
    assert [each.signer for each in reports[1:]] == ["Kari Nordmann", "Ola Hansen"] * 2
    names = [each.name for each in reports[1].documents]
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.pdf", name) for name in names)
    assert len(names) == 2
