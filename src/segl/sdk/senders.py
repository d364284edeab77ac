"""Who sends: the organization, and the queue on which its jobs' status changes arrive."""

from dataclasses import dataclass, field

from segl.core.errors import InvalidInput
from segl.core.organizations import is_organization_number
from segl.core.type_checks import check_kind, check_text


@dataclass(frozen=True, slots=True)
class PollingQueue:
    """A queue of status changes; the empty name is the default queue."""

    name: str = ""

    def __post_init__(self) -> None:
        check_text("The polling queue's name", self.name, write="a text (str)")


@dataclass(frozen=True, slots=True)
class Sender:
    """The organization on whose behalf jobs are sent (9 digits), and the queue its status changes go to."""

    organization_number: str
    polling_queue: PollingQueue = field(default_factory=PollingQueue)

    def __post_init__(self) -> None:
        check_organization_number(self.organization_number)
        check_kind("Sender.polling_queue", self.polling_queue, PollingQueue, write='PollingQueue("…")')


def check_organization_number(number: str) -> None:
    check_kind("An organization number", number, str, write='its 9 digits as a text, "…"')
    if not is_organization_number(number):
        raise InvalidInput(f"An organization number is 9 digits; {number!r} is not.")
