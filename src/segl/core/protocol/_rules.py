"""The schema's rules for single values: each checks or converts one, and names the element when broken."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import TypeVar, cast

from segl.core.errors import InvalidMessage
from segl.core.type_checks import check_kind
from segl.core.xml import NOT_XML, parse_date_time

URL_LENGTH = 500
LONG = 2**63
Word = TypeVar("Word", bound=StrEnum)


class _Listed(threading.local):
    """Where faults are listed in this thread, if they are."""

    faults: list[str] | None = None


_listed = _Listed()


@contextmanager
def listing() -> Iterator[list[str]]:
    """In the block, values that break a rule are kept and listed instead of refused, so that all faults are known."""
    faults: list[str] = []
    before, _listed.faults = _listed.faults, faults
    try:
        yield faults
    finally:
        _listed.faults = before


def refuse(sentence: str) -> None:
    """Raise `InvalidMessage`, or list the sentence where faults are listed."""
    if _listed.faults is None:
        raise InvalidMessage(sentence)
    _listed.faults.append(sentence)


def kind(
    name: str,
    value: object,
    kinds: type | tuple[type, ...],
    *,
    write: str,
    optional: bool = False,
    secret: bool = False,
) -> None:
    """A value made by a program is of one of these kinds, or absent when it is optional; `write` says how it is."""
    if value is not None or not optional:
        check_kind(name, value, kinds, write=write, error=InvalidMessage, secret=secret)


def text(name: str, value: str | None, *, least: int = 0, most: int | None = None) -> None:
    """A string that XML can carry, of so many characters. None is for what may be absent."""
    if value is None:
        return
    kind(name, value, str, write="a text (str)")
    if bad := re.search(NOT_XML, value):
        refuse(f"{name} has the character U+{ord(bad[0]):04X}, which XML cannot carry; remove it.")
    if len(value) < least:
        refuse(f"{name} is {len(value)} characters; it must be at least {least}.")
    if most is not None and len(value) > most:
        refuse(f"{name} is {len(value)} characters ({value[:40]!r}…); at most {most} are accepted.")


def digits(name: str, value: str, count: int, *, secret: bool = False) -> None:
    kind(name, value, str, write=f'its {count} digits as a text, "…"', secret=secret)
    if not re.fullmatch(rf"[0-9]{{{count}}}", value):
        shown = "the value given" if secret else repr(value)
        refuse(f"{name} must be exactly {count} digits; {shown} is not.")


def between(name: str, value: int | None, least: int, most: int) -> None:
    kind(name, value, int, write="a whole number (int)", optional=True)
    if value is not None and not least <= value <= most:
        refuse(f"{name} is {value}; it must be from {least} to {most}.")


def count(name: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        refuse(f"There are {number} {name}; there must be from {least} to {most}.")


def aware(name: str, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        refuse(f"{name} is {value}, without a time zone; give it one.")


# What cannot be read is None where faults are listed, whatever the type says: such a message is never acted on.


def word(name: str, value: str, words: type[Word]) -> Word:
    if value not in {*words}:
        refuse(f"{name} is {value[:80]!r}; it must be one of {', '.join(words)}.")
        return cast(Word, None)
    return words(value)


def integer(name: str, value: str) -> int:
    collapsed = value.strip(" \t\r\n")
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", collapsed):
        refuse(f"{name} is {value[:40]!r}; it must be a whole number.")
        return cast(int, None)
    return int(collapsed)


def date_time(name: str, value: str) -> datetime:
    """An xs:dateTime; without an offset it is Norwegian time, the time of those who send them."""
    try:
        return parse_date_time(value, without_offset="Europe/Oslo")
    except ValueError as error:
        fault = f"{name} {value[:40]!r} {error}."
    refuse(fault)
    return cast(datetime, None)
