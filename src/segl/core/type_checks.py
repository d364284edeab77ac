"""Refuses values of the wrong type where a program makes them, before they come to mean something else."""

import re

from segl.core.errors import InvalidInput
from segl.core.xml import NOT_XML


def check_kind(
    what: str,
    value: object,
    kinds: type | tuple[type, ...],
    *,
    write: str,
    error: type[InvalidInput] = InvalidInput,
    secret: bool = False,
) -> None:
    """Raise `error` unless the value is of one of the kinds: what it is instead, and what to write.

    A secret value is not shown, only its type. True and False are no numbers, though Python takes them for such.
    """
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        shown = "" if secret else f"{_short(value)}, "
        raise error(f"{what} is {shown}of type {type(value).__name__}; write {write}.")


def check_text(what: str, value: str, *, write: str) -> None:
    """Raise InvalidInput unless the value is a string that XML and URLs can carry."""
    check_kind(what, value, str, write=write)
    if bad := re.search(NOT_XML, value):
        raise InvalidInput(f"{what} has the character U+{ord(bad[0]):04X}, which cannot be sent; remove it.")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
