"""URLs from the service at which something can be done: values to store, and to give back to a client."""

from dataclasses import dataclass

from segl.core.type_checks import check_text


@dataclass(frozen=True, slots=True)
class _Reference:
    url: str

    def __post_init__(self) -> None:
        check_text("A reference's URL", self.url, write="what the service gave, as a text (str)")


class ConfirmationReference(_Reference):
    """Where a status change is confirmed."""

    __slots__ = ()


class CancellationReference(_Reference):
    """Where a job is cancelled."""

    __slots__ = ()


class DeleteDocumentsReference(_Reference):
    """Where a job's documents are deleted."""

    __slots__ = ()


class XadesReference(_Reference):
    """Where one signer's XAdES is found."""

    __slots__ = ()


class PadesReference(_Reference):
    """Where a job's signed PDF is found."""

    __slots__ = ()
