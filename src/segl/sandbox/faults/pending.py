"""Faults on request: what is to go wrong in a sandbox, and how often it still is to.

They stand in a file of the sandbox's folder, because its processes share nothing else that is for tests.
"""

import fcntl
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from segl.core.errors import InvalidInput
from segl.core.organizations import is_organization_number
from segl.sandbox.files import write_atomically

PollFault = Literal["too-eager", "duplicate"]
ApiFault = Literal["rate-limited", "500", "503", "slow", "drop-before", "drop-after", PollFault]
OtherFault = Literal["mail-down", "sms-down", "register-down", "eid-down"]
Kind = Literal[ApiFault, OtherFault]
Calls = Literal["any", "create", "poll", "confirm", "cancel", "delete", "xades", "pades"]

LONGEST_SECONDS = 600
_FIELDS = ("fault", "times", "calls", "organization", "seconds")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the API: for which sender, and what it asks for (one of `Calls`, or "other")."""

    organization: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is to go wrong; the name of what it is stands in `fault`.

    times:
        How often it is still to happen. None: until it is taken back.
    calls, organization:
        The calls of the API that it befalls; organization: the sender's number, None: any.
    seconds:
        For how long a slow answer is held back.
    """

    fault: Kind
    times: int | None = None
    calls: Calls = "any"
    organization: str | None = None
    seconds: float | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def requested(cls, given: object) -> "Fault":
        """The fault that a JSON value asks for.

        Raises:
            InvalidInput: It asks for none; the message says what to write.
        """
        if not isinstance(given, dict):
            raise InvalidInput('A fault is a JSON object, such as {"fault": "503", "times": 2}.')
        if unknown := given.keys() - {*_FIELDS}:
            raise InvalidInput(f"A fault has no {_quoted(sorted(unknown))}: it may have {_quoted(_FIELDS)}.")
        wanted = {name: value for name, value in given.items() if value is not None}
        _check(wanted)
        if wanted["fault"] in get_args(ApiFault):
            wanted.setdefault("times", 1)
        if wanted["fault"] in get_args(PollFault):
            wanted["calls"] = "poll"
        return cls(**wanted)

    def befalls(self, call: Call) -> bool:
        """Whether this call of the API may be the one."""
        return (
            self.fault in get_args(ApiFault)
            and self.calls in {"any", call.name}
            and self.organization in {None, call.organization}
        )


def _check(wanted: Mapping[str, Any]) -> None:
    if wanted.get("fault") not in get_args(Kind):
        raise InvalidInput(f'"fault" has to be one of {_quoted(get_args(Kind))}.')
    if not _is_number(wanted.get("times", 1), int) or wanted.get("times", 1) < 1:
        raise InvalidInput('"times" has to be a whole number of at least 1.')
    if wanted.get("calls", "any") not in get_args(Calls):
        raise InvalidInput(f'"calls" has to be one of {_quoted(get_args(Calls))}.')
    organization = wanted.get("organization", "0" * 9)
    if not is_organization_number(organization):
        raise InvalidInput('"organization" has to be the sender\'s organization number: 9 digits in quotation marks.')
    seconds = wanted.get("seconds", 1)
    if not _is_number(seconds, (int, float)) or not 0 < seconds <= LONGEST_SECONDS:
        raise InvalidInput(f'"seconds" has to be a number over 0 and at most {LONGEST_SECONDS}.')
    _check_fitting(wanted)


def _check_fitting(wanted: Mapping[str, Any]) -> None:
    """What is given must mean something for this kind of fault."""
    kind = wanted["fault"]
    if kind in get_args(OtherFault) and (of_calls := wanted.keys() - {"fault", "times"}):
        raise InvalidInput(f'"{kind}" befalls no calls of the API: leave out {_quoted(sorted(of_calls))}.')
    if kind in get_args(PollFault) and wanted.get("calls", "any") not in {"any", "poll"}:
        raise InvalidInput(f'"{kind}" befalls polls alone: leave out "calls".')
    if (kind == "slow") is not ("seconds" in wanted):
        raise InvalidInput('"slow" needs "seconds", for which the answer is held back; no other fault has them.')


def _is_number(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _quoted(names: Any) -> str:
    return ", ".join(f'"{each}"' for each in names)


class Faults:
    """The faults that are to come in the sandbox with this folder, the oldest first."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faults.json"
        self._lock = folder / "faults.lock"

    def pending(self) -> list[Fault]:
        """All of them."""
        try:
            return [Fault(**each) for each in json.loads(self._file.read_bytes())]
        except FileNotFoundError:
            return []

    def add(self, fault: Fault) -> None:
        """Have it happen, after those that were asked for before."""
        with self._changed() as pending:
            pending.append(fault)

    def take_back(self, fault_id: str | None = None) -> None:
        """Have this one happen no more; without a name, none."""
        with self._changed() as pending:
            pending[:] = [each for each in pending if fault_id not in {None, each.id}]

    def use(self, fits: Callable[[Fault], bool]) -> Fault | None:
        """The oldest fault that fits, which so has happened once more; None if there is none."""
        if not any(map(fits, self.pending())):  # as nearly always: then nobody waits for the lock
            return None
        with self._changed() as pending:
            fault = next(filter(fits, pending), None)
            if fault and fault.times:
                left = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                at = pending.index(fault)
                pending[at : at + 1] = left
        return fault

    def happens(self, kind: OtherFault) -> bool:
        """Whether this fault is to happen now, beside the API; if so, it has happened once more."""
        return self.use(lambda each: each.fault == kind) is not None

    @contextmanager
    def _changed(self) -> Iterator[list[Fault]]:
        """The pending faults, to be changed in the block; other threads and processes wait meanwhile."""
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.pending()
            yield (pending := [*before])
            if not pending:
                self._file.unlink(missing_ok=True)
            elif pending != before:
                write_atomically(self._file, json.dumps([asdict(each) for each in pending]).encode())
