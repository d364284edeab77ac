"""The configuration as typed values: what the service is given from outside, read once.

`segl.service.config` reads and checks it. Every process has one, and every room takes what it needs from `current()`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from cryptography import x509

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """PEM files of a key: the certificate followed by its issuers (not the root), and the private key."""

    certificate: Path
    private_key: Path


@dataclass(frozen=True, slots=True)
class ConfiguredOrganization:
    """An organization that may use the API; `broker_for` are the organization numbers it may act for."""

    number: str
    name: str
    sector: str
    broker_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """How mail leaves: `backend` is a Django mail back end; the rest is for SMTP.

    `encryption` is `none`, `starttls` or `tls` (from the first byte).
    """

    sender: str
    backend: str
    host: str = "localhost"
    port: int = 25
    encryption: str = "none"
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ProxyListener:
    """Where the proxy calls the API over plain HTTP, and how it passes on the client's certificate.

    `trusted` are the addresses the proxy calls from; `header` is what it puts the certificate into.
    """

    listen: Address
    trusted: tuple[Network, ...]
    header: str


@dataclass(frozen=True, slots=True)
class Api:
    """The API's listeners: for clients over mutual TLS (`listen` with the server's `tls` files), and for a proxy."""

    listen: Address | None = None
    tls: KeyFiles | None = None
    proxy: ProxyListener | None = None


@dataclass(frozen=True, slots=True)
class Web:
    """Where the pages are served over plain HTTP.

    `trusted` are the addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto count.
    """

    listen: Address | None = None
    trusted: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Bodies:
    """`[bodies]`: how long request bodies may take to arrive, and how much of them is stored in temporary files.

    A body of n bytes may take `time` (`seconds`, 60) and n / `bytes_per_second` (50,000) more. `of_a_sender`
    (`mebibytes_of_a_sender`, 64, in bytes) is for the bodies of one sender on one listener of the API, and for what
    their packages unpack to.
    """

    time: timedelta
    bytes_per_second: int
    of_a_sender: int


@dataclass(frozen=True, slots=True)
class Clients:
    """`[clients]`: which certificates of senders count, of those that chain to the `trust_anchors`.

    As in `segl.core.callers.CallerPolicy`; `issuers` are files.
    """

    issuers: tuple[Path, ...] = ()
    policies: tuple[x509.ObjectIdentifier, ...] = ()
    number_in_common_name: bool = False


@dataclass(frozen=True, slots=True)
class Revocation:
    """`[revocation]`: whether organization certificates are checked for revocation, by OCSP and CRL.

    If there is no answer, the `policy` `hard-fail` (the default) refuses the certificate until there is one, and
    `soft-fail` accepts it and warns in the log; `off` checks nothing. An answer is valid until its issuer has a newer
    one, at most for `max_age` (`max_age_seconds`, 3600); each responder or CRL has `timeout` (`timeout_seconds`, 3) to
    answer.
    """

    policy: str
    max_age: timedelta
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Sms:
    """How text messages leave: through the class with the dotted name `gateway`; without one none are sent.

    The others are what the gateway over HTTP needs (`segl.service.notifications.sms.HttpSmsGateway`).
    """

    gateway: str = ""
    url: str = ""
    sender: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ContactRegister:
    """The common contact register (KRR) at `url`, and the Maskinporten client that may ask it.

    `issuer` is the token server's name, as in the grants sent to it; `key` is the organization certificate that signs
    them.
    """

    url: str
    token_endpoint: str
    issuer: str
    client_id: str
    scope: str
    key: KeyFiles


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the child processes of a process of the service may use.

    At most `children` run at once. Each may use this many bytes of address space, the libraries' own (some 300 MiB)
    included: `inspection_memory` for the documents of a new job, `page_memory` to show a document, `assembly_memory` to
    put the signed PDF together.
    """

    children: int = 4
    inspection_memory: int = 768 * 2**20
    page_memory: int = 1024 * 2**20
    assembly_memory: int = 2048 * 2**20


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that is configured for the service.

    `api_root` and `web_root` are the absolute URLs under which API and pages are reached, without a trailing
    slash. `database` is `sqlite:///path` or `postgresql://…`; `documents` is a folder or `s3://bucket/prefix`.
    `seal_root` is the root certificate that the seal chains to. `master_key` (32 bytes) wraps the key of every job's
    documents: without it the documents are lost. `worker_listen` is where a worker reports its health. A sender that
    calls more often than `calls_per_second` (0: no limit) is blocked for a while. Senders may delete documents
    `deletable_after` the job was completed. Without a `contact_register` nobody is looked up. `log_format` is `text` or
    `json`. `secret_files` are all files with keys, passwords and tokens.
    """

    folder: Path
    sandbox: bool
    api_root: str
    web_root: str
    database: str = field(repr=False)
    documents: str
    master_key: bytes = field(repr=False)
    trust_anchors: tuple[Path, ...]
    intermediates: tuple[Path, ...]
    clients: Clients
    seal: KeyFiles
    seal_root: Path
    signer_ca: KeyFiles
    mail: Mail
    sms: Sms
    contact_register: ContactRegister | None
    api: Api
    web: Web
    bodies: Bodies
    worker_listen: Address | None
    organizations: tuple[ConfiguredOrganization, ...]
    revocation: Revocation
    rendering: Rendering
    requeue_after: timedelta
    poll_interval: timedelta
    calls_per_second: int
    deletable_after: timedelta
    signing_time_tolerance: timedelta
    log_format: str
    secret_files: tuple[Path, ...]


_current: Configuration | None = None


def use(configuration: Configuration) -> None:
    """Give this process its configuration."""
    global _current  # noqa: PLW0603 - one configuration in one place
    _current = configuration


def current() -> Configuration:
    """The configuration of this process.

    Raises:
        RuntimeError: There is none yet.
    """
    if _current is None:
        raise RuntimeError("This process has no configuration: call `segl.service.config.wiring.set_up` at start.")
    return _current


def rendering() -> Rendering:
    """What rendering may use; the defaults in a command that has no configuration, as `segl explain`."""
    return _current.rendering if _current else Rendering()
