"""A signing service's TLS for tests: authorities valid now, and a server that records what reaches it."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certificates import certificate, private_key, subject
from segl.core.keys import PrivateKey
from segl.sdk import ClientCertificate, ClientConfiguration, Environment, Sender

SERVICE, CUSTOMER = "984661185", "123456789"


@dataclass(frozen=True)
class Authority:
    """A root that issues organization certificates valid around the present moment."""

    name: str
    dates: tuple[datetime, datetime] = field(
        default_factory=lambda: (
            datetime.now(UTC) - timedelta(days=1),
            datetime.now(UTC) + timedelta(days=1),
        )
    )

    @property
    def root(self) -> x509.Certificate:
        name, key = subject(self.name), private_key(self.name, "P-256")
        return certificate(name, key, name, key, True, True, *self.dates)

    def organization(self, number: str) -> PrivateKey:
        identifier = f"NTRNO-{number}"
        name = subject("Organization", organization=f"Organization {number}", organization_identifier=identifier)
        return self.issue(name, key=number)

    def issue(self, name: x509.Name, *extensions: x509.ExtensionType, key: str = "another") -> PrivateKey:
        own, issuer = private_key(key), private_key(self.name, "P-256")
        issued = certificate(name, own, subject(self.name), issuer, False, True, *self.dates, extensions=extensions)
        return PrivateKey(issued, (self.root,), own)

    def pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)


def pem_files(key: PrivateKey, folder: Path) -> tuple[Path, Path]:
    """The certificate and the unencrypted private key as PEM files."""
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (key.certificate, *key.chain)))
    key_file.touch(0o600)
    key_file.write_bytes(key.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_file, key_file


@dataclass
class Service:
    """A TLS server that demands a client certificate. `answer` is called for each request."""

    port: int = 0
    answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: reply(handler, 200, b"You are welcome")
    clients: list[x509.Certificate] = field(default_factory=list)
    spoke: bool = False
    """Whether any client sent a byte after its handshake."""
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when a connection has ended."""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def api_root(self) -> str:
        return f"https://127.0.0.1:{self.port}/api"


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Roots(Protocol):
    """Who is trusted."""

    def pem(self) -> bytes: ...


@contextmanager
def serving(key: PrivateKey, clients: Roots, folder: Path) -> Iterator[Service]:
    """A `Service` with this certificate, accepting client certificates of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pem_files(key, folder))
    context.load_verify_locations(cadata=clients.pem().decode())
    context.verify_mode = ssl.CERT_REQUIRED
    with _Server(context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.service
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context, self.service = context, Service(self.server_port)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.service.hung_up.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A refused handshake is what some tests want; the client's side is what they look at."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        context, service = self.server.context, self.server.service
        self.request = context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
        try:
            self.request.do_handshake()
        except OSError:
            # Closing with the client's bytes unread would reset the connection before it reads our alert.
            with self.request as refused, suppress(OSError):
                while socket.socket.recv(refused, 65536):
                    pass
            raise
        service.clients.append(x509.load_der_x509_certificate(self.request.getpeercert(binary_form=True)))
        super().setup()

    def handle(self) -> None:
        self.server.service.spoke = self.server.service.spoke or bool(self.rfile.peek(1))
        super().handle()

    def do_GET(self) -> None:
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = b"".join(self._chunks()) if chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.service.requests.append((self.command, self.path, dict(self.headers), body))
        self.server.service.answer(self)

    def do_POST(self) -> None:
        self.do_GET()

    def _chunks(self) -> Iterator[bytes]:
        """The pieces of a chunked body (RFC 9112, 7.1) without trailers, as clients send it."""
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port at which something else than a `Service` answers; its connections end when `answer` does."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                answer(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def configured(authority: Authority, service: Service, folder: Path, owner: str = SERVICE) -> ClientConfiguration:
    """A customer's configuration for this service, trusting that authority and expecting that owner."""
    return ClientConfiguration(
        Environment(service.api_root, authority.pem(), owner),
        ClientCertificate.from_pem(*pem_files(authority.organization(CUSTOMER), folder)),
        Sender(CUSTOMER),
    )
