"""The header of a proxy: what counts as a certificate, and from whom."""

import asyncio
from base64 import b64encode
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certificates import Authority
from segl.service.http.asgi import Answer, Receive, Scope, Send
from segl.service.http.proxies import BehindProxy

CERTIFICATE = Authority.root().organization("123456789").certificate
DER, PEM = CERTIFICATE.public_bytes(Encoding.DER), CERTIFICATE.public_bytes(Encoding.PEM)
RFC_9440 = b":" + b64encode(DER) + b":"
ESCAPED = quote(PEM.decode()).encode()
TRUSTED = (ip_network("127.0.0.1"), ip_network("10.1.0.0/16"), ip_network("2001:db8::/32"))


def answered(*headers: tuple[bytes, bytes], name: str = "Client-Cert", client: str = "127.0.0.1") -> Any:
    """The certificate that the application is given; when it is not called, the status and text of the refusal."""
    seen: list[Any] = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["segl.peer_certificate"])

    async def send(message: dict[str, Any]) -> None:
        seen.append(message.get("status") or message["body"].decode())

    def error_answer(status: HTTPStatus, reason: str) -> Answer:
        return Answer(status, "application/xml", reason.encode())

    proxied = BehindProxy(application, trusted=TRUSTED, header=name, error_answer=error_answer)
    scope = {"client": (client, 1234), "headers": list(headers), "segl.peer_certificate": None}
    asyncio.run(proxied(scope, None, send))  # type: ignore[arg-type]  # nothing to receive
    return seen[0] if len(seen) == 1 else tuple(seen)


@pytest.mark.parametrize("value", [RFC_9440, b"  " + RFC_9440 + b" "])
def test_a_byte_sequence_is_a_certificate(value: bytes) -> None:
    assert answered((b"client-cert", value)) == DER


@pytest.mark.parametrize(
    "value", [ESCAPED, quote(PEM.decode(), safe="+/=").encode(), quote(PEM.decode().strip()).encode()]
)
def test_escaped_pem_is_a_certificate(value: bytes) -> None:
    assert answered((b"x-ssl-client-cert", value), name="X-SSL-Client-Cert") == DER


@pytest.mark.parametrize("headers", [[], [(b"client-cert", b"")], [(b"client-cert", b"::")]])
def test_a_client_may_have_none(headers: list[tuple[bytes, bytes]]) -> None:
    assert answered(*headers) is None


def test_only_the_header_that_was_agreed_on_counts() -> None:
    assert answered((b"x-ssl-client-cert", ESCAPED)) is None
    assert answered((b"client_cert", RFC_9440)) is None
    assert answered((b"client-cert", RFC_9440), name="X-SSL-Client-Cert") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Client-Cert", b"garbage"),
        ("Client-Cert", b":"),
        ("Client-Cert", b64encode(DER)),
        ("Client-Cert", b":no base64!:"),
        ("Client-Cert", RFC_9440 + b", " + RFC_9440),
        ("Client-Cert", RFC_9440 + b";a=1"),
        ("Client-Cert", ESCAPED),
        ("Client-Cert", b":{http.request.tls.client.certificate_der_base64}:"),
        ("X-SSL-Client-Cert", b"garbage"),
        ("X-SSL-Client-Cert", RFC_9440),
        ("X-SSL-Client-Cert", ESCAPED + ESCAPED),
        ("X-SSL-Client-Cert", quote("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").encode()),
        ("X-SSL-Client-Cert", b"%ff%00"),
    ],
)
def test_anything_but_a_certificate_is_refused(name: str, value: bytes) -> None:
    message = f"The header {name} does not contain a certificate in the configured format."
    assert answered((name.lower().encode(), value), name=name) == (400, message)


def test_a_header_that_appears_twice_is_refused() -> None:
    message = "The header Client-Cert appears 2 times: the proxy must replace the one that a client sends."
    assert answered((b"client-cert", RFC_9440), (b"client-cert", RFC_9440)) == (400, message)
    assert answered((b"client-cert", b""), (b"client-cert", RFC_9440)) == (400, message)


@pytest.mark.parametrize("client", ["127.0.0.1", "10.1.255.3", "2001:db8::7", "::ffff:10.1.0.1"])
def test_the_proxys_addresses_are_trusted(client: str) -> None:
    assert answered((b"client-cert", RFC_9440), client=client) == DER


@pytest.mark.parametrize("client", ["127.0.0.2", "10.2.0.1", "::1", "::ffff:10.2.0.1"])
def test_others_are_refused(client: str) -> None:
    message = "Only the service's proxy may call this address: use the API's public address."
    assert answered((b"client-cert", RFC_9440), client=client) == (403, message)
