"""Who we are, which service we call and how long we wait: everything a client is made from."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult, urlsplit

import httpx
from cryptography import x509

from segl.core.certificates import load_pem
from segl.core.errors import InvalidInput
from segl.core.keys import PrivateKey
from segl.core.type_checks import check_kind
from segl.sdk.files import read_file
from segl.sdk.senders import Sender, check_organization_number

Source = bytes | str | os.PathLike[str]
"""A file's path, or its content as bytes."""
_MOST = 1_000_000
"""The largest number of seconds, calls or connections; sockets do not accept much longer times."""


def _parts(url: str) -> SplitResult | None:
    """Return the parts of a URL, or None if it is not a URL or has no host."""
    try:
        httpx.URL(url)
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except (httpx.InvalidURL, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Environment:
    """A signing service: its API root, and how its server is recognized.

    `trust_anchors` (PEM: a path, or the content as bytes) are the only roots the server's certificate may
    chain to; `organization_number` (9 digits) is the organization it must belong to. Host names are not compared.
    `keeps_idempotency_keys` says that the service makes one job of all creations with the same Idempotency-Key, as
    Segl's does, so that a creation whose answer was lost can be repeated.

    The official service's environments are `PRODUCTION`, `DIFITEST` and `DIFIQA`.
    """

    PRODUCTION: ClassVar["Environment"]
    DIFITEST: ClassVar["Environment"]
    DIFIQA: ClassVar["Environment"]

    api_root: str
    trust_anchors: Source
    organization_number: str
    _: KW_ONLY
    keeps_idempotency_keys: bool = False

    def __post_init__(self) -> None:
        check_kind("The API root", self.api_root, str, write='its URL, "https://…"')
        check_organization_number(self.organization_number)
        if any(each in "@?#" or each.isspace() for each in self.api_root):
            raise InvalidInput('The API root must be "https://host/path": no password, query, fragment or spaces.')
        if not self.api_root.startswith("https://") or _parts(self.api_root) is None:
            raise InvalidInput(
                f"The API root {self.api_root!r} is not an https URL of a host; the service speaks mutual TLS only."
            )

    def anchors(self) -> tuple[x509.Certificate, ...]:
        """Return the trust anchors; raise InvalidInput if there are none or they cannot be read."""
        return read_certificates(self.trust_anchors)

    @classmethod
    def sandbox(cls, ready_file: str | os.PathLike[str]) -> Self:
        """Return the sandbox that wrote this ready file."""
        with _ready(ready_file) as ready:
            server = ready["server"]
            found = ready["api_root"], server["trust_anchors"], server["organization_number"]
        return cls(*found, keeps_idempotency_keys=True)


def _official(api_root: str, trust_anchors: str) -> Environment:
    return Environment(api_root, Path(__file__).with_name("trust") / trust_anchors, "984661185")


Environment.PRODUCTION = _official("https://api.signering.posten.no/api", "production.pem")
Environment.DIFITEST = _official("https://api.difitest.signering.posten.no/api", "test.pem")
Environment.DIFIQA = _official("https://api.difiqa.signering.posten.no/api", "test.pem")


class ClientCertificate(PrivateKey):
    """An organization certificate with its private key: for the TLS connection and the packages."""

    @classmethod
    def from_pkcs12(cls, data: Source, password: str) -> Self:
        """From a PKCS#12 file (.p12, .pfx): its path, or its content as bytes."""
        check_kind("The PKCS#12 file's password", password, str, write='it as a text, "" if there is none', secret=True)
        content = _content(data)
        with _named(data):
            return super().from_pkcs12(content, password)

    @classmethod
    def from_pem(cls, certificate_pem: Source, key_pem: Source, password: str | None = None) -> Self:
        """From PEM (paths, or contents as bytes): the certificate followed by its chain, and the key."""
        if password is not None:
            check_kind("The private key's password", password, str, write="it as a text (str)", secret=True)
        read_certificates(certificate_pem)  # its error says more about a file without certificates
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
    """How long to wait, in seconds: for a connection, for each piece of a call's answer, of a download, of a creation.

    The service checks every document of a new job before it answers, and under load that request waits its turn.
    """

    connect: float = 10
    call: float = 30
    download: float = 60
    create: float = 120

    def __post_init__(self) -> None:
        for name in ("connect", "call", "download", "create"):
            _check_positive(f"Timeouts.{name}", getattr(self, name), write="seconds (int or float)")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that calls go through (CONNECT): its URL, and user and password if it requires them."""

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_kind("Proxy.url", self.url, str, write='its URL, "http://host:port"', secret=True)
        parts = _parts(self.url)
        if parts is None or parts.scheme not in {"http", "https"} or parts.username is not None:
            raise InvalidInput('Proxy.url must be "http://host:port"; give user and password separately.')
        check_kind("Proxy.user", self.user, (str, type(None)), write="a text (str)", secret=True)
        check_kind("Proxy.password", self.password, (str, type(None)), write="a text (str)", secret=True)
        if (self.user is None) != (self.password is None):
            raise InvalidInput("A Proxy needs both user and password, or neither.")


@dataclass(frozen=True, slots=True, eq=False)
class ClientConfiguration:
    """What a client is made from. Nothing is read from environment variables.

    sender:
        The default for calls and jobs that name no sender.
    proxy:
        The proxy that calls go through, if any.
    retries:
        How often a call that is safe to repeat is repeated if the service is out of reach or overloaded.
    calls_per_second:
        Calls are spread so that no more are made; the service blocks a sender, over all its programs, at more than 10.
        None: no limit.
    connections:
        How many may be open at once.
    user_agent_suffix:
        What follows the SDK's own name in the User-Agent.
    see_package:
        Called with each job, of any client, and its document package (a ZIP) before it is sent; an error from it
        ends the call.
    auth:
        Adds to each request what later versions of the API may require, such as an access token.
    """

    environment: Environment
    certificate: ClientCertificate
    sender: Sender | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    _: KW_ONLY
    proxy: Proxy | None = None
    retries: int = 2
    calls_per_second: float | None = 8
    connections: int = 10
    user_agent_suffix: str = ""
    see_package: Callable[[Any, bytes], object] | None = None
    auth: httpx.Auth | None = None

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
        if self.proxy is not None:
            check_kind("The proxy", self.proxy, Proxy, write='Proxy("http://host:port")', secret=True)
        if self.calls_per_second is not None:
            _check_positive("calls_per_second", self.calls_per_second, write="a number, or None")
        check_kind("retries", self.retries, int, write="a whole number (int)")
        if self.retries < 0:
            raise InvalidInput(f"retries is {self.retries}; it must be 0 or more.")
        check_kind("connections", self.connections, int, write="a whole number (int)")
        _check_positive("connections", self.connections, write="a whole number (int)")
        if self.auth is not None:
            check_kind("auth", self.auth, httpx.Auth, write="an httpx.Auth")
        if self.see_package is not None and not callable(self.see_package):
            raise InvalidInput("see_package must be a function of a job and its package (bytes).")
        check_kind("user_agent_suffix", self.user_agent_suffix, str, write="a text (str)")
        if not self.user_agent_suffix.isascii() or not (self.user_agent_suffix or "x").isprintable():
            raise InvalidInput('user_agent_suffix must be printable ASCII, such as "archive/1.2".')

    @classmethod
    def sandbox(cls, ready_file: str | os.PathLike[str], organization_number: str) -> Self:
        """Return a configuration for one of the organizations of the sandbox that wrote this ready file."""
        check_organization_number(organization_number)
        with _ready(ready_file) as ready:
            organizations = {each["number"]: each for each in ready["organizations"]}
            if organization_number not in organizations:
                raise InvalidInput(f"The sandbox has no {organization_number}, only {', '.join(organizations)}.")
            chosen = organizations[organization_number]
            pkcs12, password = chosen["pkcs12"], chosen["password"]
        certificate = ClientCertificate.from_pkcs12(pkcs12, password)
        return cls(Environment.sandbox(ready_file), certificate, Sender(organization_number))


def _check_positive(name: str, value: float, *, write: str) -> None:
    check_kind(name, value, (int, float), write=write)
    if not 0 < value <= _MOST:
        raise InvalidInput(f"{name} is {value}; it must be more than 0 and at most {_MOST}.")


def _content(source: Source, hint: str = "") -> bytes:
    if isinstance(source, bytes):
        return source
    check_kind("A file", source, (str, os.PathLike), write="its path, or its content as bytes", secret=True)
    return read_file(source, hint=hint)


def read_certificates(source: Source) -> tuple[x509.Certificate, ...]:
    """Return the certificates in a PEM file; the error for another file names it and says what it seems to be."""
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
    """In the block, InvalidInput gets the file's name."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{_name(source)}: {error}") from None


def _name(source: Source) -> str:
    return "the bytes given" if isinstance(source, bytes) else repr(os.fspath(source))


@contextmanager
def _ready(ready_file: str | os.PathLike[str]) -> Iterator[Any]:
    """The content of a ready file; in the block, a missing or wrong value is InvalidInput."""
    hint = " `segl sandbox` writes ready.json into its folder (.segl, or that of --folder) once it accepts calls."
    content = _content(ready_file, hint)
    try:
        yield json.loads(content)
    except (ValueError, LookupError, TypeError):
        raise InvalidInput(
            f"{_name(ready_file)} is not a ready file; `segl sandbox --ready-file FILE` writes one."
        ) from None
