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
from segl.sdk.exchange import BINARY, XML, Operation, Request, Response, require, sent
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

    def posted(self, package: Sequence[bytes], idempotency_key: str | None) -> Request:
        """Return the HTTP request with this package; with a key it is safe to repeat, as only one job is created."""
        content_type, content = _multipart(self.request.to_xml(), package)
        headers = {"Accept": XML, "Content-Type": content_type}
        if idempotency_key:
            headers["Idempotency-Key"] = f'"{idempotency_key}"'
        return Request("POST", self.url, headers, content=content, repeatable=idempotency_key is not None)


def manifest_documents(documents: Sequence[Document]) -> tuple[ManifestDocument, ...]:
    """Return the documents as a manifest names them."""
    return tuple(
        ManifestDocument(document.title, name, document.file_type.value)
        for name, document in zip(file_names(documents), documents, strict=True)
    )


def created(
    build: Callable[[datetime], Request], retries: int, pace: Pace | None, *, same: bool
) -> Operation[Response]:
    """Send the request that `build` makes for a signing time; return the answer that the job was created.

    It is signed again if its signature was too old on arrival. With `same`, a repetition sends the same bytes.
    """
    for _ in range(retries + 1):
        signed = _Signed(build, same=same)
        response = yield from sent(signed, retries, pace)
        if response.status != 400 or signed.age < _FRESH:
            break
        # It waited for a connection, or was repeated, until its signature was too old: no job was created.
    require(response, 200)
    return response


class _Signed:
    """Builds the request of a creation, signed now: for each attempt, or with `same` only once."""

    def __init__(self, build: Callable[[datetime], Request], *, same: bool) -> None:
        self._build, self._same = build, same
        self._signed_at = datetime.now(UTC)
        self._built: Request | None = None

    def __call__(self) -> Request:
        if self._built is None or not self._same:
            self._signed_at = datetime.now(UTC)
            self._built = self._build(self._signed_at)
        return self._built

    @property
    def age(self) -> timedelta:
        """The age of the signature that was sent last."""
        return datetime.now(UTC) - self._signed_at


def _multipart(request: bytes, package: Sequence[bytes]) -> tuple[str, list[bytes]]:
    """Return the content type and the body's pieces of a create request: multipart/mixed (RFC 2046)."""
    boundary = secrets.token_hex(16)
    first, second = (f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() for kind in (XML, BINARY))
    last = f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/mixed; boundary={boundary}", [first, request, b"\r\n", second, *package, last]
