"""How a job of any flow is created: its documents in a package signed when it is sent, and the request around it."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from segl.core.errors import InvalidDocument
from segl.core.keys import SigningKey
from segl.core.protocol import MOST_DOCUMENT_BYTES, ManifestDocument, Message
from segl.sdk.documents import Document, file_names
from segl.sdk.errors import ClientCertificateError, NoAnswerError, NotReachedError, UntrustedServerError
from segl.sdk.exchange import (
    BINARY,
    PASSING,
    XML,
    Operation,
    Request,
    Response,
    Wait,
    backoff,
    error_code,
    refusal,
    require,
    retry_after,
    sent,
)
from segl.sdk.pacing import Pace

_FRESH = timedelta(seconds=4)
"""The age up to which a package's signature is accepted; the service says 5 s."""


class Manifest(Protocol):
    """What the package says about the job, in any flow."""

    @property
    def documents(self) -> Sequence[ManifestDocument]: ...

    def to_xml(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Creation:
    """A job as it is sent to `url`; `job` is the program's value."""

    job: Any
    url: str
    request: Message
    manifest: Manifest
    documents: Sequence[Document]

    def package(self, key: SigningKey, signing_time: datetime) -> list[bytes]:
        """Return the pieces of the signed document package."""
        from segl.core.asice import PackageFile, build_pieces  # a program that sends no jobs never loads it

        files = [
            PackageFile(entry.href, entry.media_type, document.read())
            for entry, document in zip(self.manifest.documents, self.documents, strict=True)
        ]
        if (size := sum(len(each.content) for each in files)) > MOST_DOCUMENT_BYTES:
            raise InvalidDocument(
                f"The documents are {size} bytes together; at most {MOST_DOCUMENT_BYTES} are accepted."
            )
        return build_pieces(manifest=self.manifest.to_xml(), documents=files, key=key, signing_time=signing_time)

    def posted(self, package: Sequence[bytes], idempotency_key: str | None, wait: float | None) -> Request:
        """Return the HTTP request with this package; with a key it is safe to repeat, as only one job is created."""
        content_type, content = _multipart(self.request.to_xml(), package)
        headers = {"Accept": XML, "Content-Type": content_type}
        if idempotency_key:
            headers["Idempotency-Key"] = f'"{idempotency_key}"'
        return Request("POST", self.url, headers, content, wait, repeatable=idempotency_key is not None)


def manifest_documents(documents: Sequence[Document]) -> tuple[ManifestDocument, ...]:
    """Return the documents as a manifest names them."""
    return tuple(
        ManifestDocument(document.title, name, document.file_type.value)
        for name, document in zip(file_names(documents), documents, strict=True)
    )


Build = Callable[[datetime, str | None], Request]
"""Makes the request of a creation, signed at this time, with this Idempotency-Key or without one."""


def created(build: Build, retries: int, pace: Pace | None, *, keeps_keys: bool) -> Operation[Response]:
    """Send the request of a creation, up to `retries` times again; return the answer that the job was created.

    A request that may have created the job is repeated as it is, if the service keeps keys, and never signed again:
    that would be another job. If the matter stays open, this raises what left it open, and no later answer.
    """
    tries = _Tries(build, keeps_keys=keeps_keys)
    for attempt in range(retries + 1):
        pause = backoff(attempt)
        try:
            response: Response = yield from sent(tries.request, 0, pace)
        except NoAnswerError as error:
            goes_on = tries.unanswered(error)
        else:
            if tries.is_final(response):
                require(response, 200)
                return response
            goes_on = tries.answered(response)
            pause = max(pause, retry_after(response)) if response.status in PASSING else 0
        if not goes_on:
            break
        if pause and attempt < retries:
            yield Wait(pause)
    raise tries.failure()


class _Tries:
    """The tries of a creation: what is sent next, and whether an earlier one may have created the job."""

    def __init__(self, build: Build, *, keeps_keys: bool) -> None:
        self._build, self._keeps_keys = build, keeps_keys
        self._signed: Request | None = None
        self._signed_at = datetime.now(UTC)
        self._lost: NoAnswerError | Response | None = None
        """The outcome of a try that may be under way or have created the job."""
        self._busy: Response | None = None
        """The service's own answer to a try that it is not at work on; it knows whether that created the job."""
        self._last: NoAnswerError | Response = NotReachedError("Nothing was sent.")

    def request(self) -> Request:
        """Return the next request, signed now unless it is to be the same as before."""
        if self._signed is None:
            self._signed_at = datetime.now(UTC)
            self._signed = self._build(self._signed_at, secrets.token_urlsafe(16) if self._keeps_keys else None)
        return self._signed

    def is_final(self, response: Response) -> bool:
        """Whether an answer decides the matter: the job is created, or refused."""
        is_passing = response.status in PASSING and self._keeps_keys
        is_blocked = response.status == 429 and self._lost is not None
        return not (is_passing or is_blocked or self._is_too_old(response))

    def answered(self, response: Response) -> bool:
        """Take note of an answer that is not final; return whether there is a next try."""
        self._last = response
        if self._is_too_old(response) and not self._lost:
            self._signed = None  # No try created the job: the service would have given it, or said that it is busy.
        elif response.status not in PASSING:
            return False
        elif error_code(response) == "SERVICE_UNAVAILABLE":
            self._busy = response
        else:  # such as a gateway's answer, which does not wait any longer
            self._lost = self._lost or response
        return True

    def unanswered(self, error: NoAnswerError) -> bool:
        """Take note that no answer came; return whether there is a next try."""
        self._last = error
        if isinstance(error, UntrustedServerError | ClientCertificateError):
            return False
        if not isinstance(error, NotReachedError):
            self._lost = error
            return self._keeps_keys
        if not (self._lost or self._busy):
            self._signed = None
        return True

    def failure(self) -> Exception:
        """Return the error that says what is known after the last try."""
        outcome = self._lost or self._busy or self._last
        return refusal(outcome) if isinstance(outcome, Response) else outcome

    def _is_too_old(self, response: Response) -> bool:
        """Whether the answer is that the signature was too old on arrival, as the service says of any wrong time."""
        age = datetime.now(UTC) - self._signed_at
        return response.status == 400 and age >= _FRESH and error_code(response) == "ASICE_VALIDATION_FAILED"


def _multipart(request: bytes, package: Sequence[bytes]) -> tuple[str, list[bytes]]:
    """Return the content type and the body's pieces of a create request: multipart/mixed (RFC 2046)."""
    boundary = secrets.token_hex(16)
    first, second = (f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() for kind in (XML, BINARY))
    last = f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/mixed; boundary={boundary}", [first, request, b"\r\n", second, *package, last]
