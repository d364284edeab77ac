"""Messages that all flows have in common."""

from dataclasses import dataclass
from typing import ClassVar, Self

from lxml import etree

from segl.core.protocol import _rules
from segl.core.protocol._message import Message, Reader, add


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
