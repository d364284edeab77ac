"""Refuses values of the wrong type where a program makes them, before they come to mean something else."""

from segl.core.errors import InvalidInput


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

    A secret value is not shown, only its type.
    """
    if not isinstance(value, kinds):
        shown = "" if secret else f"{_short(value)}, "
        raise error(f"{what} is {shown}of type {type(value).__name__}; write {write}.")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
