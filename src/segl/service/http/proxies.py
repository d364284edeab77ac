"""The client's certificate as reported by a proxy, trusted only on the proxy's own listener and from its addresses."""

import re
from base64 import b64decode
from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from segl.service.http.asgi import Application, ErrorAnswer, Receive, Scope, Send, send_answer

_Network = IPv4Network | IPv6Network
HEADERS = ("Client-Cert", "X-SSL-Client-Cert")
"""Headers that may carry the client's certificate: as in RFC 9440, or as the escaped PEM that nginx writes."""

_ONE_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*")


class BehindProxy:
    """An ASGI application that sets `segl.peer_certificate` to the certificate in the proxy's header.

    `trusted` are the addresses the proxy calls from, `header` is one of `HEADERS`. Calls from other addresses are
    refused, and so is a header that appears twice or does not contain a certificate. As with a certificate received
    over TLS, the application itself must check whether it is trusted.
    """

    def __init__(
        self, application: Application, *, trusted: Iterable[_Network], header: str, error_answer: ErrorAnswer
    ) -> None:
        self._application = application
        self._trusted = tuple(trusted)
        self._header = header
        self._error_answer = error_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_within(scope, self._trusted):
            reason = "Only the service's proxy may call this address: use the API's public address."
            await send_answer(self._error_answer(HTTPStatus.FORBIDDEN, reason), send)
            return
        try:
            certificate = certificate_in(scope["headers"], self._header)
        except ValueError as error:
            await send_answer(self._error_answer(HTTPStatus.BAD_REQUEST, str(error)), send)
            return
        await self._application(scope | {"segl.peer_certificate": certificate}, receive, send)


def is_within(scope: Scope, networks: Iterable[_Network]) -> bool:
    """Whether a request came from one of these networks."""
    address = ip_address(scope["client"][0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def certificate_in(headers: Iterable[tuple[bytes, bytes]], name: str) -> bytes | None:
    """Return the certificate (DER) in the header of this name, or None if the client had none.

    Raises:
        ValueError: The header appears more than once, or contains something else.
    """
    values = [value.strip() for header, value in headers if header == name.lower().encode("ascii")]
    if len(values) > 1:
        raise ValueError(
            f"The header {name} appears {len(values)} times: the proxy must replace the one that a client sends."
        )
    if not values or values[0] in {b"", b"::"}:
        return None
    try:
        return _of_rfc_9440(values[0]) if name == "Client-Cert" else _of_escaped_pem(values[0])
    except ValueError:
        raise ValueError(f"The header {name} does not contain a certificate in the configured format.") from None


def _of_rfc_9440(value: bytes) -> bytes:
    """A byte sequence of RFC 8941: base64 between colons."""
    if len(value) < 2 or not value.startswith(b":") or not value.endswith(b":"):
        raise ValueError
    return b64decode(value[1:-1], validate=True)


def _of_escaped_pem(value: bytes) -> bytes:
    """`$ssl_client_escaped_cert` of nginx: PEM with percent signs."""
    pem = unquote_to_bytes(value)
    if not _ONE_PEM.fullmatch(pem):
        raise ValueError
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
