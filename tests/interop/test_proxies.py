"""The service behind Caddy and nginx, each with the configuration that the docs give, called as its clients call it."""

import http.client
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from pikepdf import Pdf

from certificates import subject
from pdfs import made
from running_sandbox import ROOT
from running_service import Operator, Process, free_ports, operator
from segl.core.protocol import ErrorMessage
from segl.sandbox.pki import OrganizationFiles, SandboxPki, ensure_pki
from segl.sdk import ContactInformation, Document, Email, FileType, Job, JobStatus, PortalClient, Signer

HEADERS = {"caddy": "Client-Cert", "nginx": "X-SSL-Client-Cert"}
PUBLIC, PRIVATE = "123456789", "310248711"
NO_CERTIFICATE = (
    403,
    "NOT_AUTHORIZED",
    "The request has no client certificate: use your organization certificate.",
)
HOSTS = ("api.example.com", "sign.example.com")
UPSTREAMS = ("127.0.0.1:8444", "127.0.0.1:8445", "127.0.0.1:8080", "127.0.0.1:8081")


@dataclass
class Deployment:
    """A proxy with two API processes and two for the pages behind it."""

    proxy: str
    operator: Operator
    api: int
    web: int
    backends: list[Process]

    @property
    def api_root(self) -> str:
        return f"https://localhost:{self.api}/api"

    def files(self, number: str = PUBLIC) -> OrganizationFiles:
        return next(each for each in self.operator.pki.organizations if each.organization.number == number)

    def call(self, path: str, files: OrganizationFiles | None, method: str = "GET", **more: Any) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("localhost", self.api, timeout=10, context=self.context(files))
        with suppress(BrokenPipeError, ssl.SSLEOFError):  # answered before all of the body was sent
            connection.request(method, path, **more)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def refusal(
        self, path: str, files: OrganizationFiles | None, method: str = "GET", **more: Any
    ) -> tuple[int, str, str]:
        """Status, code and message of a refusal, which must be in the API's own words."""
        status, body = self.call(path, files, method, **more)
        error = ErrorMessage.from_xml(body)
        return status, error.code, error.message

    def context(self, files: OrganizationFiles | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.operator.pki.trust_anchors)
        if files:
            context.load_cert_chain(files.certificate, files.private_key)
        return context


@pytest.fixture(scope="module", params=["caddy", "nginx"])
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    program = _installed(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    api, web, plain, *backends = free_ports(7)
    settings = {"web_root": f"https://localhost:{web}", "api_root": f"https://localhost:{api}/api"}
    run = operator(folder, f"sqlite:///{folder}/segl.sqlite3", **settings)
    run.done("migrate")
    run.done("organization", "add", PUBLIC, "--name", "Nordvik kommune", "--sector", "public")
    run.done("organization", "add", PRIVATE, "--name", "Bryggen Bil AS", "--sector", "private")
    with ExitStack() as stack:
        serving = [stack.enter_context(backend) for backend in _backends(run, backends, HEADERS[request.param])]
        stack.enter_context(_proxy(program, folder, run.pki, api, web, plain, backends))
        yield Deployment(request.param, run, api, web, serving)


def _installed(name: str) -> str:
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip(f"{name} is not installed: apt-get install caddy nginx-light")
    return program


def _backends(run: Operator, ports: list[int], header: str) -> Iterator[AbstractContextManager[Process]]:
    for port in ports[:2]:
        listen = {"SEGL_API_PROXY_LISTEN": f"127.0.0.1:{port}", "SEGL_API_PROXY_TRUSTED": "127.0.0.1,::1"}
        yield run.serving("api", **listen, SEGL_API_PROXY_HEADER=header)
    for port in ports[2:]:
        yield run.serving("web", SEGL_WEB_LISTEN=f"127.0.0.1:{port}", SEGL_WEB_TRUSTED="127.0.0.1")


@contextmanager
def _proxy(
    program: str,
    folder: Path,
    pki: SandboxPki,
    api: int,
    web: int,
    plain: int,
    backends: list[int],
    **more: str,
) -> Iterator[None]:
    """The program with the file of the docs, in which names, ports and paths are this test's."""
    name = Path(program).name
    source, arguments = {
        "caddy": ("Caddyfile", ["run", "--adapter", "caddyfile", "--config"]),
        "nginx": ("nginx.conf", ["-g", "daemon off;", "-p", str(folder), "-c"]),
    }[name]
    text = (ROOT / "docs" / "proxies" / source).read_text()
    substitutes = {
        "https://api.example.com": f"https://localhost:{api}",
        "https://sign.example.com": f"https://localhost:{web}",
        "api.example.com": "localhost",
        "sign.example.com": "localhost",
        "listen 443 ssl default_server": f"listen {api} ssl default_server",
        "listen 443 ssl;": f"listen {web} ssl;",
        "http_port 80": f"http_port {plain}",
        "/etc/segl/tls/api.pem": pki.server.certificate,
        "/etc/segl/tls/api-key.pem": pki.server.private_key,
        "/etc/segl/tls/web.pem": pki.server.certificate,
        "/etc/segl/tls/web-key.pem": pki.server.private_key,
        "/etc/segl/tls/client-authorities.pem": pki.trust_anchors,
        "/var/lib/caddy": folder,
        "/run/nginx.pid": folder / "nginx.pid",
        "/var/log/nginx/error.log": folder / "error.log",
        **{address: f"127.0.0.1:{port}" for address, port in zip(UPSTREAMS, backends, strict=True)},
        **more,
    }
    for written, meant in substitutes.items():
        text = text.replace(written, str(meant))
    configuration = folder / source
    configuration.write_text(text)
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    log_file = folder / "proxy.log"
    with (
        log_file.open("ab") as log,
        subprocess.Popen([program, *arguments, str(configuration)], stdout=log, stderr=log, env=environment) as process,
    ):
        try:
            for port in (api, web):
                _wait(process, port, log_file)
            yield
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", port: int, log_file: Path) -> None:
    deadline = time.monotonic() + 15
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the proxy does not start:\n{log_file.read_text()}")


def test_a_client_is_known_by_its_certificate(deployment: Deployment) -> None:
    for number in (PUBLIC, PRIVATE):
        with PortalClient(deployment.operator.client(deployment.api_root, number)) as client:
            assert client.who_am_i() == f"You are {number}"


def large_pdf() -> bytes:
    def fill(document: Pdf) -> None:
        document.add_blank_page()
        document.Root.Filling = document.make_stream(os.urandom(5 * 1024 * 1024))

    return made(fill)


def test_a_job_with_five_megabytes_is_created_and_polled(deployment: Deployment) -> None:
    document = Document("Large", "Please sign.", FileType.PDF, large_pdf())
    with PortalClient(deployment.operator.client(deployment.api_root)) as client:
        created = client.create(Job(document, [Signer(ContactInformation(email=Email("kari@example.com")))]))
        jobs = f"/api/{PUBLIC}/portal/signature-jobs"
        assert deployment.call(f"{jobs}/{created.signature_job_id}/cancel", deployment.files(), "POST")[0] == 204
        change = client.get_status_change()
        assert change.status is JobStatus.FAILED
        client.confirm(change.confirmation_reference)


def test_a_body_over_the_limit_is_refused_in_the_apis_words(deployment: Deployment) -> None:
    path, body = f"/api/{PUBLIC}/portal/signature-jobs", bytes(17 * 1024 * 1024)
    assert deployment.refusal(path, deployment.files(), "POST", body=body)[:2] == (413, "REQUEST_ENTITY_TOO_LARGE")


def test_a_chunked_body_arrives_whole(deployment: Deployment) -> None:
    path, pieces = f"/api/{PUBLIC}/portal/signature-jobs", iter([b"--b\r\n", b"x" * 100_000])
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    refused = deployment.refusal(path, deployment.files(), "POST", body=pieces, headers=headers, encode_chunked=True)
    assert refused[0] == 400


def test_a_forged_header_is_replaced_by_the_proxy(deployment: Deployment) -> None:
    victim = x509.load_pem_x509_certificate(deployment.files(PUBLIC).certificate.read_bytes())
    forged = {
        "Client-Cert": f":{b64encode(victim.public_bytes(Encoding.DER)).decode()}:",
        "X-SSL-Client-Cert": quote(victim.public_bytes(Encoding.PEM).decode()),
    }
    forger = deployment.files(PRIVATE)
    assert deployment.call(f"/api/{PRIVATE}", forger, headers=forged) == (200, f"You are {PRIVATE}".encode())
    assert deployment.refusal(f"/api/{PUBLIC}", forger, headers=forged)[:2] == (403, "BROKER_NOT_AUTHORIZED")
    assert deployment.refusal(f"/api/{PUBLIC}", None, headers=forged) == NO_CERTIFICATE


def test_a_client_without_a_certificate_is_refused_by_the_service(deployment: Deployment) -> None:
    assert deployment.refusal(f"/api/{PUBLIC}", None) == NO_CERTIFICATE


def test_a_certificate_of_another_authority_is_refused_by_the_service(deployment: Deployment, tmp_path: Path) -> None:
    stranger = ensure_pki(tmp_path).organizations[0]
    status, code, message = deployment.refusal(f"/api/{PUBLIC}", stranger)
    assert (status, code) == (403, "NOT_AUTHORIZED")
    assert "is not trusted" in message


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_expired_certificate_is_refused_by_the_service(deployment: Deployment, method: str) -> None:
    expired = deployment.operator.issued(subject("NORDVIK KOMMUNE", serial_number=PUBLIC), ends_in=-timedelta(hours=1))
    files = replace(deployment.files(), certificate=expired.certificate)
    path, body = f"/api/{PUBLIC}/portal/signature-jobs", bytes(1024 * 1024) if method == "POST" else None
    status, code, message = deployment.refusal(path, files, method, body=body)
    assert (status, code) == (403, "NOT_AUTHORIZED")
    assert "expired" in message


@pytest.mark.parametrize(
    ("name", "purpose", "reason"),
    [
        (subject("NORDVIK KOMMUNE", serial_number=PUBLIC), ExtendedKeyUsageOID.SERVER_AUTH, "lacks clientAuth"),
        (subject(f"www.{PUBLIC}.no"), ExtendedKeyUsageOID.CLIENT_AUTH, "names no organization number where it counts"),
    ],
    ids=["for servers", "number in the common name"],
)
def test_a_certificate_of_another_kind_is_refused_by_the_service(
    deployment: Deployment, name: x509.Name, purpose: x509.ObjectIdentifier, reason: str
) -> None:
    issued = deployment.operator.issued(name, purpose)
    files = replace(deployment.files(), certificate=issued.certificate)
    status, code, message = deployment.refusal(f"/api/{PUBLIC}", files)
    assert (status, code) == (403, "NOT_AUTHORIZED")
    assert reason in message


def test_a_client_that_names_no_host_finds_the_api(deployment: Deployment) -> None:
    context = deployment.context(deployment.files())
    context.check_hostname = False
    with (
        socket.create_connection(("localhost", deployment.api), timeout=10) as plain,
        context.wrap_socket(plain) as connection,
    ):
        request = f"GET /api/{PUBLIC} HTTP/1.1\r\nHost: localhost:{deployment.api}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        assert f"You are {PUBLIC}".encode() in connection.makefile("rb").read()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_has_its_certificate(deployment: Deployment, version: ssl.TLSVersion) -> None:
    context = deployment.context(deployment.files(PRIVATE))
    context.minimum_version = context.maximum_version = version
    request = f"GET /api/{PRIVATE} HTTP/1.1\r\nHost: localhost:{deployment.api}\r\nConnection: close\r\n\r\n".encode()
    session = None
    for resumed in (False, True):
        plain = socket.create_connection(("localhost", deployment.api), timeout=10)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
            connection.sendall(request)
            assert f"You are {PRIVATE}".encode() in connection.makefile("rb").read()
            assert connection.session_reused is resumed
            session = connection.session


def test_the_pages_know_who_looks_and_that_it_is_over_tls(deployment: Deployment) -> None:
    connection = http.client.HTTPSConnection("localhost", deployment.web, timeout=10, context=deployment.context(None))
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"]
    answer.read()
    connection.close()


def test_while_one_process_stops_the_other_answers(deployment: Deployment) -> None:
    """The last test of the module: one API process is gone afterwards."""
    first = deployment.backends[0]
    with PortalClient(deployment.operator.client(deployment.api_root)) as client:
        first.process.terminate()
        for _ in range(50):
            assert client.who_am_i() == f"You are {PUBLIC}"
        assert first.process.wait(20) == 0
        assert client.who_am_i() == f"You are {PUBLIC}"


TOKEN = "VerySecretToken"


@contextmanager
def _broken_pages() -> Iterator[int]:
    """A server that says it is ready, and breaks each request off in the way that the path says."""
    answers = {
        b"/half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"/garbage": b"HTTP/1.1 200 OK\r\n\0\r\n\r\n",
        b"/readyz": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    }

    class Breaking(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            path = self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            self.wfile.write(next((answer for end, answer in answers.items() if end + b" " in path), b""))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Breaking) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.mark.parametrize("name", ["caddy", "nginx"])
def test_no_log_has_a_token_when_the_pages_are_away_or_break_off(name: str, tmp_path: Path) -> None:
    program, pki = _installed(name), ensure_pki(tmp_path / "pki")
    api, web, plain, *gone = free_ports(7)
    context = ssl.create_default_context(cafile=pki.trust_anchors)

    def ask(path: str, method: str = "POST", port: int = web, **more: Any) -> int:
        with closing(http.client.HTTPSConnection("localhost", port, timeout=10, context=context)) as connection:
            headers = {"Referer": f"https://localhost:{web}/s/{TOKEN}", **more}
            connection.request(method, path, headers=headers)
            return connection.getresponse().status

    hasty = {"lb_try_duration 5s": "lb_try_duration 0s"}
    with _proxy(program, tmp_path, pki, api, web, plain, gone, **hasty):
        assert ask(f"/s/{TOKEN}", "GET") in {502, 503}
        assert ask("/static/segl.css", "GET") in {502, 503}
        assert ask(f"/s/{TOKEN}", "GET", port=api) in {502, 503}  # as with a host that no server is for
    with _broken_pages() as broken:
        hasty[f"server 127.0.0.1:{broken};"] = f"server 127.0.0.1:{broken} max_fails=0;"
        with _proxy(program, tmp_path, pki, api, web, plain, [*gone[:3], broken], **hasty):
            for path in (f"/s/{TOKEN}", f"/s/{TOKEN}/garbage"):
                assert ask(path) == 502
            assert ask(f"/s/{TOKEN}/half") == 200
            if name == "nginx":  # Caddy has no limit of its own
                assert ask(f"/s/{TOKEN}", **{"Content-Length": "2000000"}) == 413
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert TOKEN not in logs


def test_the_configurations_are_those_of_the_docs() -> None:
    for name in ("Caddyfile", "nginx.conf"):
        text = (ROOT / "docs" / "proxies" / name).read_text()
        assert all(each in text for each in (*HOSTS, *UPSTREAMS))
