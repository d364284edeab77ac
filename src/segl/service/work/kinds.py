"""Every kind of work: the rows that ask for it, the function that does it, and its lane. Add new kinds here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from segl.service.store.models import Channel, Due, Lookup, Notification, Sealing, Signing
from segl.service.work.look_up import look_up
from segl.service.work.notify import notify
from segl.service.work.seal import seal
from segl.service.work.sign import sign


@dataclass(frozen=True, eq=False)
class Lane:
    """The number of threads a worker has for some kinds: work that waits for a server delays no other lane."""

    parallel: int


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of work: `do` is called with a claimed row of `model` whose columns have the values in `only`."""

    model: type[Due]
    do: Callable[[Any], None]
    lane: Lane
    only: Mapping[str, Any] = field(default_factory=dict)


MAIN, MAIL, TEXT_MESSAGES, LOOKUPS = Lane(2), Lane(2), Lane(1), Lane(1)

KINDS = (
    Kind(Signing, sign, MAIN),
    Kind(Sealing, seal, MAIN),
    Kind(Notification, notify, MAIL, {"channel": Channel.EMAIL}),
    Kind(Notification, notify, TEXT_MESSAGES, {"channel": Channel.SMS}),
    Kind(Lookup, look_up, LOOKUPS),
)
"""A worker looks for them in this order."""

LANES = tuple(dict.fromkeys(each.lane for each in KINDS))

WORK = {each.model: each.do for each in KINDS}
"""By model."""
