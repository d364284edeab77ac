"""What the messages of all flows have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self, TypeVar

from lxml import etree

from segl.core.protocol import _rules
from segl.core.protocol._message import Message, Reader, add

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ErrorMessage(Message):
    """Why a call failed. `type` is `CLIENT` or `SERVER`: whose fault it is."""

    tag: ClassVar[str] = "error"
    strict: ClassVar[bool] = False

    code: str
    message: str
    type: str

    def __post_init__(self) -> None:
        for name, value in (
            ("error-code", self.code),
            ("error-message", self.message),
            ("error-type", self.type),
        ):
            _rules.text(name, value)

    def _write(self, root: etree._Element) -> None:
        add(root, "error-code", self.code)
        add(root, "error-message", self.message)
        add(root, "error-type", self.type)

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        return cls(*(reader.text_of(name) for name in ("error-code", "error-message", "error-type")))


def check_job(job_id: int, reference: str | None, *urls: tuple[str, str | None]) -> None:
    """Check what every answer about a job carries; `urls` are names of elements and their values."""
    _rules.between("signature-job-id", job_id, -_rules.LONG, _rules.LONG - 1)
    _rules.text("reference", reference, most=50)
    for name, url in urls:
        _rules.text(name, url, most=_rules.URL_LENGTH)


def known_word(text: str, words: type[Word]) -> Word | str:
    """One of the words known today; the service may send new ones, which are kept as plain strings."""
    return words(text) if text in words.__members__ else text


def check_sender(number: str) -> None:
    _rules.digits("sender organization-number", number, 9)


def write_sender(root: etree._Element, number: str) -> None:
    add(add(root, "sender"), "organization-number", number)


def read_sender(reader: Reader) -> str:
    with reader.child("sender") as element:
        return element.text_of("organization-number")


def wrong_sender(named: str, number: str) -> Iterator[str]:
    """Says that a manifest names another sender than the URL it was sent to."""
    if named != number:
        yield f"The manifest names {named} as sender, the URL {number}: they must be the same."
