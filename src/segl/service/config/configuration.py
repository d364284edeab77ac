"""The service's configuration: one TOML file, read once, checked, and handed on as frozen values.

Relative paths count from the folder of the file. Every error names the setting and says what to write instead.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any

from segl.core.errors import SeglError


class ConfigurationError(SeglError):
    """A setting is missing or wrong; the message names it and the fix."""


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
    """How mail leaves: `backend` is a Django mail back end; host and port count for SMTP."""

    sender: str
    backend: str
    host: str = "localhost"
    port: int = 25


@dataclass(frozen=True, slots=True)
class Revocation:
    """`[revocation]`: whether it is asked, by OCSP and CRL, if organization certificates were revoked.

    When nobody answers, the `policy` `hard-fail` (the default) refuses the certificate until somebody does, and
    `soft-fail` lets it in and warns in the log; with `off` nobody is asked. An answer counts until its issuer has a
    newer one, at most for `max_age` (`max_age_seconds`, 3600); each responder or CRL gets `timeout`
    (`timeout_seconds`, 3) to answer.
    """

    policy: str
    max_age: timedelta
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything the service is told from outside.

    `api_root` and `web_root` are the absolute URLs under which the two listeners are reached, without a trailing
    slash. `database` is `sqlite:///path` or `postgresql://…`; `documents` is a folder or an object store's URL.
    `seal_root` is the root certificate that the seal chains to. `master_key` (32 bytes) wraps the key of every job's
    documents: who loses it loses the documents. A sender that calls more often than `calls_per_second` (0: no
    number) is blocked for a while. Senders may delete documents `deletable_after` the job was completed. `sms_gateway`
    is the dotted name of what sends text messages (`segl.service.notifications.sms`); without one none are sent.
    """

    folder: Path
    sandbox: bool
    api_root: str
    web_root: str
    database: str
    documents: str
    master_key: bytes
    trust_anchors: tuple[Path, ...]
    intermediates: tuple[Path, ...]
    seal: KeyFiles
    seal_root: Path
    signer_ca: KeyFiles
    mail: Mail
    organizations: tuple[ConfiguredOrganization, ...]
    revocation: Revocation
    requeue_after: timedelta
    poll_interval: timedelta
    calls_per_second: int
    deletable_after: timedelta
    sms_gateway: str
    signing_time_tolerance: timedelta


def load(path: Path) -> Configuration:
    """Read the configuration file at `path`.

    Raises:
        ConfigurationError: The file cannot be read, or a setting is missing or wrong.
    """
    try:
        table = _Table(tomllib.loads(path.read_text(encoding="utf-8")), path.parent.absolute())
    except OSError as error:
        raise ConfigurationError(f"The configuration file {path} cannot be read: {error.strerror}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The configuration file {path} is not valid TOML: {error}.") from error
    mail = table.table("mail")
    return Configuration(
        folder=table.folder,
        sandbox=table.get("sandbox", bool, default=False),
        api_root=table.get("api_root", str).rstrip("/"),
        web_root=table.get("web_root", str).rstrip("/"),
        database=table.get("database", str),
        documents=table.get("documents", str),
        master_key=_master_key(table),
        trust_anchors=table.paths("trust_anchors"),
        intermediates=table.paths("intermediates", default=[]),
        seal=_key_files(table.table("seal")),
        seal_root=table.table("seal").path("root"),
        signer_ca=_key_files(table.table("signer_ca")),
        mail=Mail(
            sender=mail.get("sender", str),
            backend=mail.get("backend", str, default="django.core.mail.backends.smtp.EmailBackend"),
            host=mail.get("host", str, default="localhost"),
            port=mail.get("port", int, default=25),
        ),
        organizations=tuple(_organization(each) for each in table.tables("organizations")),
        revocation=_revocation(table.table("revocation", default={})),
        requeue_after=table.seconds("requeue_after_seconds", default=600),
        poll_interval=table.seconds("poll_interval_seconds", default=600),
        calls_per_second=table.get("calls_per_second", int, default=10),
        deletable_after=table.seconds("deletable_after_seconds", default=24 * 3600),
        sms_gateway=table.table("sms", default={}).get("gateway", str, default=""),
        signing_time_tolerance=table.seconds("signing_time_tolerance_seconds", default=5),
    )


class _Table:
    """A TOML table whose values are asked for by name and type."""

    def __init__(self, values: Mapping[str, Any], folder: Path, name: str = "") -> None:
        self._values = values
        self._prefix = f"{name}." if name else ""
        self.folder = folder

    def get(self, name: str, kind: type | UnionType, default: Any = None) -> Any:
        value = self._values.get(name, default)
        if value is None:
            raise ConfigurationError(f"The setting `{self._prefix}{name}` is missing from the configuration file.")
        if not isinstance(value, kind):
            wanted = getattr(kind, "__name__", "number")
            raise ConfigurationError(
                f"The setting `{self._prefix}{name}` is {value!r}: write a value of type {wanted}."
            )
        return value

    def table(self, name: str, default: Mapping[str, Any] | None = None) -> "_Table":
        return _Table(self.get(name, dict, default), self.folder, self._prefix + name)

    def tables(self, name: str) -> list["_Table"]:
        return [_Table(each, self.folder, self._prefix + name) for each in self.get(name, list, default=[])]

    def path(self, name: str) -> Path:
        return self.folder / str(self.get(name, str))

    def paths(self, name: str, default: list[str] | None = None) -> tuple[Path, ...]:
        return tuple(self.folder / each for each in self.get(name, list, default))

    def seconds(self, name: str, default: float) -> timedelta:
        return timedelta(seconds=self.get(name, int | float, default))


def _key_files(table: _Table) -> KeyFiles:
    return KeyFiles(certificate=table.path("certificate"), private_key=table.path("private_key"))


def _organization(table: _Table) -> ConfiguredOrganization:
    organization = ConfiguredOrganization(
        number=table.get("number", str),
        name=table.get("name", str),
        sector=table.get("sector", str),
        broker_for=tuple(table.get("broker_for", list, default=[])),
    )
    if organization.sector not in {"public", "private"}:
        raise ConfigurationError(
            f"The sector of organization {organization.number} is {organization.sector!r}: write `public` or `private`."
        )
    return organization


def _revocation(table: _Table) -> Revocation:
    policy = table.get("policy", str, default="hard-fail")
    if policy not in {"hard-fail", "soft-fail", "off"}:
        raise ConfigurationError(
            f"The setting `revocation.policy` is {policy!r}: write `hard-fail`, `soft-fail` or `off`."
        )
    return Revocation(
        policy=policy,
        max_age=table.seconds("max_age_seconds", default=3600),
        timeout=table.seconds("timeout_seconds", default=3),
    )


def _master_key(table: _Table) -> bytes:
    path = table.path("master_key_file")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigurationError(f"`master_key_file` {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigurationError(f"`master_key_file` {path} holds something else than hexadecimal digits.") from error
    if len(key) != 32:
        raise ConfigurationError(
            f"`master_key_file` {path} holds {len(key)} bytes: make one with `openssl rand -hex 32`."
        )
    return key
