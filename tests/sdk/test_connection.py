"""The SDK over real TLS: whom it trusts, what it shows, what its errors say when the connection fails."""

import asyncio
import logging
import os
import random
import re
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

import segl
from certificates import subject
from connect_proxy import connect_proxy
from segl.core.certificates import organization_number
from segl.core.protocol import PortalJobResponse
from segl.sdk import (
    AsyncPortalClient,
    ClientCertificate,
    ClientCertificateError,
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    FileType,
    InvalidInput,
    Job,
    JobResponse,
    NoAnswerError,
    NotReachedError,
    PadesReference,
    PortalClient,
    Proxy,
    Signer,
    Timeouts,
    UnexpectedResponseError,
    UntrustedServerError,
    exchange,
    transport,
)
from tls_service import CUSTOMER, SERVICE, Authority, Service, configured, reply, serving

WhoAmI = Callable[[ClientConfiguration], str]
Create = Callable[[ClientConfiguration, Job], JobResponse]
Fetch = Callable[[ClientConfiguration, str, Path], Path]


def _sync(configuration: ClientConfiguration) -> str:
    with PortalClient(configuration) as client:
        return client.who_am_i()


def _async(configuration: ClientConfiguration) -> str:
    async def ask() -> str:
        async with AsyncPortalClient(configuration) as client:
            return await client.who_am_i()

    return asyncio.run(ask())


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def who_am_i(request: pytest.FixtureRequest) -> WhoAmI:
    """The call through one of the two clients."""
    ask: WhoAmI = request.param
    return ask


def _save(configuration: ClientConfiguration, url: str, path: Path) -> Path:
    with PortalClient(configuration) as client:
        return client.get_pades(PadesReference(url)).save(path)


def _save_async(configuration: ClientConfiguration, url: str, path: Path) -> Path:
    async def fetch() -> Path:
        async with AsyncPortalClient(configuration) as client:
            return await client.get_pades(PadesReference(url)).save(path)

    return asyncio.run(fetch())


@pytest.fixture(params=[_save, _save_async], ids=["sync", "async"])
def save(request: pytest.FixtureRequest) -> Fetch:
    """A PAdES to a file through one of the two clients."""
    fetch: Fetch = request.param
    return fetch


def _create(configuration: ClientConfiguration, job: Job) -> JobResponse:
    with PortalClient(configuration) as client:
        return client.create(job)


def _create_async(configuration: ClientConfiguration, job: Job) -> JobResponse:
    async def send() -> JobResponse:
        async with AsyncPortalClient(configuration) as client:
            return await client.create(job)

    return asyncio.run(send())


@pytest.fixture(params=[_create, _create_async], ids=["sync", "async"])
def create(request: pytest.FixtureRequest) -> Create:
    """A job sent through one of the two clients."""
    send: Create = request.param
    return send


def test_the_call_arrives_with_the_client_certificate_and_the_user_agent(
    configuration: ClientConfiguration, service: Service, who_am_i: WhoAmI
) -> None:
    assert who_am_i(configuration) == "You are welcome"

    assert [organization_number(each) for each in service.clients] == [CUSTOMER]
    [(method, path, headers, body)] = service.requests
    assert (method, path, body) == ("GET", f"/api/{CUSTOMER}", b"")
    assert headers["User-Agent"].startswith(f"segl-python/{segl.__version__} (Python 3.")


@pytest.mark.parametrize(
    "name",
    [
        subject("POSTEN BRING AS", organization="POSTEN BRING AS", serial_number=SERVICE),
        subject("Posten Bring AS", organization="Posten Bring AS", organization_identifier=f"NTRNO-{SERVICE}"),
        subject(f"POSTEN BRING AS {SERVICE}", organization="POSTEN BRING AS"),
    ],
    ids=["SEID 1", "SEID 2", "common name"],
)
def test_a_server_has_a_certificate_for_servers_and_its_number_in_any_place(
    authority: Authority, tmp_path: Path, who_am_i: WhoAmI, name: x509.Name
) -> None:
    for_servers = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    with serving(authority.issue(name, for_servers), authority, tmp_path) as service:
        assert who_am_i(configured(authority, service, tmp_path)) == "You are welcome"


def test_a_server_of_another_organization_gets_no_byte(authority: Authority, tmp_path: Path, who_am_i: WhoAmI) -> None:
    with serving(authority.organization("999999999"), authority, tmp_path) as impostor:
        with pytest.raises(UntrustedServerError, match=r"number 999999999, not 984661185.*Nothing was sent") as error:
            who_am_i(configured(authority, impostor, tmp_path))
        assert stands_alone(error.value)
        assert impostor.hung_up.wait(5)
        assert not impostor.spoke


def test_a_server_from_another_authority_gets_no_byte(authority: Authority, tmp_path: Path, who_am_i: WhoAmI) -> None:
    stranger = Authority("Another Root")
    with serving(stranger.organization(SERVICE), authority, tmp_path) as impostor:
        with pytest.raises(UntrustedServerError, match=r"does not chain to the environment's trust anchors"):
            who_am_i(configured(authority, impostor, tmp_path))
        assert impostor.hung_up.wait(5)
        assert not impostor.spoke


def test_a_refused_client_certificate_is_called_that(authority: Authority, tmp_path: Path, who_am_i: WhoAmI) -> None:
    with serving(authority.organization(SERVICE), Authority("Another Root"), tmp_path) as service:
        with pytest.raises(ClientCertificateError, match="check that our certificate is valid"):
            who_am_i(configured(authority, service, tmp_path))
        assert service.requests == []


def test_a_pkcs12_file_serves_as_well_as_pem(
    authority: Authority, configuration: ClientConfiguration, service: Service, tmp_path: Path
) -> None:
    key, file = authority.organization(CUSTOMER), tmp_path / "organization.p12"
    file.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"organization", key.key, key.certificate, key.chain, BestAvailableEncryption(b"secret")
        )
    )
    certificate = ClientCertificate.from_pkcs12(file, "secret")

    assert _sync(replace(configuration, certificate=certificate)) == "You are welcome"
    assert [organization_number(each) for each in service.clients] == [CUSTOMER]


def test_nobody_listening_is_no_answer(configuration: ClientConfiguration, who_am_i: WhoAmI, free_port: int) -> None:
    nowhere = replace(configuration.environment, api_root=f"https://127.0.0.1:{free_port}/api")

    with pytest.raises(NoAnswerError, match="check the API root, the network") as error:
        who_am_i(replace(configuration, environment=nowhere))
    assert stands_alone(error.value)


def stands_alone(error: Exception) -> bool:
    """Whether its traceback shows no other errors before it."""
    return "exception" not in "".join(traceback.format_exception(error))


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that is taken but on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_silent_server_is_given_up_in_time(
    configuration: ClientConfiguration, service: Service, who_am_i: WhoAmI
) -> None:
    over = threading.Event()
    service.answer = lambda _: over.wait(10)
    try:
        with pytest.raises(NoAnswerError, match="No answer in time"):
            who_am_i(replace(configuration, timeouts=Timeouts(call=0.1)))
    finally:
        over.set()


def test_a_download_has_a_time_out_of_its_own(
    configuration: ClientConfiguration, service: Service, save: Fetch, tmp_path: Path
) -> None:
    slow = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        slow.wait(0.3)
        reply(handler, 200, b"%PDF-")

    service.answer = answer
    patient = replace(configuration, timeouts=Timeouts(call=0.1, download=10))

    assert save(patient, f"{service.api_root}/1/pades", tmp_path / "signed.pdf").read_bytes() == b"%PDF-"


def test_a_download_arrives_whole(
    configuration: ClientConfiguration, service: Service, save: Fetch, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 4096
    service.answer = lambda handler: reply(handler, 200, content)

    assert save(configuration, f"{service.api_root}/1/pades", tmp_path / "signed.pdf") == tmp_path / "signed.pdf"
    assert (tmp_path / "signed.pdf").read_bytes() == content


def test_a_download_that_breaks_off_leaves_what_was_there(
    configuration: ClientConfiguration, service: Service, save: Fetch, tmp_path: Path
) -> None:
    def break_off(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"%PDF-")
        handler.close_connection = True

    service.answer = break_off
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "signed.pdf").write_bytes(b"earlier")

    with pytest.raises(NoAnswerError):
        save(configuration, f"{service.api_root}/1/pades", folder / "signed.pdf")
    assert [(each.name, each.read_bytes()) for each in folder.iterdir()] == [("signed.pdf", b"earlier")]


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Encoding": "gzip", "Content-Length": "9"}], ids=["no length", "gzip"]
)
def test_a_download_that_cannot_be_checked_for_completeness_is_refused(
    configuration: ClientConfiguration, service: Service, save: Fetch, tmp_path: Path, headers: dict[str, str]
) -> None:
    def answer(handler: Any) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(b"%PDF-half")
        handler.close_connection = True

    service.answer = answer

    with pytest.raises(UnexpectedResponseError, match=r"(no length|Content-Encoding gzip)"):
        save(configuration, f"{service.api_root}/1/pades", tmp_path / "signed.pdf")
    assert not (tmp_path / "signed.pdf").exists()


def test_an_answer_that_is_larger_than_any_message_is_refused(
    configuration: ClientConfiguration, service: Service, who_am_i: WhoAmI
) -> None:
    service.answer = lambda handler: reply(handler, 200, b"x" * 2_000_000, X_Request_Id="7")

    with pytest.raises(UnexpectedResponseError, match=r"more than 1000000 bytes.* \(request 7\)$"):
        who_am_i(configuration)


@pytest.mark.parametrize(
    ("alert", "kind"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", ClientCertificateError),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", ClientCertificateError),
        ("SSLV3_ALERT_BAD_CERTIFICATE", ClientCertificateError),
        ("TLSV1_ALERT_UNKNOWN_CA", ClientCertificateError),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", ClientCertificateError),
        ("TLSV1_ALERT_INTERNAL_ERROR", NoAnswerError),
        ("SSLV3_ALERT_BAD_RECORD_MAC", NoAnswerError),
        ("TLSV1_ALERT_PROTOCOL_VERSION", NoAnswerError),
    ],
)
def test_alerts_about_our_certificate_have_their_own_error(alert: str, kind: type[Exception]) -> None:
    error = ssl.SSLError(1, f"[SSL: {alert}]")
    error.reason = alert
    assert type(transport._explained(error, "GET https://localhost")) is kind


def test_clients_of_one_organization_share_its_pace(configuration: ClientConfiguration, service: Service) -> None:
    with PortalClient(configuration) as one, PortalClient(replace(configuration, retries=0)) as other:
        assert one._calls.pace is other._calls.pace


def test_a_file_that_cannot_be_written_is_called_by_its_name(
    configuration: ClientConfiguration, service: Service, save: Fetch, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError) as error:
        save(configuration, f"{service.api_root}/1/pades", tmp_path / "none" / "signed.pdf")
    assert error.value.filename == str(tmp_path / "none" / "signed.pdf")
    with pytest.raises(IsADirectoryError):
        save(configuration, f"{service.api_root}/1/pades", Path("/"))


def test_a_closed_client_says_so(configuration: ClientConfiguration) -> None:
    with PortalClient(configuration) as client:
        pass
    with pytest.raises(InvalidInput, match="client is closed"):
        client.who_am_i()


def test_a_forked_process_has_connections_of_its_own(
    configuration: ClientConfiguration, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PortalClient(configuration) as client, client._http:
        client.who_am_i()
        client.who_am_i()
        assert len(service.clients) == 1
        monkeypatch.setattr(os, "getpid", lambda: 1)
        client.who_am_i()
        assert len(service.clients) == 2


def test_a_refused_download_says_why(
    configuration: ClientConfiguration, service: Service, save: Fetch, tmp_path: Path
) -> None:
    body = (
        b'<error xmlns="http://signering.posten.no/schema/v1"><error-code>GONE</error-code>'
        b"<error-message>The documents were deleted.</error-message><error-type>CLIENT</error-type></error>"
    )
    service.answer = lambda handler: reply(handler, 404, body, Content_Type="application/xml")

    with pytest.raises(UnexpectedResponseError, match=r"The documents were deleted\. \(GONE, status 404\)"):
        save(configuration, f"{service.api_root}/1/pades", tmp_path / "signed.pdf")
    assert not (tmp_path / "signed.pdf").exists()


def test_calls_go_through_a_proxy_that_wants_credentials(
    configuration: ClientConfiguration, service: Service, who_am_i: WhoAmI
) -> None:
    with connect_proxy("segl:s3cret") as proxy:
        assert who_am_i(replace(configuration, proxy=Proxy(proxy.url, "segl", "s3cret"))) == "You are welcome"
        assert proxy.tunnelled == [f"127.0.0.1:{service.port}"]


def test_a_proxy_that_refuses_is_reported_without_the_password(
    configuration: ClientConfiguration, service: Service, who_am_i: WhoAmI
) -> None:
    with connect_proxy("segl:s3cret") as proxy:
        wrong = replace(configuration, proxy=Proxy(proxy.url, "segl", "wr0ng"), retries=0)
        with pytest.raises(NotReachedError, match=r"The proxy refused \(407.*check the Proxy and its cred") as error:
            who_am_i(wrong)
        assert (proxy.tunnelled, proxy.refused, service.requests) == ([], 1, [])
    assert "wr0ng" not in f"{error.value} {wrong}"


def test_the_user_agent_has_a_suffix(configuration: ClientConfiguration, service: Service, who_am_i: WhoAmI) -> None:
    who_am_i(replace(configuration, user_agent_suffix="archive/1.2"))

    [(_, _, headers, _)] = service.requests
    assert headers["User-Agent"].endswith(") archive/1.2")


class Token(httpx.Auth):
    """An access token beside the client certificate."""

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]  # no need to send
        request.headers["Authorization"] = "Bearer t0ken"
        yield request


def test_a_later_versions_access_token_is_added(
    configuration: ClientConfiguration, service: Service, who_am_i: WhoAmI
) -> None:
    who_am_i(replace(configuration, auth=Token()))

    assert service.requests[0][2]["Authorization"] == "Bearer t0ken"


def test_each_call_is_logged_without_its_query(
    configuration: ClientConfiguration, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "segl.sdk")
    with PortalClient(configuration) as client:
        client.get_pades(PadesReference(f"{service.api_root}/{CUSTOMER}/pades?token=s3cret")).read()

    [line] = [each.getMessage() for each in caplog.records if each.name == "segl.sdk"]
    assert re.fullmatch(rf"GET {re.escape(service.api_root)}/{CUSTOMER}/pades: 200 after \d\.\d\d\d s", line)


@pytest.mark.parametrize(("sent", "logged"), [("0123456789abcdef", " (request 0123456789abcdef)"), ("a b", "")])
def test_a_call_is_logged_with_the_services_id_for_it(
    configuration: ClientConfiguration,
    service: Service,
    who_am_i: WhoAmI,
    caplog: pytest.LogCaptureFixture,
    sent: str,
    logged: str,
) -> None:
    caplog.set_level(logging.INFO, "segl.sdk")
    service.answer = lambda handler: reply(handler, 200, b"You are welcome", X_Request_Id=sent)
    who_am_i(configuration)

    [line] = [each.getMessage() for each in caplog.records if each.name == "segl.sdk"]
    assert line.partition(" s")[2] == logged


def test_what_is_safe_is_asked_again_when_the_service_is_overloaded(
    configuration: ClientConfiguration, service: Service, who_am_i: WhoAmI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "backoff", lambda _failures: 0)
    answers = iter([503, 502])
    service.answer = lambda handler: reply(handler, next(answers, 200), b"You are welcome")

    assert who_am_i(configuration) == "You are welcome"
    assert len(service.requests) == 3


def test_a_large_creation_arrives_whole_each_time_it_is_sent(
    configuration: ClientConfiguration, service: Service, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent in pieces, with a Content-Length: proxies and servers may refuse chunked requests."""
    monkeypatch.setattr(exchange, "backoff", lambda _failures: 0)
    answers, created = iter([503]), PortalJobResponse(7, f"{service.api_root}/7/cancel").to_xml()
    service.answer = lambda handler: reply(handler, next(answers, 200), created)
    content = b"%PDF-" + random.Random(7).randbytes(300_000)
    job = Job(Document("Title", None, FileType.PDF, content), [Signer(ContactInformation(Email("a@example.com")))])
    environment = replace(configuration.environment, keeps_idempotency_keys=True)

    assert create(replace(configuration, environment=environment), job).signature_job_id == 7

    [(_, _, headers, first), (_, _, _, second)] = service.requests
    assert "Transfer-Encoding" not in headers
    assert int(headers["Content-Length"]) == len(first)
    assert content in first
    assert first.endswith(b"--\r\n")
    assert second == first


def test_a_body_goes_out_in_pieces_of_one_size_and_small_ones_together() -> None:
    body = transport._Body([b"a" * 10, b"b" * 150_000, b"c" * 10])

    assert [len(piece) for piece in body] == [65536, 65536, 18948]
    assert b"".join(body) == b"a" * 10 + b"b" * 150_000 + b"c" * 10


def test_a_download_is_asked_for_again_before_its_first_byte(
    configuration: ClientConfiguration, service: Service, save: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "backoff", lambda _failures: 0)
    answers = iter([503])
    service.answer = lambda handler: reply(handler, next(answers, 200), b"%PDF-1.7")

    saved = save(configuration, f"{service.api_root}/{CUSTOMER}/pades", tmp_path / "signed.pdf")
    assert saved.read_bytes() == b"%PDF-1.7"


def test_calls_are_spread(configuration: ClientConfiguration, service: Service) -> None:
    slow = replace(configuration, calls_per_second=2)
    with PortalClient(slow) as client, ThreadPoolExecutor(4) as threads:
        started = time.monotonic()
        list(threads.map(lambda _: client.who_am_i(), range(4)))
    assert time.monotonic() - started >= 1
