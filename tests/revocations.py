"""OCSP answers and CRLs, right and wrong, and a server that sends them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from certificates import NOW, Authority
from segl.core.keys import PrivateKey

HOUR = timedelta(hours=1)
REVOKED_AT = NOW - timedelta(days=2)
RELATIVE = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "Part")])
REVOKED_TEXT = "2026-11-22 12:00:00 UTC"


def asks_at(*, responder: str | None = None, crl: str | None = None) -> list[x509.ExtensionType]:
    """The extensions that name where to ask; with an LDAP address too, as in real certificates."""
    extensions: list[x509.ExtensionType] = []
    if responder:
        extensions.append(
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, _url("http://crt.example/ca.cer")),
                    x509.AccessDescription(AuthorityInformationAccessOID.OCSP, _url(responder)),
                ]
            )
        )
    if crl:
        extensions.append(x509.CRLDistributionPoints([point(crl), point("ldap://ldap.example/CN=Test Issuer")]))
    return extensions


def point(
    url: str, reasons: frozenset[x509.ReasonFlags] | None = None, crl_issuer: list[x509.GeneralName] | None = None
) -> x509.DistributionPoint:
    return x509.DistributionPoint([_url(url)], None, reasons, crl_issuer)


def scope(url: str | None = None, **more: bool) -> x509.IssuingDistributionPoint:
    """Which of its issuer's certificates a CRL covers."""
    return x509.IssuingDistributionPoint(
        full_name=[_url(url)] if url else None,
        relative_name=RELATIVE if more.pop("relative", False) else None,
        only_contains_user_certs=more.pop("user_certs", False),
        only_contains_ca_certs=more.pop("ca_certs", False),
        only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}) if more.pop("some_reasons", False) else None,
        indirect_crl=more.pop("indirect", False),
        only_contains_attribute_certs=more.pop("attribute_certs", False),
    )


def _url(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def ocsp_answer(
    certificate: x509.Certificate,
    issuer: PrivateKey,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    reason: x509.ReasonFlags | None = None,
    signer: PrivateKey | None = None,
    sends_certificate: bool = True,
    this_update: datetime = NOW - HOUR,
    next_update: datetime | None = NOW + HOUR,
    algorithm: hashes.HashAlgorithm | None = None,
    signature_algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """An answer about a certificate, signed by its issuer or by `signer`, whose certificate comes with it."""
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=certificate,
            issuer=issuer.certificate,
            algorithm=algorithm or hashes.SHA1(),
            cert_status=status,
            this_update=this_update,
            next_update=next_update,
            revocation_time=REVOKED_AT if revoked else None,
            revocation_reason=reason,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, (signer or issuer).certificate)
    )
    if signer and sends_certificate:
        builder = builder.certificates([signer.certificate])
    made = builder.sign((signer or issuer).key, signature_algorithm or hashes.SHA256())
    return made.public_bytes(Encoding.DER)


def crl(
    issuer: PrivateKey,
    *revoked: x509.Certificate,
    name: x509.Name | None = None,
    reason: x509.ReasonFlags | None = None,
    this_update: datetime = NOW - HOUR,
    next_update: datetime = NOW + HOUR,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    signature_algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """A CRL signed by the issuer that lists these certificates; with extensions, each with whether it is critical."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name or issuer.certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(REVOKED_AT)
        if reason:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, signature_algorithm or hashes.SHA256()).public_bytes(Encoding.DER)


Answer = Callable[[BaseHTTPRequestHandler], None]


def sends(body: bytes, status: int = 200, **headers: str) -> Answer:
    """An answer of these bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@dataclass
class RevocationServer:
    """Answers at `/ocsp/<name>` and `/crl/<name>` as `answers` says by path, and records the paths of requests.

    `faults` are mistakes in requests that a strict responder would reject.
    """

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    expected: dict[str, tuple[x509.Certificate, x509.Certificate]] = field(default_factory=dict)
    """By path of a responder: the certificate, and its issuer, that requests must be about."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        if handler.headers["Accept-Encoding"] != "identity":  # the size limit counts bytes as they come
            self.faults.append(f"{handler.path} may be compressed")
        if handler.path.startswith("/ocsp/"):
            self._check_question(handler)
        elif handler.command != "GET":
            self.faults.append(f"{handler.command} for a CRL")
        self.answers[handler.path](handler)

    def _check_question(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        received = (handler.command, handler.headers["Content-Type"])
        if received != ("POST", "application/ocsp-request"):
            self.faults.append(f"an OCSP request as {received}")
        question = ocsp.load_der_ocsp_request(body)
        certificate, issuer = self.expected[handler.path]
        right = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()
        if question.public_bytes(Encoding.DER) != right.public_bytes(Encoding.DER):
            self.faults.append(f"an OCSP request about {question.serial_number}")


@contextmanager
def revocation_server() -> Iterator[RevocationServer]:
    """A server on loopback; at the end no request may have been wrong."""
    served = RevocationServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def do_POST(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Some tests make clients hang up in the middle of an answer."""

    with Server(("127.0.0.1", 0), Handler) as server:
        served.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
    assert served.faults == []


@dataclass
class Sender:
    """An organization's key whose chain names paths of the server, which at first answers that all is well."""

    server: RevocationServer
    root: Authority
    issuer: Authority
    key: PrivateKey

    @classmethod
    def of(cls, server: RevocationServer, root: Authority, number: str) -> Self:
        issuer = root.intermediate(extensions=asks_at(crl=server.url("/crl/root")))
        addresses = asks_at(responder=server.url("/ocsp/issuer"), crl=server.url("/crl/issuer"))
        made = cls(server, root, issuer, issuer.organization(number, extensions=addresses))
        server.expected["/ocsp/issuer"] = (made.key.certificate, issuer.key.certificate)
        server.answers["/ocsp/issuer"] = sends(made.ocsp())
        server.answers["/crl/issuer"] = sends(crl(issuer.key))
        server.answers["/crl/root"] = sends(crl(root.key))
        return made

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return (self.key.certificate, self.issuer.key.certificate, self.root.key.certificate)

    def asked(self) -> list[str]:
        """The paths requested since the last call."""
        asked = list(self.server.asked)
        self.server.asked.clear()
        return asked

    def ocsp(self, **more: Any) -> bytes:
        return ocsp_answer(self.key.certificate, self.issuer.key, **more)

    def revoke(self, *certificates: x509.Certificate) -> None:
        """By CRL alone."""
        self.server.answers["/crl/issuer"] = sends(crl(self.issuer.key, *certificates))
