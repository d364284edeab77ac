"""Reads settings by name from a TOML table and the environment, and gathers everything that is wrong with them.

The setting `host` of the table `[mail]` is `SEGL_MAIL_HOST` in the environment, which wins. In the environment a list
is written with commas. Relative paths count from the folder of the file.
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

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from segl.core.errors import SeglError
from segl.service.configuration import Address, Network

T = TypeVar("T")
Parser = Callable[[Any], T]
"""Makes a setting's value of what was written; a `ValueError` says what to write instead."""

REQUIRED: Any = object()
"""The default of a setting that has none."""

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
"""The hosts that are reached without a network."""

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})")
_CONFIG_FILE = "SEGL_CONFIG"


class ConfigurationError(SeglError):
    """A setting is missing or wrong; the message names it and the fix. Each of several stands on a line of its own."""


def gathered(problems: Sequence[str]) -> None:
    """Tell all at once, so that nobody mends them one start at a time.

    Raises:
        ConfigurationError: There are any.
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
    """The names of all variables that are settings."""


class Table:
    """A table of settings, which are taken out of it by name."""

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
        """Where relative paths count from."""
        return self._source.folder

    def take(self, name: str, parse: Parser[T], default: Any = REQUIRED, *, secret: bool = False) -> T:
        """The value of a setting. What is wrong with it is remembered for `check`; then the value must not be used.

        A default is written as in the file, or None for nothing. The value of a secret is not repeated in messages.
        """
        self._known.add(name)
        told, given = f"The setting `{self._prefix}{name}`", self._values.get(name, default)
        variable = "" if self._of_array else f"SEGL_{self._prefix}{name}".replace(".", "_").upper()
        self._source.variables.add(variable)
        if variable in self._source.environment:
            told, given = f"The environment variable {variable}", self._source.environment[variable]
        if given is REQUIRED:
            self.refuse(
                f"{told} is missing: write it into the configuration file{variable and f', or set {variable}'}."
            )
        elif given is not None:
            try:
                return parse(given)
            except ValueError as error:
                self.refuse(f"{told} {'cannot be used' if secret else f'is {given!r}'}: {error}.")
        return cast(T, None)

    def optional(self, name: str, parse: Parser[T]) -> T | None:
        """The value of a setting that may be left out."""
        return self.take(name, parse, default=None)

    def table(self, name: str) -> "Table":
        """A table within; an empty one when it is not there, since its settings may be in the environment."""
        return self._within(name, self._nested(name, {}))

    def tables(self, name: str) -> "list[Table]":
        """The tables of an array, `[[name]]`. They cannot be set in the environment."""
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
        """Remember that something is wrong."""
        self._source.problems.append(problem)

    def check(self) -> None:
        """Tell everything that is wrong, settings that nobody has taken among it; after all were taken.

        Raises:
            ConfigurationError: Something is.
        """
        for table in self._source.tables:
            table.check_known()
        variables = self._source.variables
        for name in sorted(self._source.environment.keys() - variables):
            if name.startswith("SEGL_"):
                self.refuse(f"The environment variable {name} is no setting{_meant(name, variables)}")
        gathered(self._source.problems)

    def check_known(self) -> None:
        """Refuse what stands in this table and nobody has taken."""
        for name in sorted(self._values.keys() - self._known):
            self.refuse(f"The setting `{self._prefix}{name}` is unknown{_meant(name, self._known)}")


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else ": remove it."


def text(value: Any) -> str:
    """Any text but an empty one."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a text")
    if "\0" in value:
        raise ValueError("write a text without NUL characters")
    return value


def line(most: int) -> Parser[str]:
    """One line of text with at most so many characters."""

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
        name.encode("idna")  # as everything that looks it up does
    except UnicodeError:
        raise ValueError("write a host whose name has 1 to 63 characters between its dots") from None
    return name


def flag(value: Any) -> bool:
    """True or false."""
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValueError("write true or false")


def number(least: float, most: float) -> Parser[float]:
    """A number within these bounds, which are allowed."""

    def parse(value: Any) -> float:
        try:
            parsed = float("" if isinstance(value, bool) else value)
        except (TypeError, ValueError, OverflowError):
            parsed = float("nan")
        if not least <= parsed <= most:
            raise ValueError(f"write a number from {least:g} to {most:g}")
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
    """A list with at least so many values."""

    def parse_all(value: Any) -> tuple[T, ...]:
        listed = [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value
        if not isinstance(listed, list):
            raise ValueError("write a list")
        if len(listed) < least:
            raise ValueError(f"write a list with {least} or more values")
        return tuple(parse(each) for each in listed)

    return parse_all


def path_in(folder: Path) -> Parser[Path]:
    """A path; a relative one counts from this folder."""
    return lambda value: folder / text(value)


def network(value: Any) -> Network:
    """An IP address or a network, as `10.0.0.0/24`."""
    try:
        return ip_network(text(value))
    except ValueError:
        raise ValueError("write IP addresses or networks such as 127.0.0.1 or 10.0.0.0/24") from None


def address(value: Any) -> Address:
    """A host and a port, as `127.0.0.1:8444` or `[::1]:8444`."""
    parts = _ADDRESS.fullmatch(value if isinstance(value, str) else "")
    if parts is None or not 0 < int(parts[3]) < 2**16:
        raise ValueError("write an address and a port such as 127.0.0.1:8444")
    return Address(host(parts[1] or parts[2]), int(parts[3]))


def web_url(*, schemes: Sequence[str], path: str) -> Parser[str]:
    """An absolute URL of one of these schemes with exactly this path; a slash at its end is dropped."""

    def parse(value: Any) -> str:
        url = text(value).rstrip("/")
        parts = _split(url)
        wrong = parts.query or parts.fragment or parts.username or any(each.isspace() for each in url)
        if parts.scheme not in schemes or not parts.hostname or parts.path != path or wrong:
            raise ValueError(
                f"write {' or '.join(f'{scheme}://HOST{path}' for scheme in schemes)}, with a :PORT if need be"
            )
        return url

    return parse


def secure_url(value: Any) -> str:
    """An absolute URL over TLS; over plain HTTP to this machine alone."""
    url = text(value)
    parts = _split(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in THIS_MACHINE)
    if not is_safe or not parts.hostname or parts.fragment or parts.username or any(each.isspace() for each in url):
        raise ValueError("write https://HOST/PATH; without TLS everyone on the way could read what is sent")
    return url


def document_store(value: Any) -> str:
    """A folder, or a bucket of an object store that speaks S3."""
    url = text(value)
    parts = _split(url)
    if "://" in url and (parts.scheme != "s3" or not parts.hostname or parts.query or parts.username or parts.port):
        raise ValueError("write a folder, or s3://BUCKET or s3://BUCKET/PREFIX with the keys in AWS_… variables")
    return url


def _split(url: str) -> SplitResult:
    """The parts of a URL; those of nothing when it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # is looked at only now
    except ValueError:
        return urlsplit("")
    return parts
