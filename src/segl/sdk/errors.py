"""What can go wrong between a client and the service, as one tree.

SeglError                            (segl.core.errors)
├── InvalidInput                     (segl.core.errors) found here, before anything is sent: correct what it names
└── ClientError
    ├── NotAvailableError            the job or signature does not have it (yet): wait for a later status change
    ├── ForeignUrlError              a URL outside the service; nothing was sent to it
    ├── NoAnswerError                connection lost, time-out: did the service act? poll, or ask again
    │   ├── NotReachedError          nothing was sent: try again later; check network and proxy
    │   ├── UntrustedServerError     not the server that was expected; nothing was sent: check the Environment
    │   └── ClientCertificateError   the server did not accept our certificate: check it
    └── UnexpectedResponseError      an answer that refuses, or cannot be understood: its message says what to do
        ├── BrokerNotAuthorizedError the certificate's organization may not act for the sender: have it authorized
        ├── JobNotCancellableError   too late to cancel: the job has ended
        ├── TooEagerPollingError     polled before the permitted time: wait until then
        └── RateLimitedError         too many calls a second: wait half a minute, then call less often
"""

from datetime import UTC, datetime, timedelta

from segl.core.errors import InvalidInput, SeglError
from segl.core.protocol import ErrorMessage

__all__ = [
    "BrokerNotAuthorizedError",
    "ClientCertificateError",
    "ClientError",
    "ForeignUrlError",
    "InvalidInput",
    "JobNotCancellableError",
    "NoAnswerError",
    "NotAvailableError",
    "NotReachedError",
    "RateLimitedError",
    "SeglError",
    "TooEagerPollingError",
    "UnexpectedResponseError",
    "UntrustedServerError",
]


class ClientError(SeglError):
    """The client could not do what was asked."""


class NotAvailableError(ClientError):
    """The job or signature does not have (yet) what was asked for."""


class ForeignUrlError(ClientError):
    """A URL outside the configured API root: nothing was sent to it."""


class NoAnswerError(ClientError):
    """No usable answer came back. Whether the service acted on the request is unknown."""


class NotReachedError(NoAnswerError):
    """There was no connection to the service. No request was sent."""


class UntrustedServerError(NoAnswerError):
    """The server is not the organization we mean to talk to. No request was sent."""


class ClientCertificateError(NoAnswerError):
    """The server ended the TLS connection because of our certificate."""


class UnexpectedResponseError(ClientError):
    """The service answered, but not with what was asked for.

    `status` is the HTTP status; `code`, `message` and `error_type` (`CLIENT` or `SERVER`) are those of the service's
    error document; `request_id` identifies the request in the service's log. Each is None if the service sent none.
    """

    def __init__(
        self, sentence: str, *, status: int, error: ErrorMessage | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(f"{sentence} (request {request_id})" if request_id else sentence)
        self.status = status
        self.code = error.code if error else None
        self.message = error.message if error else None
        self.error_type = error.type if error else None
        self.request_id = request_id


class BrokerNotAuthorizedError(UnexpectedResponseError):
    """The organization of the client certificate is not authorized to act for the sender."""


class JobNotCancellableError(UnexpectedResponseError):
    """The job has ended already, so it cannot be cancelled."""


class TooEagerPollingError(UnexpectedResponseError):
    """Polled too early; `next_permitted_poll_time` (aware) says when to try again, on the service's clock."""

    def __init__(
        self,
        next_permitted_poll_time: datetime,
        error: ErrorMessage | None,
        *,
        clock_lead: timedelta = timedelta(),
        request_id: str | None = None,
    ) -> None:
        super().__init__(
            f"Polled too early; the next poll is permitted at {next_permitted_poll_time.isoformat()}.",
            status=429,
            error=error,
            request_id=request_id,
        )
        self.next_permitted_poll_time = next_permitted_poll_time
        self._clock_lead = clock_lead

    @property
    def seconds_until_next_poll(self) -> float:
        """How long to wait before the next poll, from now; 0 when it is permitted already."""
        return seconds_until(self.next_permitted_poll_time, clock_lead=self._clock_lead)


class RateLimitedError(UnexpectedResponseError):
    """More calls a second than the service allows; the sender is blocked for a while (30 s)."""


def seconds_until(moment: datetime, *, clock_lead: timedelta) -> float:
    """Return the seconds from now to a moment on the service's clock, `clock_lead` ahead of ours; 0 if it is past."""
    return max(0.0, (moment - datetime.now(UTC) - clock_lead).total_seconds())
