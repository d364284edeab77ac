"""Who we are, whom we talk to and how long we wait: everything a client is made from."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cryptography import x509

from segl.core.certificates import load_pem
from segl.core.errors import InvalidInput
from segl.core.keys import PrivateKey
from segl.core.kinds import check_kind
from segl.sdk.jobs import Sender, check_organization_number

Source = bytes | str | os.PathLike[str]
"""A file's path, or its content as bytes."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A signing service: its API root, and how its server is recognized.

    `trust_anchors` (PEM: a path, or the content as bytes) are the only roots the server's certificate may
    chain to; `organization_number` (9 digits) is whose it must be. Host names are not compared.
    """

    api_root: str
    trust_anchors: Source
    organization_number: str

    def __post_init__(self) -> None:
        check_kind("The API root", self.api_root, str, write='its URL, "https://…"')
        check_organization_number(self.organization_number)
        if not self.api_root.startswith("https://"):
            raise InvalidInput(
                f"The API root {self.api_root!r} is not an https URL; the service speaks mutual TLS only."
            )

    def anchors(self) -> tuple[x509.Certificate, ...]:
        """The trust anchors; InvalidInput when there are none or they cannot be read."""
        return _certificates(self.trust_anchors)

    @classmethod
    def sandbox(cls, ready_file: str | os.PathLike[str]) -> Self:
        """The sandbox that wrote this ready file."""
        with _ready(ready_file) as ready:
            server = ready["server"]
            found = ready["api_root"], server["trust_anchors"], server["organization_number"]
        return cls(*found)


class ClientCertificate(PrivateKey):
    """An organization certificate with its private key: for the TLS connection and the packages."""

    @classmethod
    def from_pkcs12(cls, data: Source, password: str) -> Self:
        """From a PKCS#12 file (.p12, .pfx): its path, or its content as bytes."""
        check_kind("The PKCS#12 file's password", password, str, write='it as a text, "" if there is none', secret=True)
        with _named(data):
            return super().from_pkcs12(_content(data), password)

    @classmethod
    def from_pem(cls, certificate_pem: Source, key_pem: Source, password: str | None = None) -> Self:
        """From PEM (paths, or contents as bytes): the certificate followed by its chain, and the key."""
        if password is not None:
            check_kind("The private key's password", password, str, write="it as a text (str)", secret=True)
        _certificates(certificate_pem)  # says more of what is no certificate
        key = _content(key_pem)
        if b"PRIVATE KEY-----" not in key:
            raise InvalidInput(
                f"No private key can be read from {_name(key_pem)}: {_instead(key)}. "
                "Give a PEM file, with -----BEGIN PRIVATE KEY----- in it."
            )
        with _named(key_pem):
            return super().from_pem(_content(certificate_pem), key, password)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: for a connection, for each piece of an answer, and of a download."""

    connect: float = 10
    read: float = 30
    download: float = 60


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    """What a client is made from. `sender` is used where a call or a job names none.

    Nothing is read from environment variables.
    """

    environment: Environment
    certificate: ClientCertificate
    sender: Sender | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)

    def __post_init__(self) -> None:
        check_kind("The environment", self.environment, Environment, write="Environment(…)")
        check_kind(
            "The certificate",
            self.certificate,
            ClientCertificate,
            write="ClientCertificate.from_pkcs12(…) or ClientCertificate.from_pem(…)",
        )
        if self.sender is not None:
            check_kind("The sender", self.sender, Sender, write='Sender("…")')
        check_kind("The timeouts", self.timeouts, Timeouts, write="Timeouts(…)")

    @classmethod
    def sandbox(cls, ready_file: str | os.PathLike[str], organization_number: str) -> Self:
        """One of the organizations of the sandbox that wrote this ready file, as sender."""
        check_organization_number(organization_number)
        with _ready(ready_file) as ready:
            organizations = {each["number"]: each for each in ready["organizations"]}
            if organization_number not in organizations:
                raise InvalidInput(f"The sandbox has no {organization_number}, only {', '.join(organizations)}.")
            chosen = organizations[organization_number]
            pkcs12, password = chosen["pkcs12"], chosen["password"]
        certificate = ClientCertificate.from_pkcs12(pkcs12, password)
        return cls(Environment.sandbox(ready_file), certificate, Sender(organization_number))


def _content(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source
    check_kind("A file", source, (str, os.PathLike), write="its path, or its content as bytes")
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise InvalidInput(f"Cannot read {os.fspath(source)!r}: {error.strerror}.") from None


def _certificates(source: Source) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM file; what is none is told with its name and what it seems to be."""
    content = _content(source)
    try:
        return load_pem(content)
    except InvalidInput:
        raise InvalidInput(
            f"No certificates can be read from {_name(source)}: {_instead(content)}. "
            "Give a PEM file, with -----BEGIN CERTIFICATE----- in it."
        ) from None


def _instead(content: bytes) -> str:
    if b"PRIVATE KEY-----" in content:
        return "it has a private key only (the certificate's file comes first, then the key's)"
    if b"BEGIN CERTIFICATE-----" in content:
        return "it has certificates, but no private key, or they are damaged"
    return "it is a PDF" if content.startswith(b"%PDF-") else "it is not PEM"


@contextmanager
def _named(source: Source) -> Iterator[None]:
    """What goes wrong in the block is told with the file's name."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{_name(source)}: {error}") from None


def _name(source: Source) -> str:
    return "the bytes given" if isinstance(source, bytes) else repr(os.fspath(source))


@contextmanager
def _ready(ready_file: str | os.PathLike[str]) -> Iterator[Any]:
    """What stands in a ready file, for a block that takes what it needs of it."""
    try:
        yield json.loads(_content(ready_file))
    except (ValueError, LookupError, TypeError):
        raise InvalidInput(
            f"{_name(ready_file)} is no ready file; `segl sandbox --ready-file FILE` writes one."
        ) from None
