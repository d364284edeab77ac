"""Reads settings by name from a TOML table and the environment, and gathers everything that is wrong with them.

The setting `host` of the table `[mail]` is `SEGL_MAIL_HOST` in the environment, which takes precedence. In the
environment, lists are separated by commas. Relative paths start at the folder of the file.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from email.utils import getaddresses
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

from cryptography.x509 import ObjectIdentifier
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from segl.core.errors import SeglError
from segl.service.configuration import Address, Network

T = TypeVar("T")
Parser = Callable[[Any], T]
"""Converts what is written to a setting's value; a `ValueError` says what to write instead."""

REQUIRED: Any = object()
"""The default of a setting that must be set."""

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
"""The hosts that are reached without a network."""

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})")
_CONFIG_FILE = "SEGL_CONFIG"


class ConfigurationError(SeglError):
    """Settings are missing or wrong; the message has a line for each, with its name and the fix."""


def gathered(problems: Sequence[str]) -> None:
    """Report all problems at once, so that nobody has to fix them one start at a time.

    Raises:
        ConfigurationError: There are problems.
    """
    if problems:
        raise ConfigurationError("\n".join(problems))


@dataclass(slots=True)
class _Source:
    """What all tables of one file share."""

    folder: Path
    environment: Mapping[str, str]
    tables: "list[Table]" = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    variables: set[str] = field(default_factory=lambda: {_CONFIG_FILE})
    """The environment variables of all known settings."""
    secret_files: list[Path] = field(default_factory=list)


class Table:
    """A table of settings, read by name."""

    def __init__(self, values: Mapping[str, Any], source: _Source, prefix: str = "", *, of_array: bool = False) -> None:
        self._values = values
        self._source = source
        self._prefix = prefix
        self._of_array = of_array
        self._known: set[str] = set()
        source.tables.append(self)

    @classmethod
    def read(cls, path: Path, environment: Mapping[str, str]) -> "Table":
        """The settings of a file and the environment.

        Raises:
            ConfigurationError: The file cannot be read.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(
                f"The configuration file {path} cannot be read: {error.strerror}. "
                f"Name another one with --config or {_CONFIG_FILE}."
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The configuration file {path} is not valid TOML: {error}.") from error
        return cls(values, _Source(path.parent.absolute(), environment))

    @property
    def folder(self) -> Path:
        """The folder at which relative paths start."""
        return self._source.folder

    @property
    def secret_files(self) -> list[Path]:
        """The files with keys, passwords and tokens that the settings read so far name."""
        return self._source.secret_files

    def take(self, name: str, parse: Parser[T], default: Any = REQUIRED, *, secret: bool = False) -> T:
        """Return the value of a setting. If it is wrong, `check` will report it; the value must not be used then.

        A default is written as in the file, or None for nothing. Messages do not repeat the value of a secret.
        """
        self._known.add(name)
        setting, given = f"The setting `{self._prefix}{name}`", self._values.get(name, default)
        variable = "" if self._of_array else f"SEGL_{self._prefix}{name}".replace(".", "_").upper()
        self._source.variables.add(variable)
        if variable in self._source.environment:
            setting, given = f"The environment variable {variable}", self._source.environment[variable]
        if given is REQUIRED:
            self.refuse(f"{setting} is missing: add it to the configuration file{variable and f', or set {variable}'}.")
        elif given is not None:
            try:
                return parse(given)
            except ValueError as error:
                self.refuse(f"{setting} {'cannot be used' if secret else f'is {given!r}'}: {error}.")
        return cast(T, None)

    def optional(self, name: str, parse: Parser[T]) -> T | None:
        """Return the value of an optional setting."""
        return self.take(name, parse, default=None)

    def table(self, name: str) -> "Table":
        """Return a nested table, empty if it is not in the file, since its settings may be in the environment."""
        return self._within(name, self._nested(name, {}))

    def tables(self, name: str) -> "list[Table]":
        """Return the tables of an array, `[[name]]`, which cannot be set in the environment."""
        listed = self._nested(name, [])
        return [self._within(name, each, of_array=True) for each in (listed if isinstance(listed, list) else [listed])]

    def _within(self, name: str, values: Any, *, of_array: bool = False) -> "Table":
        if not isinstance(values, dict):
            self.refuse(f"The setting `{self._prefix}{name}` is {values!r}: write a table, with its settings below.")
            values = {}
        return Table(values, self._source, f"{self._prefix}{name}.", of_array=of_array)

    def _nested(self, name: str, default: Any) -> Any:
        self._known.add(name)
        return self._values.get(name, default)

    def refuse(self, problem: str) -> None:
        """Record a problem, for `check` to report."""
        self._source.problems.append(problem)

    def check(self) -> None:
        """Report all problems, including unknown settings; call this after all settings were read.

        Raises:
            ConfigurationError: There are problems.
        """
        for table in self._source.tables:
            table.check_known()
        variables = self._source.variables
        for name in sorted(self._source.environment.keys() - variables):
            if name.startswith("SEGL_"):
                self.refuse(f"The environment variable {name} is not a setting{_meant(name, variables)}")
        gathered(self._source.problems)

    def check_known(self) -> None:
        """Record the settings in this table that were not read."""
        for name in sorted(self._values.keys() - self._known):
            self.refuse(f"The setting `{self._prefix}{name}` is unknown{_meant(name, self._known)}")


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else ": remove it."


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a text")
    if "\0" in value:
        raise ValueError("write a text without NUL characters")
    return value


def line(most: int) -> Parser[str]:
    """One line of text with at most this many characters."""

    def parse(value: Any) -> str:
        written = text(value).strip()
        if len(written) > most or not written.isprintable():
            raise ValueError(f"write one line of 1 to {most} characters")
        return written

    return parse


def host(value: Any) -> str:
    """The name or address of a machine."""
    name = text(value)
    try:
        name.encode("idna")  # as resolvers do
    except UnicodeError:
        raise ValueError("write a host name with 1 to 63 characters between dots") from None
    return name


def flag(value: Any) -> bool:
    """True or false."""
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValueError("write true or false")


def number(least: float, most: float) -> Parser[float]:
    """A number within these bounds, inclusive."""

    def parse(value: Any) -> float:
        try:
            parsed = float("" if isinstance(value, bool) else value)
        except (TypeError, ValueError, OverflowError):
            parsed = float("nan")
        if not least <= parsed <= most:
            raise ValueError(f"write a number from {least:.15g} to {most:.15g}")
        return parsed

    return parse


def whole(least: int, most: int) -> Parser[int]:
    """A whole number within bounds."""

    def parse(value: Any) -> int:
        found = number(least, most)(value)
        if found != int(found):
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(found)

    return parse


def seconds(least: float, most: float) -> Parser[timedelta]:
    """A duration, written as a number of seconds."""
    return lambda value: timedelta(seconds=number(least, most)(value))


port = whole(1, 65535)
"""The number of a TCP port."""


def mail_sender(value: Any) -> str:
    """One e-mail address, alone or in angle brackets after a name."""
    sender = text(value)
    try:
        [(_, address)] = getaddresses([sender])
        validate_email(address)
    except (ValueError, ValidationError):
        raise ValueError("write one e-mail address such as segl@example.com or Segl <segl@example.com>") from None
    return sender


def one_of(*choices: str) -> Parser[str]:
    """One of these words."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"write {' or '.join(choices)}")
        return str(value)

    return parse


def many(parse: Parser[T], *, least: int = 0) -> Parser[tuple[T, ...]]:
    """A list with at least this many values."""

    def parse_all(value: Any) -> tuple[T, ...]:
        listed = [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value
        if not isinstance(listed, list):
            raise ValueError("write a list")
        if len(listed) < least:
            raise ValueError(f"write a list with at least {least} value{'s' if least > 1 else ''}")
        return tuple(parse(each) for each in listed)

    return parse_all


def path_in(folder: Path) -> Parser[Path]:
    """A path; a relative one starts at this folder."""
    return lambda value: folder / text(value)


def object_identifier(value: Any) -> ObjectIdentifier:
    """An object identifier, such as `2.16.578.1.26.1.3.2`."""
    try:
        return ObjectIdentifier(text(value))
    except ValueError:
        raise ValueError("write object identifiers such as 2.16.578.1.26.1.3.2") from None


def network(value: Any) -> Network:
    """An IP address or a network, such as `10.0.0.0/24`."""
    try:
        return ip_network(text(value))
    except ValueError:
        raise ValueError("write IP addresses or networks such as 127.0.0.1 or 10.0.0.0/24") from None


def address(value: Any) -> Address:
    """A host and a port, such as `127.0.0.1:8444` or `[::1]:8444`."""
    parts = _ADDRESS.fullmatch(value if isinstance(value, str) else "")
    if parts is None or not 0 < int(parts[3]) < 2**16:
        raise ValueError("write an address and a port such as 127.0.0.1:8444")
    return Address(host(parts[1] or parts[2]), int(parts[3]))


def web_url(*, schemes: Sequence[str], path: str) -> Parser[str]:
    """An absolute URL of one of these schemes with exactly this path; a trailing slash is dropped."""

    def parse(value: Any) -> str:
        url = text(value).rstrip("/")
        parts = _split(url)
        has_more = parts.query or parts.fragment or parts.username or any(each.isspace() for each in url)
        if parts.scheme not in schemes or not parts.hostname or parts.path != path or has_more:
            raise ValueError(
                f"write {' or '.join(f'{scheme}://HOST{path}' for scheme in schemes)}, with a :PORT if needed"
            )
        return url

    return parse


def secure_url(value: Any) -> str:
    """An absolute https URL; http only to this machine."""
    url = text(value)
    parts = _split(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in THIS_MACHINE)
    if not is_safe or not parts.hostname or parts.fragment or parts.username or any(each.isspace() for each in url):
        raise ValueError("write https://HOST/PATH; without TLS anyone on the network could read what is sent")
    return url


def document_store(value: Any) -> str:
    """A folder, or a bucket of an S3-compatible object store."""
    url = text(value)
    parts = _split(url)
    if "://" in url and (parts.scheme != "s3" or not parts.hostname or parts.query or parts.username or parts.port):
        raise ValueError("write a folder, or s3://BUCKET or s3://BUCKET/PREFIX with the keys in AWS_… variables")
    return url


def _split(url: str) -> SplitResult:
    """Return the parts of a URL, all empty if it is not valid."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # checked only when read
    except ValueError:
        return urlsplit("")
    return parts
