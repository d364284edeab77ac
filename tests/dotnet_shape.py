"""A job as the official .NET client sends it, made from what is known of its shape, not with our code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from cryptography import x509

import clients
from segl.core.keys import SigningKey

_DECLARATIONS = (
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    'xmlns="http://signering.posten.no/schema/v1"'
)
USER_AGENT = "posten-signature-api-client-dotnet/10.0.2 (netcore)"


@dataclass(frozen=True, slots=True)
class DotnetSigner:
    """A signer with an identity number, who is notified by e-mail."""

    number: str
    email: str


@dataclass(frozen=True, slots=True)
class DotnetJob:
    """A job of one document or several (title to content), which the client calls by names of its own."""

    sender: str
    title: str
    documents: Mapping[str, bytes]
    signers: Sequence[DotnetSigner]
    reference: str
    polling_queue: str
    boundary: str = field(default_factory=lambda: str(uuid4()))

    def headers(self) -> dict[str, str]:
        """The boundary without quotation marks, and the length, which an HTTP library adds."""
        return {"Content-Type": f"multipart/mixed; boundary={self.boundary}", "User-Agent": USER_AGENT}

    def body(self, key: SigningKey) -> bytes:
        """The request and the package, signed with this key now."""
        parts = (("application/xml", self._request()), ("application/octet-stream", self._package(key)))
        written = [
            f"--{self.boundary}\r\nContent-Type: {kind}\r\nContent-Disposition: attachment\r\n\r\n".encode() + content
            for kind, content in parts
        ]
        return b"\r\n".join([*written, f"--{self.boundary}--\r\n".encode()])

    def _request(self) -> bytes:
        return _document(
            "portal-signature-job-request",
            f"<reference>{self.reference}</reference><polling-queue>{self.polling_queue}</polling-queue>",
        )

    def _package(self, key: SigningKey) -> bytes:
        named = {f"{uuid4()}.pdf": title for title in self.documents}
        files = {name: self.documents[title] for name, title in named.items()}
        shape = replace(
            clients.DOTNET,
            issuer=_issuer(key.certificate),
            serial_number=_serial_number(key.certificate),
            signing_time=datetime.now(UTC),
        )
        return clients.package(shape, {**files, "manifest.xml": self._manifest(named)}, key)

    def _manifest(self, named: Mapping[str, str]) -> bytes:
        signers = "".join(
            f"<signer><personal-identification-number>{each.number}</personal-identification-number>"
            f'<notifications><email address="{each.email}" /></notifications>'
            "<on-behalf-of>SELF</on-behalf-of></signer>"
            for each in self.signers
        )
        documents = "".join(
            f'<document href="{name}" mime="application/pdf"><title>{title}</title></document>'
            for name, title in named.items()
        )
        return _document(
            "portal-signature-job-manifest",
            f"<signers>{signers}</signers><sender><organization-number>{self.sender}</organization-number></sender>"
            f"<title>{self.title}</title><documents>{documents}</documents>",
        )


def _document(name: str, content: str) -> bytes:
    """As XmlSerializer writes it: with declarations of namespaces that nothing uses."""
    return f'<?xml version="1.0" encoding="utf-8"?><{name} {_DECLARATIONS}>{content}</{name}>'.encode()


def _issuer(certificate: x509.Certificate) -> str:
    """As .NET spells it: the last part first, and a space after each comma."""
    return ", ".join(each.rfc4514_string() for each in reversed(list(certificate.issuer.rdns)))


def _serial_number(certificate: x509.Certificate) -> int:
    """.NET reads the hexadecimal digits as two's complement: half of all numbers come out negative, here every one."""
    digits = f"{certificate.serial_number:x}"
    return int(digits, 16) - 16 ** len(digits)
