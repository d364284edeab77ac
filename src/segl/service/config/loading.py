"""Loads the configuration from one TOML file and the environment.

Every error names the setting and says what to write instead.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from segl.core.organizations import LONGEST_NAME, has_right_check_digit, is_organization_number
from segl.service.config import logs, reading
from segl.service.config.reading import REQUIRED, Table, address, flag, many, network, text
from segl.service.configuration import (
    Api,
    Bodies,
    Clients,
    Configuration,
    ConfiguredOrganization,
    ContactRegister,
    KeyFiles,
    Mail,
    ProxyListener,
    Rendering,
    Revocation,
    Sms,
    Web,
)
from segl.service.http import proxies

_HTTP_GATEWAY = "segl.service.notifications.sms.HttpSmsGateway"
_A_YEAR = 365 * 24 * 3600
_LEAST_MEBIBYTES_OF_A_SENDER = 40  # the largest body, 16, and two packages being unpacked, 12 each


def load(path: Path, environment: Mapping[str, str] = MappingProxyType({})) -> Configuration:
    """Read the configuration file at `path`; the environment takes precedence.

    Raises:
        ConfigurationError: The file cannot be read, or settings are missing, wrong or unknown; it names them all.
    """
    table = Table.read(path, environment)
    file = reading.path_in(table.folder)
    sandbox = table.take("sandbox", flag, default=False)
    seal = table.table("seal")
    configuration = Configuration(
        folder=table.folder,
        sandbox=sandbox,
        api_root=table.take("api_root", reading.web_url(schemes=["https"], path="/api")),
        web_root=table.take("web_root", _web_root(sandbox)),
        database=table.take("database", database_url, secret=True),
        documents=table.take("documents", reading.document_store),
        master_key=table.take("master_key_file", _master_key_in(table)),
        trust_anchors=table.take("trust_anchors", many(file, least=1)),
        intermediates=table.take("intermediates", many(file), default=[]),
        clients=_clients(table.table("clients")),
        seal=_key_files(seal),
        seal_root=seal.take("root", file),
        signer_ca=_key_files(table.table("signer_ca")),
        mail=_mail(table.table("mail")),
        sms=_sms(table.table("sms")),
        contact_register=_contact_register(table.table("contact_register")),
        api=_api(table.table("api")),
        web=_web(table.table("web")),
        bodies=_bodies(table.table("bodies")),
        worker_listen=table.table("worker").optional("listen", address),
        organizations=_organizations(table, sandbox),
        revocation=_revocation(table.table("revocation")),
        rendering=_rendering(table.table("rendering")),
        requeue_after=table.take("requeue_after_seconds", reading.seconds(1, _A_YEAR), default=600),
        poll_interval=table.take("poll_interval_seconds", reading.seconds(0, _A_YEAR), default=600),
        calls_per_second=table.take("calls_per_second", reading.whole(0, 1000), default=10),
        deletable_after=table.take("deletable_after_seconds", reading.seconds(0, _A_YEAR), default=24 * 3600),
        signing_time_tolerance=table.take("signing_time_tolerance_seconds", reading.seconds(0, 3600), default=5),
        log_format=table.take("log_format", reading.one_of(*logs.FORMATS), default="text"),
        secret_files=tuple(dict.fromkeys(table.secret_files)),  # last: all settings must have been read
    )
    table.check()
    return configuration


def database_url(value: Any) -> str:
    """The URL of a PostgreSQL or SQLite database."""
    url = text(value)
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme in {"postgresql", "postgres"}:
        import psycopg.conninfo  # not needed with SQLite

        try:
            given = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise ValueError("write postgresql://USER@HOST/NAME, with other characters escaped as in URLs") from None
        if not given.get("dbname"):
            raise ValueError("write postgresql://USER@HOST/NAME, with the database's name")
        for host in filter(None, str(given.get("host", "")).split(",")):
            reading.host(host)
    elif scheme == "sqlite":
        text(unquote(url))
    else:
        raise ValueError(f"{scheme!r} is not supported; write postgresql://USER@HOST/NAME or sqlite:///FILE")
    return url


def _web_root(sandbox: bool) -> reading.Parser[str]:
    def parse(value: Any) -> str:
        url = reading.web_url(schemes=["https", "http"], path="")(value)
        parts = urlsplit(url)
        if parts.scheme == "http" and not sandbox and parts.hostname not in reading.THIS_MACHINE:
            raise ValueError("write https://HOST; without TLS anyone on the network could read and change the pages")
        return url

    return parse


def _key_files(table: Table, default: Any = REQUIRED) -> KeyFiles:
    return KeyFiles(
        certificate=table.take("certificate", reading.path_in(table.folder), default),
        private_key=table.take("private_key", _secret_file_in(table), default),
    )


def _clients(table: Table) -> Clients:
    return Clients(
        issuers=table.take("issuers", many(reading.path_in(table.folder)), default=[]),
        policies=table.take("policies", many(reading.object_identifier), default=[]),
        number_in_common_name=table.take("number_in_common_name", flag, default=False),
    )


def _mail(table: Table) -> Mail:
    return Mail(
        sender=table.take("sender", reading.mail_sender),
        backend=table.take("backend", text, default="segl.service.notifications.smtp.EmailBackend"),
        host=table.take("host", reading.host, default="localhost"),
        port=table.take("port", reading.port, default=25),
        encryption=table.take("encryption", reading.one_of("none", "starttls", "tls"), default="none"),
        user=table.optional("user", text) or "",
        password=_mail_password(table),
    )


def _mail_password(table: Table) -> str:
    password = table.take("password", text, default=None, secret=True)
    from_file = table.optional("password_file", _password_in(table))
    if password and from_file:
        table.refuse("The settings `mail.password` and `mail.password_file` are both set: remove one of them.")
    return password or from_file or ""


def _sms(table: Table) -> Sms:
    url, gateway = table.optional("url", reading.secure_url), table.optional("gateway", text)
    if url and gateway:
        table.refuse("The settings `sms.url` and `sms.gateway` are both set: remove one of them.")
    return Sms(
        gateway=gateway or (url and _HTTP_GATEWAY) or "",
        url=url or "",
        sender=table.take("sender", text, _default_with(url)) or "",
        token=table.optional("token_file", _content_in(table)) or "",
    )


def _api(table: Table) -> Api:
    listen = table.optional("listen", address)
    tls = _key_files(table, _default_with(listen))
    return Api(listen, tls if listen is not None else None, _proxy(table.table("proxy")))


def _proxy(table: Table) -> ProxyListener | None:
    listen = table.optional("listen", address)
    trusted = table.take("trusted", many(network, least=1), _default_with(listen))
    header = table.take("header", reading.one_of(*proxies.HEADERS), _default_with(listen))
    return ProxyListener(listen, trusted, header) if listen is not None else None


def _contact_register(table: Table) -> ContactRegister | None:
    url = table.optional("url", reading.secure_url)
    default = _default_with(url)
    register = ContactRegister(
        url=url or "",
        token_endpoint=table.take("token_endpoint", reading.secure_url, default),
        issuer=table.take("issuer", text, default),
        client_id=table.take("client_id", text, default),
        scope=table.take("scope", text, default="krr:global/kontaktinformasjon.read"),
        key=_key_files(table, default),
    )
    return register if url is not None else None


def _default_with(first: object) -> Any:
    """Return the default of settings that belong to a listener or service: required if `first` is set."""
    return None if first is None else REQUIRED


def _web(table: Table) -> Web:
    return Web(
        listen=table.optional("listen", address),
        trusted=table.take("trusted", many(network), default=[]),
    )


def _bodies(table: Table) -> Bodies:
    mebibytes = reading.whole(_LEAST_MEBIBYTES_OF_A_SENDER, 1024 * 1024)
    return Bodies(
        time=table.take("seconds", reading.seconds(1, 3600), default=60),
        bytes_per_second=table.take("bytes_per_second", reading.whole(1, 1_000_000_000), default=50_000),
        of_a_sender=(table.take("mebibytes_of_a_sender", mebibytes, default=64) or 0) * 1024 * 1024,
    )


def _revocation(table: Table) -> Revocation:
    return Revocation(
        policy=table.take("policy", reading.one_of("hard-fail", "soft-fail", "off"), default="hard-fail"),
        max_age=table.take("max_age_seconds", reading.seconds(1, _A_YEAR), default=3600),
        timeout=table.take("timeout_seconds", reading.seconds(0.1, 60), default=3),
    )


def _rendering(table: Table) -> Rendering:
    defaults = Rendering()
    rendering = Rendering(
        children=table.take("children", reading.whole(1, 1000), default=defaults.children),
        inspection_memory=table.take("inspection_mib", _mebibytes, default=defaults.inspection_memory >> 20),
        page_memory=table.take("page_mib", _mebibytes, default=defaults.page_memory >> 20),
        assembly_memory=table.take("assembly_mib", _mebibytes, default=defaults.assembly_memory >> 20),
    )
    memory = [rendering.inspection_memory, rendering.page_memory, rendering.assembly_memory]
    if None not in memory and memory != sorted(memory):
        table.refuse(
            "The settings `rendering.inspection_mib`, `rendering.page_mib` and `rendering.assembly_mib` must not "
            "decrease in this order: a document that was accepted must be shown, and then put together, with no less."
        )
    return rendering


def _mebibytes(value: Any) -> int:
    """Bytes, written as MiB. With less than 512 the libraries themselves might not fit."""
    return reading.whole(512, 100_000)(value) * 1024 * 1024


def _organizations(table: Table, sandbox: bool) -> tuple[ConfiguredOrganization, ...]:
    number = _organization_number(sandbox)
    found = tuple(_organization(each, number) for each in table.tables("organizations"))
    numbers = Counter(each.number for each in found if each.number)
    for each, times in numbers.items():
        if times > 1:
            table.refuse(f"The setting `organizations` contains the number {each} {times} times: keep one of them.")
    return found


def _organization(table: Table, parse_number: reading.Parser[str]) -> ConfiguredOrganization:
    number = table.take("number", parse_number)
    broker_for = table.take("broker_for", many(parse_number), default=[])
    if number and number in (broker_for or ()):
        table.refuse(f"The setting `organizations.broker_for` of {number} contains its own number: remove it.")
    return ConfiguredOrganization(
        number=number,
        name=table.take("name", reading.line(LONGEST_NAME)),
        sector=table.take("sector", reading.one_of("public", "private")),
        broker_for=broker_for,
    )


def _organization_number(sandbox: bool) -> reading.Parser[str]:
    """A sandbox does not check the check digit, since tests use numbers that are not assigned."""

    def parse(value: Any) -> str:
        if not is_organization_number(value):
            raise ValueError("write an organization number of 9 digits, in quotes")
        if not sandbox and not has_right_check_digit(value):
            raise ValueError("the check digit is wrong; look the number up again")
        return str(value)

    return parse


def _secret_file_in(table: Table) -> reading.Parser[Path]:
    """The path of a file that nobody else should be able to read."""

    def parse(value: Any) -> Path:
        path = reading.path_in(table.folder)(value)
        table.secret_files.append(path)
        return path

    return parse


def _content_in(table: Table) -> reading.Parser[str]:
    """The content of a secret file, without surrounding white space."""

    def parse(value: Any) -> str:
        path = _secret_file_in(table)(value)
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ValueError(f"the file cannot be read ({reason}); name one that this user can read") from None

    return parse


def _password_in(table: Table) -> reading.Parser[str]:
    def parse(value: Any) -> str:
        password = _content_in(table)(value)
        if not password:
            raise ValueError("the file is empty; write the password into it, or remove the setting")
        return password

    return parse


def _master_key_in(table: Table) -> reading.Parser[bytes]:
    def parse(value: Any) -> bytes:
        content = _content_in(table)(value)
        if not re.fullmatch("[0-9A-Fa-f]{64}", content):
            raise ValueError("the file must contain 64 hexadecimal digits; make a key with `openssl rand -hex 32`")
        return bytes.fromhex(content)

    return parse
