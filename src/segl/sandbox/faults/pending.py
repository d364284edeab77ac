"""Faults on request: what will go wrong in a sandbox, and how often.

They are kept in a file in the sandbox's folder, because its processes share nothing else that is for tests.
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
    """A call of the API: for which sender, and which one (of `Calls`, or "other")."""

    organization: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that will go wrong.

    fault:
        What it is.
    times:
        How often it will still happen. None: until it is taken back.
    calls, organization:
        The calls of the API it applies to; organization: the sender's number, None: any.
    seconds:
        How long a slow response is delayed.
    """

    fault: Kind
    times: int | None = None
    calls: Calls = "any"
    organization: str | None = None
    seconds: float | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def requested(cls, given: object) -> "Fault":
        """Return the fault described by a JSON value.

        Raises:
            InvalidInput: It does not describe a fault; the message says what to write.
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

    def applies_to(self, call: Call) -> bool:
        """Whether it can happen to this call of the API."""
        return (
            self.fault in get_args(ApiFault)
            and self.calls in {"any", call.name}
            and self.organization in {None, call.organization}
        )


def _check(wanted: Mapping[str, Any]) -> None:
    if wanted.get("fault") not in get_args(Kind):
        raise InvalidInput(f'"fault" must be one of {_quoted(get_args(Kind))}.')
    if not _is_number(wanted.get("times", 1), int) or wanted.get("times", 1) < 1:
        raise InvalidInput('"times" must be a whole number of at least 1.')
    if wanted.get("calls", "any") not in get_args(Calls):
        raise InvalidInput(f'"calls" must be one of {_quoted(get_args(Calls))}.')
    organization = wanted.get("organization", "0" * 9)
    if not is_organization_number(organization):
        raise InvalidInput('"organization" must be the sender\'s organization number: 9 digits in quotation marks.')
    seconds = wanted.get("seconds", 1)
    if not _is_number(seconds, (int, float)) or not 0 < seconds <= LONGEST_SECONDS:
        raise InvalidInput(f'"seconds" must be a number greater than 0 and at most {LONGEST_SECONDS}.')
    _check_fitting(wanted)


def _check_fitting(wanted: Mapping[str, Any]) -> None:
    """Refuse members that mean nothing for this kind of fault."""
    kind = wanted["fault"]
    if kind in get_args(OtherFault) and (of_calls := wanted.keys() - {"fault", "times"}):
        raise InvalidInput(f'"{kind}" does not apply to calls of the API: leave out {_quoted(sorted(of_calls))}.')
    if kind in get_args(PollFault) and wanted.get("calls", "any") not in {"any", "poll"}:
        raise InvalidInput(f'"{kind}" applies only to polls: leave out "calls".')
    if (kind == "slow") is not ("seconds" in wanted):
        raise InvalidInput('"slow" needs "seconds", the delay of the response; no other fault has them.')


def _is_number(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _quoted(names: Any) -> str:
    return ", ".join(f'"{each}"' for each in names)


class Faults:
    """The pending faults of the sandbox with this folder, the oldest first."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faults.json"
        self._lock = folder / "faults.lock"

    def pending(self) -> list[Fault]:
        """Return all of them."""
        try:
            return [Fault(**each) for each in json.loads(self._file.read_bytes())]
        except FileNotFoundError:
            return []

    def add(self, fault: Fault) -> None:
        """Add a fault, to happen after those requested before it."""
        with self._changed() as pending:
            pending.append(fault)

    def take_back(self, fault_id: str | None = None) -> None:
        """Remove this fault, or all without an id."""
        with self._changed() as pending:
            pending[:] = [each for each in pending if fault_id not in {None, each.id}]

    def use(self, fits: Callable[[Fault], bool]) -> Fault | None:
        """Return the oldest fault that fits and count it as happened once more; None if no fault fits."""
        if not any(map(fits, self.pending())):  # nearly always, and then nothing waits for the lock
            return None
        with self._changed() as pending:
            fault = next(filter(fits, pending), None)
            if fault and fault.times:
                left = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                at = pending.index(fault)
                pending[at : at + 1] = left
        return fault

    def happens(self, kind: OtherFault) -> bool:
        """Whether this fault outside the API happens now; if so, it counts as happened once more."""
        return self.use(lambda each: each.fault == kind) is not None

    @contextmanager
    def _changed(self) -> Iterator[list[Fault]]:
        """Yield the pending faults, to be changed in the block; other threads and processes wait meanwhile."""
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.pending()
            yield (pending := [*before])
            if not pending:
                self._file.unlink(missing_ok=True)
            elif pending != before:
                write_atomically(self._file, json.dumps([asdict(each) for each in pending]).encode())
