"""The interface of eID providers: where to send the browser, and who logged in according to what it brings back.

EidError
  NoProviderError       no provider is configured
  LogInAbortedError     the person gave up at the eID
  LogInFailedError      the answer belongs to another log-in, is too old, or is not the provider's
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from segl.core.errors import SeglError
from segl.service.jobs.persons import Identity


class EidError(SeglError):
    """A log-in did not lead to an identity."""


class NoProviderError(EidError):
    """No eID provider is configured."""


class LogInAbortedError(EidError):
    """The person gave up at the eID."""


class LogInFailedError(EidError):
    """The answer cannot be trusted or is too old."""


@dataclass(frozen=True, slots=True)
class LogInRequest:
    """A pending log-in.

    `level` is the lowest security level accepted (3 or 4), `state` a secret of the session that the answer must
    contain, `return_url` the absolute URL to which the provider sends the browser back.
    """

    level: int
    state: str
    return_url: str


class EidProvider(Protocol):
    """An eID by redirection, in the shape of OpenID Connect's authorization code flow."""

    def begin(self, request: LogInRequest) -> str:
        """Return the URL to send the browser to."""
        ...

    def finish(self, request: LogInRequest, answer: Mapping[str, str]) -> Identity:
        """Return who logged in, from the parameters with which the browser came back; `state` has been compared.

        Raises:
            LogInAbortedError: The person gave up.
            LogInFailedError: The answer cannot be trusted or is too old.
        """
        ...


_current: EidProvider | None = None


def configure(provider: EidProvider) -> None:
    """Set this process's eID provider; called once at start."""
    global _current  # noqa: PLW0603 - one provider in one place
    _current = provider


def current() -> EidProvider:
    """The eID provider of this process.

    Raises:
        NoProviderError: No provider is configured.
    """
    if _current is None:
        raise NoProviderError("No eID provider is configured: nobody can log in.")
    return _current
