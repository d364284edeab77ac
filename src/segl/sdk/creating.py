"""How a job of any flow is created: its documents in a package signed at that moment, and the request around it."""

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
"""How old a package's signature may be to be taken; the service says 5 s."""


class Manifest(Protocol):
    """What the package says of the job, in whichever flow."""

    @property
    def documents(self) -> Sequence[ManifestDocument]: ...

    def to_xml(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Creation:
    """A job as it is sent to `url`; `job` is what the program gave."""

    job: Any
    url: str
    request: Message
    manifest: Manifest
    documents: Sequence[Document]

    def package(self, key: SigningKey, signing_time: datetime) -> list[bytes]:
        """The pieces of the signed document package."""
        from segl.core.asice import PackageFile, build_pieces  # a program that sends no jobs does without

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
        """The HTTP request with this package; safe to repeat under a key, which makes one job of all."""
        content_type, content = _multipart(self.request.to_xml(), package)
        headers = {"Accept": XML, "Content-Type": content_type}
        if idempotency_key:
            headers["Idempotency-Key"] = f'"{idempotency_key}"'
        return Request("POST", self.url, headers, content=content, repeatable=idempotency_key is not None)


def manifest_documents(documents: Sequence[Document]) -> tuple[ManifestDocument, ...]:
    """The documents as a manifest names them."""
    return tuple(
        ManifestDocument(document.title, name, document.file_type.value)
        for name, document in zip(file_names(documents), documents, strict=True)
    )


def created(
    build: Callable[[datetime], Request], retries: int, pace: Pace | None, *, same: bool
) -> Operation[Response]:
    """The answer that a job was created of what `build` signs at a time.

    It is signed again when its signature was too old on arrival. With `same`, a repeated request is the same one.
    """
    for _ in range(retries + 1):
        signed = _Signed(build, same=same)
        response = yield from sent(signed, retries, pace)
        if response.status != 400 or signed.age < _FRESH:
            break
        # Waited for a connection, or was repeated, until its signature was too old: so no job was made of it.
    require(response, 200)
    return response


class _Signed:
    """Builds the request of a creation, signed now: anew each time, or once where a repeated one has to be the same."""

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
        """Of the signature that was sent last."""
        return datetime.now(UTC) - self._signed_at


def _multipart(request: bytes, package: Sequence[bytes]) -> tuple[str, list[bytes]]:
    """The content type and the body's pieces of a create request: multipart/mixed (RFC 2046)."""
    boundary = secrets.token_hex(16)
    first, second = (f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() for kind in (XML, BINARY))
    last = f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/mixed; boundary={boundary}", [first, request, b"\r\n", second, *package, last]
