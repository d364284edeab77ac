"""The SDK against the running service: what it returns and what it refuses."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from running_sandbox import ROOT, Sandbox
from segl.sandbox.testing.people import Person, mail_to
from segl.sdk import (
    AsyncPortalClient,
    BrokerNotAuthorizedError,
    ClientCertificate,
    ClientConfiguration,
    ConfirmationReference,
    ContactInformation,
    Document,
    Email,
    Environment,
    FileType,
    Job,
    JobStatus,
    PollingQueue,
    PortalClient,
    Sender,
    Signer,
    UnexpectedResponseError,
    UntrustedServerError,
)

PUBLIC, PRIVATE, BROKER = "123456789", "310248711", "318602352"
CONTRACT = ROOT / "demo" / "contract.pdf"


@pytest.fixture
def configuration(sandbox: Sandbox, request: pytest.FixtureRequest) -> ClientConfiguration:
    """The public organization, with a polling queue of the test's own."""
    configured = ClientConfiguration.sandbox(sandbox.ready_file, PUBLIC)
    return replace(configured, sender=Sender(PUBLIC, PollingQueue(request.node.name)))


@pytest.fixture
def client(configuration: ClientConfiguration) -> Iterator[PortalClient]:
    with PortalClient(configuration) as opened:
        yield opened


def job(reference: str | None = None, content: bytes | None = None, address: str = "someone@example.com") -> Job:
    document = Document("Contract", "Please read and sign.", FileType.PDF, CONTRACT if content is None else content)
    return Job(document, [Signer(ContactInformation(email=Email(address)))], reference)


def test_the_service_knows_us_by_our_certificate(client: PortalClient) -> None:
    assert client.who_am_i() == f"You are {PUBLIC}"


def test_pem_files_serve_as_well_as_pkcs12(sandbox: Sandbox, configuration: ClientConfiguration) -> None:
    [files] = [each for each in sandbox.ready["organizations"] if each["number"] == PUBLIC]
    certificate = ClientCertificate.from_pem(files["certificate"], files["private_key"])

    with PortalClient(replace(configuration, certificate=certificate)) as client:
        assert client.who_am_i() == f"You are {PUBLIC}"


def test_a_broker_acts_for_whom_it_may(sandbox: Sandbox) -> None:
    with PortalClient(ClientConfiguration.sandbox(sandbox.ready_file, BROKER)) as client:
        assert client.who_am_i(Sender(PUBLIC)) == f"You are {BROKER}, operating on behalf of {PUBLIC}"
        with pytest.raises(BrokerNotAuthorizedError):
            client.who_am_i(Sender(PRIVATE))


def test_an_empty_queue_is_no_changes_and_says_how_long_to_wait(client: PortalClient) -> None:
    change = client.get_status_change()

    assert change.status is JobStatus.NO_CHANGES
    assert 0 < change.seconds_until_next_poll <= 60


def test_a_job_is_created_through_the_asynchronous_client(configuration: ClientConfiguration) -> None:
    async def create() -> tuple[int, str | None]:
        async with AsyncPortalClient(configuration) as client:
            created = await client.create(job("myReferenceToJob"))
            return created.signature_job_id, created.reference

    job_id, reference = asyncio.run(create())
    assert job_id > 0
    assert reference == "myReferenceToJob"


@pytest.mark.parametrize("content", [b"%PDF-1.7", CONTRACT.read_bytes()[:-2000]], ids=["head alone", "cut off"])
def test_a_broken_pdf_is_refused_and_nobody_is_notified(client: PortalClient, sandbox: Sandbox, content: bytes) -> None:
    refused, accepted = (Person(f"{secrets.token_hex(4)}@example.com", "", "") for _ in range(2))

    with pytest.raises(UnexpectedResponseError, match="PDF") as error:
        client.create(job(content=content, address=refused.address))
    assert 400 <= error.value.status < 500
    assert error.value.error_type == "CLIENT"
    client.create(job(address=accepted.address))
    mail_to(accepted, sandbox.outbox)  # waits for it; an earlier one would be there by then
    assert refused.address not in {mail["to"] for mail in mails(sandbox)}


def mails(sandbox: Sandbox) -> list[dict[str, str]]:
    answer = httpx.get(sandbox.outbox, headers={"Accept": "application/json"}, trust_env=False)
    return list(answer.raise_for_status().json())


def test_another_organizations_job_does_not_exist_for_the_caller(client: PortalClient, sandbox: Sandbox) -> None:
    job_id = client.create(job()).signature_job_id
    stranger = ClientConfiguration.sandbox(sandbox.ready_file, PRIVATE)
    jobs = f"{stranger.environment.api_root}/{PRIVATE}/portal/signature-jobs"

    with PortalClient(stranger) as other:
        refusals = [_refusal(other, f"{jobs}/{each}/complete?version=1") for each in (job_id, 2000000000)]
    assert refusals == [(404, "SIGNATURE_JOB_NOT_FOUND")] * 2


def _refusal(client: PortalClient, url: str) -> tuple[int, str | None]:
    with pytest.raises(UnexpectedResponseError) as error:
        client.confirm(ConfirmationReference(url))
    return error.value.status, error.value.code


@pytest.mark.parametrize(
    "wrong",
    [
        lambda right: replace(right, organization_number="999999999"),
        lambda right: replace(right, trust_anchors=_strangers_root()),
    ],
    ids=["organization", "chain"],
)
def test_a_server_that_is_not_the_one_meant_is_refused(
    configuration: ClientConfiguration, wrong: Callable[[Environment], Environment]
) -> None:
    environment = wrong(configuration.environment)

    with (
        PortalClient(replace(configuration, environment=environment)) as client,
        pytest.raises(UntrustedServerError, match="Nothing was sent"),
    ):
        client.who_am_i()


def _strangers_root() -> bytes:
    from tls_service import Authority

    return Authority("Another Root").pem()
