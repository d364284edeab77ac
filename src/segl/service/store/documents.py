"""Documents at rest: immutable files in a folder or an object store, encrypted with a key per job under the master key.

Each is a sequence of AES-256-GCM chunks under a key of its own (HKDF of the job's key and its name in the store); the
nonce holds the chunk's number and whether it is the last, so that chunks can be neither swapped, dropped nor cut off
(the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár). Destroying a job's key erases its documents, in
backups too. They are written before the rows that refer to them; `sweep` removes those that never got a row.
"""

import hashlib
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import Error, IntegrityError, transaction
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from segl.core.errors import SeglError
from segl.service import clock, configuration
from segl.service.outages import OutageError
from segl.service.store.models import Document
from segl.service.store.transactions import write

if TYPE_CHECKING:
    from obstore.store import RetryConfig

logger = logging.getLogger(__name__)

CHUNK = 64 * 1024
# For an object store: one that is down is an error soon, not after the library's three minutes.
_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
LEAST_PART = 5 * 1024 * 1024
"""The least size in bytes of a part of an upload, by the rules of S3."""
_NEWEST = 10
_TAG = 16
_NONCE = 12
_KEY = 32


class StoreAwayError(OutageError):
    """The document store cannot be used for now."""


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
    """As `put_all`, for one document."""
    [stored] = put_all(key, [content])
    return stored


def put_all(key: JobKey, contents: Iterable[bytes | memoryview]) -> list[StoredDocument]:
    """Encrypt each of the contents and write it under a new name; all of them, or none.

    Raises:
        StoreAwayError: The store does not take them, or not whole.
    """
    stored: list[StoredDocument] = []
    try:
        for content in contents:
            name = secrets.token_hex(16)
            expected = _encrypted_size(len(content))
            with _using_store():
                size = _write(name, _encrypted(_document_key(key, name), content), expected)
            stored.append(StoredDocument(name, len(content), hashlib.sha256(content).digest()))
            _check_size(size, expected)
        with _using_store():
            _make_names_durable()
    except BaseException:
        discard(stored)
        raise
    return stored


def _write(name: str, chunks: Iterable[bytes], expected: int) -> int:
    """Write a document of the expected size (bytes), and return the size that the store says it has.

    When this returns, a file's content is on disk, its name perhaps not yet.
    """
    store = _store()
    if isinstance(store, LocalStore):
        return _write_file(Path(f"{store.prefix}/{name}"), chunks)
    # One request for a small document, where a multipart upload takes three. The store refuses a body without the
    # SHA-256 that is signed with the request; so it is enough, and no second transfer, to ask for the size it kept.
    body = chunks if expected > LEAST_PART else b"".join(chunks)
    obstore.put(store, name, body, chunk_size=LEAST_PART, max_concurrency=1)
    return obstore.head(store, name)["size"]


def _check_size(kept: int, expected: int) -> None:
    if kept != expected:
        raise StoreAwayError(f"the document store kept {kept} of {expected} bytes")


def _write_file(path: Path, chunks: Iterable[bytes]) -> int:
    # obstore has no fsync, and its own write took as long again as the fsync (measured, for a job of 22 KB). The file
    # is buffered, since an unbuffered one writes a part and raises nothing when the disk is full. To read it back would
    # show what the kernel was given, not what the disk has; the size is as good and costs next to nothing.
    try:
        with path.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size
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
        StoreAwayError: The store cannot be read.
    """
    return b"".join(stream(document))


def stream(document: Document) -> Iterator[bytes]:
    """The plaintext of a document, in chunks; the last one comes only if the SHA-256 of all is right.

    Raises:
        DocumentDamagedError: It is gone, or not what was stored.
        StoreAwayError: The store cannot be read.
    """
    return _checked(unwrap(bytes(document.job.wrapped_key)), document.stored_name, bytes(document.sha256))


def read_back(key: JobKey, stored: StoredDocument) -> bytes:
    """The plaintext of a document that has no row yet, read back from the store.

    Raises:
        DocumentDamagedError: It is gone, or not what was stored.
        StoreAwayError: The store cannot be read.
    """
    return b"".join(_checked(key, stored.name, stored.sha256))


def recorded(stored: StoredDocument) -> Document | None:
    """Return the row of a document, if there is one, after a transaction with it that got no answer to its COMMIT.

    The database may still be working on that transaction, and a SELECT would not see it. A second row of the same name
    waits until the first is written or given up.
    """
    try:
        with write():
            Document.objects.create(stored_name=stored.name, size=0, sha256=b"", job_id=0, number=0)
            transaction.set_rollback(True)
    except IntegrityError:
        return Document.objects.select_related("job").get(stored_name=stored.name)
    return None


def discard(stored: Iterable[StoredDocument]) -> None:
    """Remove documents whose rows were not written; what cannot be removed now is left to `sweep`.

    The rows are checked first: if the response to a commit was lost, there was an error although the rows exist.
    """
    try:
        remove(each.name for each in stored)
    except (Error, StoreAwayError) as error:
        logger.warning("Documents without rows are left to the next sweep: %s", type(error).__name__)


def remove(names: Iterable[str]) -> None:
    """Remove the documents with these names that no row refers to any more.

    Raises:
        StoreAwayError: The store cannot be reached.
    """
    if orphans := _without_row(set(names)):
        with _using_store():
            obstore.delete(_store(), orphans)


def probe() -> None:
    """Make sure that documents can be stored: write one and remove it again.

    Raises:
        StoreAwayError: What prevents it.
    """
    name, content = f"{secrets.token_hex(16)}-probe", b"probe"
    with _using_store():
        size = _write(name, [content], len(content))
        obstore.delete(_store(), name)
    _check_size(size, len(content))


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


def _encrypted_size(size: int) -> int:
    return size + _TAG * max(1, ceil(size / CHUNK))


def _fetched(name: str) -> Iterator[bytes]:
    with _using_store():
        try:
            found = obstore.get(_store(), name)
        except FileNotFoundError as error:
            if are_lost(newest()):
                raise StoreAwayError("the document store lacks the documents stored last") from error
            raise DocumentDamagedError(f"The stored document {name} is gone from the document store.") from error
        for chunk in found.stream(min_chunk_size=CHUNK + _TAG):
            yield bytes(chunk)


@contextmanager
def _using_store() -> Iterator[None]:
    """In the block, an error of the store or of the operating system is a StoreAwayError."""
    try:
        yield
    except (OSError, BaseError) as error:
        # The errors of obstore have many lines; the first says what is wrong.
        reason = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0]
        raise StoreAwayError(f"the document store failed ({reason})") from error
