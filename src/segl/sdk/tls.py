"""TLS to a server that is identified by its organization, not by a host name.

Its certificate is an enterprise certificate that must chain to one of the given trust anchors and carry
the expected organization number. Both are checked in the handshake, before a request is sent.
"""

import secrets
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from segl.core.certificates import load_der, organization_name, organization_number
from segl.core.errors import InvalidInput
from segl.core.keys import PrivateKey


class WrongOrganization(ssl.SSLCertVerificationError):
    """The peer's certificate is valid but belongs to another organization."""


class _CheckedSocket(ssl.SSLSocket):
    """Blocking TLS; the organization is checked as the last step of the handshake."""

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        cast(OrganizationContext, self.context).check_peer(self.getpeercert(binary_form=True))


class _CheckedObject(ssl.SSLObject):
    """TLS over memory buffers, as asyncio and tunnels use it."""

    def do_handshake(self) -> None:
        super().do_handshake()
        cast(OrganizationContext, self.context).check_peer(self.getpeercert(binary_form=True))


class OrganizationContext(ssl.SSLContext):
    """A client context that accepts the certificates of one organization only."""

    organization_number: str
    sslsocket_class = _CheckedSocket
    sslobject_class = _CheckedObject

    def check_peer(self, certificate: bytes | None) -> None:
        """Raise WrongOrganization unless this certificate (DER) belongs to the expected organization."""
        try:
            peer = load_der(certificate or b"")
        except InvalidInput as error:
            raise WrongOrganization(f"The server's certificate is not accepted: {error}") from None
        number = organization_number(peer)
        if number != self.organization_number:
            raise WrongOrganization(
                f"The server's certificate belongs to {organization_name(peer)}, with the number {number}, "
                f"not {self.organization_number}"
            )


def client_context(
    *, anchors: Sequence[x509.Certificate], organization_number: str, key: PrivateKey
) -> OrganizationContext:
    """Return a context that shows `key`'s certificate and trusts servers of `organization_number` below `anchors`."""
    context = OrganizationContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # the certificate names an organization; check_peer compares that instead
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=_pem(anchors).decode())
    context.organization_number = organization_number
    _show_certificate(context, key)
    return context


def _show_certificate(context: ssl.SSLContext, key: PrivateKey) -> None:
    """Load the client certificate. ssl reads files only: the key passes through one, encrypted."""
    password = secrets.token_urlsafe(32)
    pem = key.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "client.pem")
        path.write_bytes(pem + _pem((key.certificate, *key.chain)))
        context.load_cert_chain(path, password=password)


def _pem(certificates: Sequence[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)
