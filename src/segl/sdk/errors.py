"""What can go wrong between a client and the service, as one tree.

SeglError                            (segl.core.errors)
├── InvalidInput                     (segl.core.errors) found here, before anything is sent
└── ClientError
    ├── NotAvailableError            the job or signature does not have it (yet)
    ├── ForeignUrlError              a URL outside the service; nothing was sent to it
    ├── NoAnswerError                not reached, connection lost, time-out: did the service act?
    │   ├── UntrustedServerError     the server is somebody else; nothing was sent
    │   └── ClientCertificateError   the server did not accept our certificate
    └── UnexpectedResponseError      an answer that says no, or that cannot be understood
        ├── BrokerNotAuthorizedError the certificate's organization may not act for the sender
        ├── TooEagerPollingError     polled before the permitted time
        └── RateLimitedError         too many calls a second; blocked for a while
"""

from datetime import datetime

from segl.core.errors import SeglError
from segl.core.protocol import ErrorMessage


class ClientError(SeglError):
    """The client could not do what was asked."""


class NotAvailableError(ClientError):
    """The job or signature does not have (yet) what was asked for."""


class ForeignUrlError(ClientError):
    """A URL outside the configured API root: nothing was sent to it."""


class NoAnswerError(ClientError):
    """No usable answer came back. Whether the service acted on the request is unknown."""


class UntrustedServerError(NoAnswerError):
    """The server is not the organization we mean to talk to. No request was sent."""


class ClientCertificateError(NoAnswerError):
    """The server ended the TLS connection because of our certificate."""


class UnexpectedResponseError(ClientError):
    """The service answered, but not with what was asked for.

    `status` is the HTTP status; `code`, `message` and `error_type` (`CLIENT` or `SERVER`) are those of
    the service's error document, or None where it sent none.
    """

    def __init__(self, sentence: str, *, status: int, error: ErrorMessage | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = error.code if error else None
        self.message = error.message if error else None
        self.error_type = error.type if error else None


class BrokerNotAuthorizedError(UnexpectedResponseError):
    """The organization of the client certificate is not authorized to act for the sender."""


class TooEagerPollingError(UnexpectedResponseError):
    """Polled too early; `next_permitted_poll_time` (aware) says when to try again."""

    def __init__(self, next_permitted_poll_time: datetime, error: ErrorMessage | None) -> None:
        super().__init__(
            f"Polled too early; the next poll is permitted at {next_permitted_poll_time.isoformat()}.",
            status=429,
            error=error,
        )
        self.next_permitted_poll_time = next_permitted_poll_time


class RateLimitedError(UnexpectedResponseError):
    """More calls a second than the service allows; the sender is blocked for a while (30 s)."""
