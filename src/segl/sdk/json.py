"""The SDK's values as JSON: to store a job, a change or a reference, and use it later or in another process.

Each value is an object that names its type: `{"type": "XadesReference", "url": "https://…"}`.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from segl.core import protocol
from segl.core.errors import InvalidInput
from segl.sdk import documents, references, senders
from segl.sdk.portal import changes, jobs

T = TypeVar("T")


def to_json(value: object) -> str:
    """Return a value of the SDK as JSON: a job, signer, document, sender, change, signature, reference, receipt.

    A document from a path is stored as the path, one from bytes with its content. It contains identity numbers: protect
    it accordingly. Raises InvalidInput for anything else than a value of the SDK.
    """
    return json.dumps(_plain(value), ensure_ascii=False)


def from_json(text: str, kind: type[T]) -> T:
    """Return the value that was stored; raise InvalidInput if it is not of this kind."""
    try:
        value = json.loads(text, object_hook=_value)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"This JSON was not written by to_json: {error}.") from None
    if not isinstance(value, kind):
        raise InvalidInput(f"This JSON is for a {type(value).__name__}, not for a {kind.__name__}.")
    return value


def _kinds(module: Any) -> dict[str, type]:
    found = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    return {name: value for name, value in found.items() if is_dataclass(value) or issubclass(value, StrEnum)}


_MODULES = (protocol, documents, references, senders, jobs, changes)
_VALUES = {name: kind for module in _MODULES for name, kind in _kinds(module).items()}

# Types that JSON lacks: the type, its name in JSON, how it is written and read.
_OTHERS: tuple[tuple[type, str, Callable[[Any], object], Callable[[Any], object]], ...] = (
    (datetime, "datetime", datetime.isoformat, datetime.fromisoformat),
    (timedelta, "seconds", timedelta.total_seconds, lambda seconds: timedelta(seconds=seconds)),
    (bytes, "base64", lambda content: b64encode(content).decode(), b64decode),
)
_READ = {name: read for _, name, _, read in _OTHERS}


def _plain(value: object) -> Any:
    name = type(value).__name__
    if _VALUES.get(name) is type(value):
        return {"type": name} | _content(value)
    for kind, json_name, write, _ in _OTHERS:
        if isinstance(value, kind):
            return {"type": json_name, "value": write(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise InvalidInput(f"A {name} cannot be stored as JSON; give a value of segl.sdk.")


def _content(value: Any) -> dict[str, Any]:
    if isinstance(value, StrEnum):
        return {"value": value.value}
    return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}


def _value(found: dict[str, Any]) -> object:
    name = found.pop("type")
    if name in _READ:
        return _READ[name](found["value"])
    kind = _VALUES[name]
    if issubclass(kind, StrEnum):
        return kind(found["value"])
    return kind(**{key: tuple(each) if isinstance(each, list) else each for key, each in found.items()})
