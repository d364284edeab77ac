"""The client's certificate as a proxy tells it, believed on the proxy's own listener and from its addresses alone."""

import re
from base64 import b64decode
from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from segl.service.http.bodies import Application, ErrorAnswer, Receive, Scope, Send, send_answer

_Network = IPv4Network | IPv6Network
HEADERS = ("Client-Cert", "X-SSL-Client-Cert")
"""What a proxy may put the client's certificate into: as RFC 9440 says, or escaped PEM as nginx writes it."""

_ONE_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*")


class BehindProxy:
    """An ASGI application that finds in `segl.peer_certificate` what the proxy says of its client.

    `trusted` are the addresses the proxy calls from, `header` is one of `HEADERS`. Others than the proxy are refused,
    and so is a header that comes twice or holds no certificate. Whether the
    certificate is trusted is for the application to find out, as with one that came by TLS.
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
            reason = "This address is for the service's proxy alone: call the API by its own address."
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
    """The certificate (DER) in the header of this name; None when the client had none.

    Raises:
        ValueError: The header came more than once, or holds something else.
    """
    values = [value.strip() for header, value in headers if header == name.lower().encode("ascii")]
    if len(values) > 1:
        raise ValueError(f"The header {name} came {len(values)} times: the proxy must replace what a client sends.")
    if not values or values[0] in {b"", b"::"}:
        return None
    try:
        return _of_rfc_9440(values[0]) if name == "Client-Cert" else _of_escaped_pem(values[0])
    except ValueError:
        raise ValueError(f"The header {name} holds no certificate in the form that the proxy is to write.") from None


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
