"""The listeners as clients meet them: real TLS, real sockets, a process of their own."""

import hashlib
import http.client
import json
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Authority, subject
from segl.core.keys import PrivateKey
from segl.sandbox.pki import OrganizationFiles, SandboxPki, ensure_pki
from segl.service.http.servers import TlsFileError, TlsFiles, tls_context
from sockets import wait_until_read
from tls_service import pem_files

PROGRAM = Path(__file__).with_name("listening_program.py")
MEBIBYTE = 1024 * 1024
DAY = timedelta(days=1)


@dataclass
class Service:
    process: subprocess.Popen[str]
    ports: dict[str, int]
    pki: SandboxPki

    def connection(self, listener: str = "api", context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        if listener == "pages":
            return http.client.HTTPConnection("127.0.0.1", self.ports["pages"], timeout=30)
        context = context or client_context(self.pki, self.pki.organizations[0])
        return http.client.HTTPSConnection("127.0.0.1", self.ports["api"], timeout=30, context=context)

    def call(self, listener: str = "api", path: str = "/", **request: Any) -> dict[str, str]:
        connection = self.connection(listener)
        connection.request(request.pop("method", "GET"), path, **request)
        answer = json.load(connection.getresponse())
        connection.close()
        return answer

    def tls_socket(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.ports["api"]), timeout=10)
        return context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)

    def silent(self, listener: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[listener]), timeout=10)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> SandboxPki:
    return ensure_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def service(pki: SandboxPki) -> Iterator[Service]:
    with running(pki) as service:
        yield service


@pytest.fixture(scope="module")
def impatient_service(pki: SandboxPki) -> Iterator[Service]:
    with running(pki, "impatient") as service:
        yield service


@contextmanager
def running(pki: SandboxPki, *arguments: str) -> Iterator[Service]:
    command = [sys.executable, str(PROGRAM), str(pki.trust_anchors.parent), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            yield Service(process, json.loads(process.stdout.readline()), pki)
        finally:
            process.kill()


def client_context(pki: SandboxPki, organization: OrganizationFiles | None) -> ssl.SSLContext:
    """A client that trusts the root alone: what is between, the server must send."""
    context = ssl.create_default_context(cafile=pki.trust_anchors)
    if organization:
        context.load_cert_chain(organization.certificate, organization.private_key)
    return context


def fingerprint(organization: OrganizationFiles) -> str:
    certificate = x509.load_pem_x509_certificate(organization.certificate.read_bytes())
    return certificate.fingerprint(SHA256()).hex()


def seconds_of(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def test_the_application_sees_the_clients_certificate_and_when_the_request_came(service: Service) -> None:
    seen = service.call("api")
    assert seen["listener"] == "api"
    assert seen["peer"] == fingerprint(service.pki.organizations[0])
    age = datetime.now(UTC) - datetime.fromisoformat(seen["received_at"])
    assert timedelta() <= age < timedelta(seconds=5)


def test_a_request_came_when_its_first_byte_came(service: Service) -> None:
    with service.silent("pages") as connection:
        for _ in range(2):
            read: list[datetime] = []
            before = datetime.now(UTC)
            for part in (b"P", b"OST / HTTP/1.1\r\nHost: segl\r\nContent-Length: 2\r\n", b"\r\n", b"a", b"b"):
                connection.sendall(part)
                wait_until_read(connection)
                read.append(datetime.now(UTC))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert before <= datetime.fromisoformat(json.load(answer)["received_at"]) <= read[0]


def test_the_pages_have_no_certificate(service: Service) -> None:
    seen = service.call("pages")
    assert seen["listener"] == "pages"
    assert seen["peer"] == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_still_has_its_certificate(service: Service, version: ssl.TLSVersion) -> None:
    context = client_context(service.pki, service.pki.organizations[1])
    context.minimum_version = context.maximum_version = version
    session = None
    for resumed in (False, True, True):
        with service.tls_socket(context, session) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: segl\r\nConnection: close\r\n\r\n")
            answer = connection.makefile("rb").read()
            assert connection.session_reused is resumed
            session = connection.session  # with TLS 1.3 it comes with the answer
        assert fingerprint(service.pki.organizations[1]).encode() in answer


@pytest.mark.parametrize("listener", ["api", "pages"])
def test_headers_of_a_proxy_are_ignored_on_other_listeners(service: Service, listener: str) -> None:
    other = x509.load_pem_x509_certificate(service.pki.organizations[2].certificate.read_bytes())
    forged = {
        "Client-Cert": f":{b64encode(other.public_bytes(Encoding.DER)).decode()}:",
        "X-SSL-Client-Cert": quote(other.public_bytes(Encoding.PEM)),
    }
    ours = {"api": fingerprint(service.pki.organizations[0]), "pages": hashlib.sha256(b"").hexdigest()}
    assert service.call(listener, headers=forged)["peer"] == ours[listener]


@pytest.mark.parametrize("size", [0, 1, 100_000, 2 * MEBIBYTE])
def test_a_chunked_body_arrives_whole_and_with_its_length(service: Service, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    pieces = (body[i : i + 50_000] for i in range(0, size, 50_000))
    headers = {"Transfer-Encoding": "chunked"}
    seen = service.call(method="POST", body=pieces, headers=headers, encode_chunked=True)
    assert seen["content_length"] == str(size)
    assert seen["body"] == hashlib.sha256(body).hexdigest()
    assert seen["framing"] == ""


def test_a_body_over_the_limit_is_refused_with_the_limit(service: Service) -> None:
    connection = service.connection()
    connection.request("POST", "/", body=bytes(3 * MEBIBYTE + 1))
    answer = connection.getresponse()
    assert answer.status == 413
    assert answer.read().decode() == ("The request body is larger than the limit of 3145728 bytes: send less at once.")
    connection.close()


def test_a_chunked_body_over_the_limit_is_refused_though_it_never_ends(service: Service) -> None:
    connection = service.connection()
    connection.putrequest("POST", "/")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    for _ in range(49):
        connection.send(piece)
    answer = connection.getresponse()
    assert answer.status == 413
    answer.read()
    connection.close()


@pytest.mark.parametrize("framing", [{"Content-Length": str(2 * MEBIBYTE)}, {"Transfer-Encoding": "chunked"}])
def test_a_client_that_is_not_admitted_is_refused_after_the_head(service: Service, framing: dict[str, str]) -> None:
    connection = service.connection()
    connection.request("POST", "/strangers", headers=framing, body=iter([]))
    assert connection.sock is not None
    connection.sock.settimeout(2)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (403, b"You are a stranger.")
    connection.close()


@pytest.mark.parametrize("closing", [{}, {"Connection": "close"}])
def test_a_client_that_sends_all_before_it_listens_finds_the_refusal(service: Service, closing: dict[str, str]) -> None:
    connection = service.connection()
    for _ in range(2):
        connection.request("POST", "/strangers", body=bytes(2 * MEBIBYTE), headers=closing)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (403, b"You are a stranger.")
    connection.close()


def test_what_came_together_with_its_head_is_for_the_application_alone(service: Service) -> None:
    head, body = b"POST / HTTP/1.1\r\nHost: segl\r\nContent-Length: 5\r\n\r\n", b"whole"
    for pieces, admitted in (([head + body], False), ([head, body], True), ([head + body[:2], body[2:]], True)):
        with service.silent("pages") as connection:
            for piece in pieces:
                connection.sendall(piece)
                wait_until_read(connection)
            response = http.client.HTTPResponse(connection)
            response.begin()
            seen = json.load(response)
        assert seen["body"] == hashlib.sha256(body).hexdigest()
        assert seen["admitted"] == (seen["request_id"] if admitted else "")


def test_a_client_that_waits_is_asked_for_its_body_only_when_it_may_send_it(service: Service) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: segl\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    with service.silent("pages") as connection:
        connection.sendall(head % b"/")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"whole")
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert json.load(response)["body"] == hashlib.sha256(b"whole").hexdigest()
    with service.silent("pages") as connection:
        connection.sendall(head % b"/strangers")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert answer.endswith(b"You are a stranger.")
    assert b"connection: close\r\n" in answer


def test_a_client_without_a_certificate_is_refused(service: Service) -> None:
    assert "CERTIFICATE_REQUIRED" in alert_for(service, client_context(service.pki, None))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_with_a_certificate_of_a_foreign_authority_is_refused(
    service: Service, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    foreign = ensure_pki(tmp_path)
    context = client_context(service.pki, None)
    context.maximum_version = version
    context.load_cert_chain(foreign.organizations[0].certificate, foreign.organizations[0].private_key)
    assert "UNKNOWN_CA" in alert_for(service, context)


def test_a_client_with_a_certificate_for_servers_is_refused(service: Service, tmp_path: Path) -> None:
    files = service.pki.signer_ca
    ca = Authority(PrivateKey.from_pem(files.certificate.read_bytes(), files.private_key.read_bytes()))
    for_servers = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    now = datetime.now(UTC)
    key = ca.issue(subject("Server"), not_before=now - DAY, not_after=now + DAY, extensions=[for_servers])
    context = client_context(service.pki, None)
    context.load_cert_chain(*pem_files(key, tmp_path))
    assert "UNSUPPORTED_CERTIFICATE" in alert_for(service, context)


def test_a_client_that_was_refused_and_goes_on_loses_its_connection(service: Service) -> None:
    plain = socket.socket(fileno=service.tls_socket(client_context(service.pki, None)).detach())
    with plain:
        plain.settimeout(5)
        plain.sendall(b"more")
        while plain.recv(1000):
            pass


def alert_for(service: Service, context: ssl.SSLContext) -> str:
    """The alert by which the service refuses a client. With TLS 1.3 it comes at the client's first read."""
    with pytest.raises(ssl.SSLError) as caught, service.tls_socket(context) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: segl\r\n\r\n")
        connection.recv(1)
    return str(caught.value.reason)


@pytest.mark.parametrize("listener", ["api", "pages"])
def test_silent_and_half_sent_connections_slow_nobody(service: Service, listener: str) -> None:
    with ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(service.silent("api"))
            stack.enter_context(service.silent("pages"))
            half_sent = service.connection(listener)
            stack.callback(half_sent.close)
            half_sent.putrequest("POST", "/")
            half_sent.putheader("Content-Length", "1000")
            half_sent.endheaders()
            half_sent.send(b"the first of a thousand bytes")
        assert seconds_of(lambda: service.call(listener)) < 1


def test_answers_do_not_say_what_serves_them(service: Service) -> None:
    connection = service.connection("pages")
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    assert answer.headers.keys() == ["date", "content-length", "x-request-id"]
    connection.close()


@pytest.mark.parametrize("listener", ["api", "pages"])
def test_a_connection_that_stays_silent_is_closed(impatient_service: Service, listener: str) -> None:
    if listener == "api":
        context = client_context(impatient_service.pki, impatient_service.pki.organizations[0])
        connection: socket.socket = impatient_service.tls_socket(context)
    else:
        connection = impatient_service.silent("pages")
    with connection:
        assert ended(connection)


def test_a_connection_with_half_a_head_is_closed(impatient_service: Service) -> None:
    with impatient_service.silent("pages") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: se")
        assert ended(connection)


def test_a_head_without_end_is_cut_off(service: Service) -> None:
    endless_head = b"GET / HTTP/1.1\r\nEndless: " + b"x" * 10_000_000
    with service.silent("pages") as connection, pytest.raises(ConnectionError):
        connection.sendall(endless_head)


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_a_client_that_stalls_in_its_body_gets_408(impatient_service: Service) -> None:
    connection = impatient_service.connection()
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", "1000")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 408
    answer.read()
    connection.close()


@pytest.mark.parametrize("listener", ["api", "pages"])
def test_clients_that_do_not_read_their_answers_give_the_threads_back(
    impatient_service: Service, listener: str
) -> None:
    with ExitStack() as stack:
        for _ in range(6):
            connection = impatient_service.connection(listener)
            stack.callback(connection.close)
            connection.request("GET", "/large")
        impatient_service.call(listener)


def test_a_stop_lets_a_running_request_end(pki: SandboxPki) -> None:
    with running(pki) as service:
        answers: list[dict[str, str]] = []
        caller = threading.Thread(target=lambda: answers.append(service.call("api", "/slow")))
        caller.start()
        assert service.process.stdout
        assert service.process.stdout.readline() == "slow\n"
        service.process.send_signal(signal.SIGTERM)
        caller.join()
        assert answers[0]["listener"] == "api"
        assert service.process.wait(timeout=10) == 0


def test_an_upload_that_a_stop_cuts_off_may_be_sent_again(pki: SandboxPki) -> None:
    with running(pki, "hasty") as service:
        connection = service.connection()
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"some of a thousand bytes")
        service.call()
        service.process.send_signal(signal.SIGTERM)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["X-Refused"], answer.headers["Retry-After"]) == (503, "api", "10")
        assert answer.read() == b"The service is shutting down and did nothing: send the request again."
        connection.close()
        assert service.process.wait(timeout=10) == 0


def test_pooled_connections_and_half_open_ones_do_not_hold_up_a_stop(pki: SandboxPki) -> None:
    with running(pki) as service, ExitStack() as stack:
        for listener in ("api", "pages"):
            connection = service.connection(listener)
            stack.callback(connection.close)
            connection.request("GET", "/")
            connection.getresponse().read()
            stack.enter_context(service.silent(listener))
        service.process.send_signal(signal.SIGINT)
        assert seconds_of(lambda: service.process.wait(timeout=20)) < 10
        assert service.process.returncode == 0


def test_nothing_of_all_this_is_logged(pki: SandboxPki) -> None:
    with running(pki) as service:
        service.call("pages", "/secret-token")
        for listener in ("api", "pages"):
            service.silent(listener).close()
        alert_for(service, client_context(pki, None))
        service.process.send_signal(signal.SIGTERM)
        assert service.process.stdout is not None
        assert service.process.stdout.read() == ""


def test_a_wrong_tls_file_is_named(pki: SandboxPki, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(TlsFileError, match=str(nonsense)):
        tls_context(TlsFiles(nonsense, pki.server.private_key, []))
    with pytest.raises(TlsFileError, match=str(nonsense)):
        tls_context(TlsFiles(pki.server.certificate, pki.server.private_key, [nonsense]))


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: segl\r\nLong: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: segl\r\n" + b"Many: headers\r\n" * 10_000 + b"\r\n",
    ],
    ids=["one long header", "many headers"],
)
def test_a_head_over_the_limit_is_refused_with_the_limit(service: Service, head: bytes) -> None:
    for listener in ("api", "pages"):
        with answer_to(service, listener, head) as answer:
            assert answer.status == 431
            assert answer.read().startswith(b"The request head is larger than the limit of 65536 bytes")


@pytest.mark.parametrize(
    ("request_line", "header", "wrong"),
    [
        (b"POST / HTTP/1.1", b"Content-Length: x", b"Invalid character in Content-Length"),
        (b"POST / HTTP/1.1", b"Content-Length: 1\r\nContent-Length: 2", b"Duplicate Content-Length"),
        (b"BREW / HTTP/1.1", b"Content-Length: 0", b"Invalid method encountered"),
        (b"POST / HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\nzz", b"Invalid character in chunk size"),
    ],
)
def test_an_invalid_request_gets_its_listeners_error_answer(
    service: Service, request_line: bytes, header: bytes, wrong: bytes
) -> None:
    sent = request_line + b"\r\nHost: segl\r\n" + header + b"\r\n\r\n" + bytes(500_000)
    with answer_to(service, "api", sent) as answer:
        assert (answer.status, answer.headers["X-Refused"]) == (400, "api")
        assert answer.read().startswith(b"The request is not valid HTTP/1.1 (" + wrong + b"): send it with")
        assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("hosts", [b"", b"Host: segl\r\nHost: segl\r\n", b"Host: segl\r\nhost: other\r\n"])
@pytest.mark.parametrize("listener", ["api", "pages"])
def test_a_request_names_its_host_once(service: Service, listener: str, hosts: bytes) -> None:
    with answer_to(service, listener, b"GET / HTTP/1.1\r\n" + hosts + b"\r\n") as answer:
        assert (answer.status, answer.headers["X-Refused"], answer.headers["Connection"]) == (400, listener, "close")
        assert answer.read() == b"The Host header must be sent once."


def test_a_client_of_http_1_0_names_none(service: Service) -> None:
    with answer_to(service, "pages", b"GET / HTTP/1.0\r\n\r\n") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("framing", [b"Content-Length: 34", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_a_body_behind_an_upgrade_is_not_taken_for_a_request(service: Service, method: bytes, framing: bytes) -> None:
    """Proxies pass Upgrade on, and with it a body that would have the headers that they replace."""
    head = method + b" / HTTP/1.1\r\nHost: segl\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + framing + b"\r\n\r\n"
    with answer_to(service, "pages", head) as answer:
        assert (answer.status, answer.headers["X-Refused"], answer.headers["Connection"]) == (400, "pages", "close")
        assert answer.read() == b"The header Upgrade is not supported in a request with a body: send it without."


@pytest.mark.parametrize("framing", [b"", b"Content-Length: 0\r\n"])
def test_an_upgrade_without_a_body_is_ignored(service: Service, framing: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: segl\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + framing + b"\r\n"
    with answer_to(service, "pages", head) as answer:
        assert answer.status == 200


SLOW = b"GET /slow HTTP/1.1\r\nHost: segl\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: segl\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nHost: segl\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("before", "invalid"),
    [
        (SLOW, b"nonsense\r\n\r\n"),
        (SLOW + SLOW, b"GET / HTTP/1.1\r\n\r\n"),
        (SLOW, UPLOAD + b"zz\r\n"),
        (LARGE, b"nonsense\r\n\r\n"),
    ],
)
def test_an_invalid_request_is_answered_after_those_before_it(service: Service, before: bytes, invalid: bytes) -> None:
    with service.silent("pages") as connection:
        connection.sendall(before + invalid)
        answers, statuses = connection.makefile("rb"), []
        while 400 not in statuses:
            head = [*iter(answers.readline, b"\r\n")]
            statuses.append(int(head[0].split()[1]))
            [length] = [int(line.split()[1]) for line in head if line.startswith(b"content-length")]
            answers.read(length)
    assert statuses == [200] * before.count(b"Host") + [400]
    assert b"connection: close\r\n" in head


def test_an_invalid_rest_of_a_body_leaves_the_refusal_of_its_request_whole(service: Service) -> None:
    with service.silent("pages") as connection:
        connection.sendall(UPLOAD.replace(b"/ ", b"/strangers ", 1))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        connection.sendall(b"zz\r\n")
        wait_until_read(connection)
        assert (answer.status, answer.read()) == (403, b"You are a stranger.")


@contextmanager
def answer_to(service: Service, listener: str, sent: bytes) -> Iterator[http.client.HTTPResponse]:
    """The answer to these bytes, read once all of them were sent."""
    connection = service.connection(listener)
    connection.connect()
    connection.sock.sendall(sent)
    answer = http.client.HTTPResponse(connection.sock)
    answer.begin()
    yield answer
    connection.close()


CHUNKED = b"POST / HTTP/1.1\r\nHost: segl\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"


@pytest.mark.parametrize("endless", [b"0\r\n" + b"x1: aaaa\r\n" * 100_000, b"1;" + b"x" * 1_000_000])
def test_what_comes_between_the_chunks_of_a_body_has_a_limit(service: Service, endless: bytes) -> None:
    with service.silent("pages") as connection, pytest.raises(ConnectionError):
        connection.sendall(CHUNKED)
        for _ in range(100):
            connection.sendall(endless)


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked"])
def test_a_transfer_coding_that_nobody_decodes_is_refused(service: Service, coding: str) -> None:
    encoded = CHUNKED.replace(b"chunked", coding.encode()) + b"0\r\n\r\n"
    with answer_to(service, "api", encoded) as answer:
        assert (answer.status, answer.headers["X-Refused"]) == (501, "api")
        assert answer.read().startswith(b"The Transfer-Encoding is 'gzip,")


@pytest.mark.parametrize("coding", ["Chunked", " chunked "])
def test_chunked_is_chunked_in_any_case(service: Service, coding: str) -> None:
    with answer_to(service, "api", CHUNKED.replace(b"chunked", coding.encode()) + b"0\r\n\r\n") as answer:
        assert answer.status == 200


def test_trailers_are_not_headers(service: Service) -> None:
    with service.silent("pages") as connection:
        connection.sendall(CHUNKED.replace(b"Host", b"Connection: close\r\nHost") + b"0\r\nLate: header\r\n\r\n")
        seen = json.loads(b"".join(iter(lambda: connection.recv(4096), b"")).partition(b"\r\n\r\n")[2])
    assert (seen["content_length"], seen["late"]) == ("1", "")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/mixed; boundary*=nope''%ff", "a/b; c=" + "x" * 1000, "a/b\r\nContent-Type: a/b; c*=nope''%ff"],
)
def test_a_content_type_that_cannot_be_parsed_is_refused(service: Service, content_type: str) -> None:
    connection = service.connection()
    connection.putrequest("POST", "/")
    for each in content_type.split("\r\nContent-Type: "):
        connection.putheader("Content-Type", each)
    connection.putheader("Content-Length", "1")
    connection.endheaders(b"x")
    answer = connection.getresponse()
    assert answer.status == 400
    assert b"send a plain one" in answer.read()
    connection.close()


def test_long_requests_leave_threads_for_short_ones(service: Service) -> None:
    with ExitStack() as stack:
        waiting = []
        for _ in range(8):
            connection = service.connection("pages")
            stack.callback(connection.close)
            connection.request("GET", "/long")
            waiting.append(connection.sock)
        service.call("pages")
        answered, _, _ = select.select(waiting, [], [], 0)
        assert len(answered) < 4
        assert connection.getresponse().status == 200


def test_each_answer_has_an_id_which_is_that_of_the_log_and_no_clients(service: Service) -> None:
    ids = set()
    for path, headers in (
        ("/", {}),
        ("/", {"X-Request-Id": "mine"}),
        ("/refused", {"Content-Type": "text/plain; a*=b"}),
    ):
        with closing(service.connection("pages")) as connection:
            connection.request("POST", path, b"body" * 20_000, headers)
            answer = connection.getresponse()
            [request_id] = [value for name, value in answer.getheaders() if name.lower() == "x-request-id"]
            content = answer.read()
            assert answer.status == (200 if path == "/" else 400)
            assert path != "/" or json.loads(content)["request_id"] == request_id
            assert re.fullmatch("[0-9a-f]{16}", request_id)
            ids.add(request_id)
    with answer_to(service, "pages", b"no request\r\n\r\n") as refused:
        ids.add(refused.headers["X-Request-Id"])
    assert len(ids) == 4


def test_a_failure_is_answered_and_logged_by_its_id_without_its_text(pki: SandboxPki) -> None:
    with running(pki) as service:
        with closing(service.connection("pages")) as connection:
            connection.request("GET", "/failing?hush")
            answer = connection.getresponse()
            failed, reason = answer.headers["X-Request-Id"], answer.read().decode()
        with closing(service.connection("pages")) as connection:
            connection.request("GET", "/breaking")
            answer = connection.getresponse()
            broken = answer.headers["X-Request-Id"]
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                answer.read()
        service.process.terminate()
        log, _ = service.process.communicate(timeout=30)
    assert failed in reason
    assert "hush" not in reason + log
    for request_id in (failed, broken):
        assert f"{request_id} A request failed: ValueError" in log
