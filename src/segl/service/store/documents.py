"""Documents at rest: immutable files in a folder or an object store, encrypted with a key per job under the master key.

Each is a sequence of AES-256-GCM chunks under a key of its own (HKDF of the job's key and its name in the store); the
nonce holds the chunk's number and whether it is the last, so that chunks can be neither swapped, dropped nor cut off
(the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár). Destroying a job's key erases its documents, in
backups too. They are written before the rows that refer to them; `sweep` removes those that never got a row.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from obstore.store import LocalStore, from_url

from segl.core.errors import SeglError
from segl.service import clock, configuration
from segl.service.store.models import Document

if TYPE_CHECKING:
    from obstore.store import RetryConfig

CHUNK = 64 * 1024
# For an object store: one that is down is an error soon, not after the library's three minutes.
_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
LEAST_PART = 5 * 1024 * 1024
"""The least size in bytes of a part of an upload, by the rules of S3."""
_NEWEST = 10
_TAG = 16
_NONCE = 12
_KEY = 32


class DocumentDamagedError(SeglError):
    """The document store returned something other than what was stored."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that was written: its name in the store, and size (bytes) and SHA-256 of the plaintext."""

    name: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class JobKey:
    """The key of one job's documents; `wrapped` is what may be stored."""

    wrapped: bytes
    key: bytes

    def __repr__(self) -> str:
        return "JobKey(…)"


def new_key() -> JobKey:
    """A fresh key for a job."""
    key = AESGCM.generate_key(bit_length=_KEY * 8)
    nonce = secrets.token_bytes(_NONCE)
    return JobKey(nonce + AESGCM(configuration.current().master_key).encrypt(nonce, key, b"job key"), key)


def unwrap(wrapped: bytes) -> JobKey:
    """The key of a job from its stored form.

    Raises:
        DocumentDamagedError: It was not wrapped under the configured master key.
    """
    try:
        key = AESGCM(configuration.current().master_key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], b"job key")
    except (InvalidTag, ValueError) as error:  # ValueError: cut off within the nonce
        raise DocumentDamagedError("A job's key cannot be decrypted with the configured master key.") from error
    return JobKey(wrapped, key)


def put(key: JobKey, content: bytes | memoryview) -> StoredDocument:
    """Encrypt `content` and write it under a new name."""
    [stored] = put_all(key, [content])
    return stored


def put_all(key: JobKey, contents: Iterable[bytes | memoryview]) -> list[StoredDocument]:
    """Encrypt each of the contents and write it under a new name; all of them, or none."""
    stored: list[StoredDocument] = []
    try:
        for content in contents:
            name = secrets.token_hex(16)
            _write(name, _encrypted(_document_key(key, name), content))
            stored.append(StoredDocument(name, len(content), hashlib.sha256(content).digest()))
        _make_names_durable()
    except BaseException:
        remove(each.name for each in stored)
        raise
    return stored


def _write(name: str, chunks: Iterable[bytes]) -> None:
    """Write a document; when this returns, a file's content is on disk, its name perhaps not yet."""
    store = _store()
    if not isinstance(store, LocalStore):
        obstore.put(store, name, chunks, chunk_size=LEAST_PART, max_concurrency=1)
        return
    # obstore has no fsync, and its own write took as long again as the fsync (measured, for a job of 22 KB).
    path = Path(f"{store.prefix}/{name}")
    try:
        with path.open("xb", buffering=0) as file:
            for chunk in chunks:
                file.write(chunk)
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _make_names_durable() -> None:
    """In a folder: flush the names of its files to disk before rows refer to them, so that a power cut loses none."""
    store = _store()
    if isinstance(store, LocalStore):
        descriptor = os.open(str(store.prefix), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(document: Document) -> bytes:
    """The whole plaintext of a document.

    Raises:
        DocumentDamagedError: It is gone, or not what was stored.
    """
    return b"".join(stream(document))


def stream(document: Document) -> Iterator[bytes]:
    """The plaintext of a document, in chunks; the last one comes only if the SHA-256 of all is right.

    Raises:
        DocumentDamagedError: It is gone, or not what was stored.
    """
    return _checked(unwrap(bytes(document.job.wrapped_key)), document.stored_name, bytes(document.sha256))


def read_back(key: JobKey, stored: StoredDocument) -> bytes:
    """The plaintext of a document that has no row yet, read back from the store.

    Raises:
        DocumentDamagedError: It is gone, or not what was stored.
    """
    return b"".join(_checked(key, stored.name, stored.sha256))


def discard(stored: Iterable[StoredDocument]) -> None:
    """Remove documents whose rows were not written.

    The rows are checked first: if the response to a commit was lost, there was an error although the rows exist.
    """
    remove(each.name for each in stored)


def remove(names: Iterable[str]) -> None:
    """Remove the documents with these names that no row refers to any more."""
    if orphans := _without_row(set(names)):
        obstore.delete(_store(), orphans)


def probe() -> None:
    """Make sure that documents can be stored: write one and remove it again, or raise what prevents it."""
    name = f"{secrets.token_hex(16)}-probe"
    obstore.put(_store(), name, b"probe")
    obstore.delete(_store(), name)


def newest() -> Sequence[Document]:
    """The few documents stored last, which show whether the store and the master key are still the same."""
    return list(Document.objects.select_related("job").order_by("-pk")[:_NEWEST])


def are_lost(rows: Sequence[Document]) -> bool:
    """Whether the store has none of these, although rows still refer to them."""
    keys = [each.pk for each in rows if not _exists(each.stored_name)]
    return bool(keys) and len(keys) == len(rows) and Document.objects.filter(pk__in=keys).exists()


def _exists(name: str) -> bool:
    try:
        obstore.head(_store(), name)
    except FileNotFoundError:
        return False
    return True


def sweep(grace: timedelta = timedelta(days=1)) -> int:
    """Remove documents older than `grace` that no row refers to, as a crash leaves them; return how many."""
    before = clock.shared() - grace  # The store's own clock is not this machine's either.
    removed = 0
    for listed in obstore.list(_store(), chunk_size=1000):
        orphans = _without_row({each["path"] for each in listed if each["last_modified"] < before})
        if orphans:
            obstore.delete(_store(), orphans)
        removed += len(orphans)
    return removed


def _without_row(names: set[str]) -> list[str]:
    return sorted(
        names.difference(Document.objects.filter(stored_name__in=names).values_list("stored_name", flat=True))
    )


def _checked(key: JobKey, name: str, sha256: bytes) -> Iterator[bytes]:
    digest = hashlib.sha256()
    pending = b""
    for chunk in _decrypted(_document_key(key, name), _fetched(name)):
        digest.update(chunk)
        if pending:
            yield pending
        pending = chunk
    if not secrets.compare_digest(digest.digest(), sha256):
        raise DocumentDamagedError(f"The stored document {name} does not have the SHA-256 that was recorded for it.")
    yield pending


@cache
def _store() -> Any:
    url = configuration.current().documents
    if "://" in url:
        return from_url(url, retry_config=_RETRIES)
    return LocalStore(configuration.current().folder / url, mkdir=True)


def _document_key(key: JobKey, name: str) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), _KEY, salt=None, info=name.encode()).derive(key.key))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NONCE - 1) + bytes([last])


def _encrypted(key: AESGCM, content: bytes | memoryview) -> Iterator[bytes]:
    view = memoryview(content)
    for number, start in enumerate(range(0, max(len(view), 1), CHUNK)):
        last = start + CHUNK >= len(view)
        yield key.encrypt(_nonce(number, last=last), view[start : start + CHUNK], None)


def _decrypted(key: AESGCM, encrypted: Iterator[bytes]) -> Iterator[bytes]:
    pending = b""
    try:
        for number in count():
            while len(pending) <= CHUNK + _TAG and (more := next(encrypted, b"")):
                pending += more
            chunk, pending = pending[: CHUNK + _TAG], pending[CHUNK + _TAG :]
            yield key.decrypt(_nonce(number, last=not pending), chunk, None)
            if not pending:
                return
    except InvalidTag as error:
        raise DocumentDamagedError("A stored document was changed or cut off.") from error


def _fetched(name: str) -> Iterator[bytes]:
    try:
        for chunk in obstore.get(_store(), name).stream(min_chunk_size=CHUNK + _TAG):
            yield bytes(chunk)
    except FileNotFoundError as error:
        raise DocumentDamagedError(f"The stored document {name} is gone from the document store.") from error
