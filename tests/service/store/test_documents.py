"""Documents at rest: what is stored comes back whole or not at all, from a folder and from S3."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import boto3
import obstore
import pytest
from moto.server import ThreadedMotoServer

from builders import create, stored_names
from configured import configured
from full_disks import files_of_at_most
from segl.service import clock
from segl.service.store import documents
from segl.service.store.documents import CHUNK, DocumentDamagedError, JobKey, StoreAwayError, StoredDocument
from segl.service.store.models import Document, DocumentKind

SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 1024 * 1024]
MONTH = timedelta(days=30)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Documents are stored in this empty bucket."""
    environment = {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-north-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    name = f"documents-{secrets.token_hex(4)}"
    client = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1")
    client.create_bucket(Bucket=name)
    with configured(documents=f"s3://{name}"):
        documents._store.cache_clear()
        yield name
    documents._store.cache_clear()


@pytest.fixture(params=["folder", "s3"])
def document_store(request: pytest.FixtureRequest) -> None:
    """Documents are stored in an empty folder and in an empty bucket in turn."""
    request.getfixturevalue({"folder": "document_folder", "s3": "bucket"}[request.param])


@pytest.fixture
def key() -> JobKey:
    return documents.new_key()


def rewrite(folder: Path, stored: StoredDocument, content: bytes) -> None:
    (folder / stored.name).write_bytes(content)


def raw(folder: Path, stored: StoredDocument) -> bytes:
    return (folder / stored.name).read_bytes()


@pytest.mark.usefixtures("document_store")
class TestBothStores:
    @pytest.mark.parametrize("size", SIZES)
    def test_what_is_put_comes_back(self, key: JobKey, size: int) -> None:
        content = secrets.token_bytes(size)
        stored = documents.put(key, content)
        assert stored == StoredDocument(stored.name, size, sha256(content).digest())
        assert documents.read_back(key, stored) == content

    def test_a_probe_leaves_nothing(self, key: JobKey) -> None:
        kept = documents.put(key, b"a document")
        documents.probe()
        assert stored_names() == {kept.name}

    def test_a_document_is_there_or_not(self, key: JobKey) -> None:
        assert documents._exists(documents.put(key, b"a document").name)
        assert not documents._exists("0" * 32)

    def test_the_largest_documents_come_back(self, key: JobKey) -> None:
        content = secrets.token_bytes(10 * 1024 * 1024)
        assert documents.read_back(key, documents.put(key, content)) == content

    def test_every_put_has_its_own_name(self, key: JobKey) -> None:
        assert documents.put(key, b"same").name != documents.put(key, b"same").name

    def test_what_is_discarded_is_gone_and_nothing_else(self, key: JobKey, sqlite: None) -> None:
        kept, *unwanted = (documents.put(key, b"content") for _ in range(3))
        documents.discard(unwanted)
        assert stored_names() == {kept.name}
        with pytest.raises(DocumentDamagedError, match="gone from the document store"):
            documents.read_back(key, unwanted[0])

    def test_discarding_nothing_does_nothing(self) -> None:
        documents.discard([])

    def test_a_document_that_never_existed_is_damaged(self, key: JobKey, sqlite: None) -> None:
        with pytest.raises(DocumentDamagedError, match="gone from the document store"):
            documents.read_back(key, StoredDocument("0" * 32, 0, b""))


@pytest.mark.parametrize("size", [CHUNK + 1, 10 * CHUNK])
def test_a_disk_that_fills_within_a_write_is_noticed(document_folder: Path, key: JobKey, size: int) -> None:
    """It takes a part, and the write that follows fails."""
    with files_of_at_most(CHUNK), pytest.raises(StoreAwayError, match="File too large"):
        documents.put(key, secrets.token_bytes(size))
    assert stored_names() == set()


def test_a_document_of_which_s3_keeps_a_part_is_noticed(
    bucket: str, key: JobKey, sqlite: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = obstore.put
    monkeypatch.setattr(obstore, "put", lambda store, name, body, **more: put(store, name, body[:-1], **more))
    with pytest.raises(StoreAwayError, match="kept 22015 of 22016 bytes"):
        documents.put_all(key, [secrets.token_bytes(22_000)])
    assert stored_names() == set()


def test_a_folder_that_is_away_is_no_damage(store: str, document_folder: Path, key: JobKey) -> None:
    job = create()
    document = Document.objects.get(job=job, kind=DocumentKind.ORIGINAL)
    document_folder.rename(document_folder.with_name("elsewhere"))
    for use in (lambda: documents.put(key, b"content"), documents.probe):
        with pytest.raises(StoreAwayError, match="No such file or directory"):
            use()
    assert not document_folder.exists()
    with pytest.raises(StoreAwayError, match="lacks the documents stored last"):
        documents.read(document)
    document_folder.with_name("elsewhere").rename(document_folder)
    assert documents.read(document)


def test_a_document_that_is_gone_while_others_are_there_is_damaged(store: str, document_folder: Path) -> None:
    document = Document.objects.get(job=create(), kind=DocumentKind.ORIGINAL)
    (document_folder / document.stored_name).unlink()
    with pytest.raises(DocumentDamagedError, match="gone from the document store"):
        documents.read(document)


def test_an_object_store_that_does_not_answer_is_away(
    bucket: str, key: JobKey, sqlite: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stored = documents.put(key, b"content")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # the port of "discard", which nobody serves
    monkeypatch.setattr(documents, "_RETRIES", {"max_retries": 0})
    documents._store.cache_clear()
    for use in (lambda: documents.put(key, b"content"), lambda: documents.read_back(key, stored)):
        with pytest.raises(StoreAwayError) as away:
            use()
        assert "127.0.0.1:9" in str(away.value)
        assert "\n" not in str(away.value)
    documents.discard([stored])
    assert "left to the next sweep" in caplog.text


@pytest.mark.parametrize("position", [0, 15, 16, CHUNK - 1, CHUNK + 15, CHUNK + 16, -1])
def test_a_changed_bit_is_refused(document_folder: Path, key: JobKey, position: int) -> None:
    stored = documents.put(key, secrets.token_bytes(2 * CHUNK))
    changed = bytearray(raw(document_folder, stored))
    changed[position] ^= 1
    rewrite(document_folder, stored, bytes(changed))
    with pytest.raises(DocumentDamagedError, match="changed or cut off"):
        documents.read_back(key, stored)


@pytest.mark.parametrize(
    "length", [0, 1, 15, 16, 17, CHUNK + 15, CHUNK + 16, CHUNK + 17, 2 * (CHUNK + 16), 2 * (CHUNK + 16) + 15]
)
def test_a_truncated_document_is_refused(document_folder: Path, key: JobKey, length: int) -> None:
    stored = documents.put(key, secrets.token_bytes(2 * CHUNK + 100))
    rewrite(document_folder, stored, raw(document_folder, stored)[:length])
    with pytest.raises(DocumentDamagedError, match="changed or cut off"):
        documents.read_back(key, stored)


@pytest.mark.parametrize("more", [b"\0", secrets.token_bytes(CHUNK + 16)])
def test_a_document_with_bytes_added_is_refused(document_folder: Path, key: JobKey, more: bytes) -> None:
    stored = documents.put(key, secrets.token_bytes(2 * CHUNK))
    rewrite(document_folder, stored, raw(document_folder, stored) + more)
    with pytest.raises(DocumentDamagedError):
        documents.read_back(key, stored)


def test_a_blob_and_its_name_are_on_the_disk_when_put_returns(
    document_folder: Path, key: JobKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: written.append(Path(f"/proc/self/fd/{descriptor}").resolve()))
    stored = documents.put(key, b"content")
    assert written == [document_folder / stored.name, document_folder]


def test_swapped_chunks_are_refused(document_folder: Path, key: JobKey) -> None:
    stored = documents.put(key, secrets.token_bytes(3 * CHUNK))
    size = CHUNK + 16
    encrypted = raw(document_folder, stored)
    rewrite(document_folder, stored, encrypted[size : 2 * size] + encrypted[:size] + encrypted[2 * size :])
    with pytest.raises(DocumentDamagedError, match="changed or cut off"):
        documents.read_back(key, stored)


def test_exchanged_documents_of_one_job_are_refused(document_folder: Path, key: JobKey) -> None:
    one, two = documents.put(key, b"I pay you 100"), documents.put(key, b"You pay me 100")
    rewrite(document_folder, one, raw(document_folder, two))
    with pytest.raises(DocumentDamagedError, match="changed or cut off"):
        documents.read_back(key, one)


def test_the_bytes_of_another_document_under_its_own_name_are_refused(document_folder: Path, key: JobKey) -> None:
    """As when a row is made to refer to another document: the digest shows it."""
    one, two = documents.put(key, b"I pay you 100"), documents.put(key, b"You pay me 100")
    with pytest.raises(DocumentDamagedError, match="SHA-256"):
        documents.read_back(key, replace(one, name=two.name))


def test_another_jobs_key_opens_nothing(document_folder: Path, key: JobKey) -> None:
    stored = documents.put(key, b"secret")
    with pytest.raises(DocumentDamagedError):
        documents.read_back(documents.new_key(), stored)


def test_nothing_stored_can_be_read_without_the_key(document_folder: Path, key: JobKey) -> None:
    stored = documents.put(key, b"A very secret sentence. " * 10000)
    assert b"secret" not in raw(document_folder, stored)


def test_a_jobs_key_needs_the_master_key(key: JobKey) -> None:
    assert documents.unwrap(key.wrapped) == key
    with configured(master_key=bytes(32)), pytest.raises(DocumentDamagedError, match="master key"):
        documents.unwrap(key.wrapped)


@pytest.mark.parametrize("wrapped", [b"", b"short", bytes(60)])
def test_what_is_not_a_wrapped_key_is_damaged(wrapped: bytes) -> None:
    with pytest.raises(DocumentDamagedError):
        documents.unwrap(wrapped)


def test_the_repr_of_a_key_hides_it(key: JobKey) -> None:
    assert repr(key) == "JobKey(…)"


def test_the_last_chunk_comes_only_if_the_digest_is_right(document_folder: Path, key: JobKey) -> None:
    content = secrets.token_bytes(3 * CHUNK)
    stored = replace(documents.put(key, content), sha256=bytes(32))
    given = bytearray()
    with pytest.raises(DocumentDamagedError, match="SHA-256"):
        for chunk in documents._checked(key, stored.name, stored.sha256):
            given += chunk
    assert given == content[: 2 * CHUNK]


def test_a_document_streams_in_bounded_chunks(store: str) -> None:
    content = secrets.token_bytes(1024 * 1024)
    job = create(contents=[content])
    document = Document.objects.get(job=job, kind=DocumentKind.ORIGINAL)
    chunks = list(documents.stream(document))
    assert b"".join(chunks) == content == documents.read(document)
    assert {len(each) for each in chunks} == {CHUNK}


def test_a_sweep_removes_old_documents_without_a_row_only(store: str, document_folder: Path) -> None:
    job = create()
    key = documents.unwrap(bytes(job.wrapped_key))
    named = stored_names()
    old, fresh = documents.put(key, b"left by a crash"), documents.put(key, b"its row is being written")
    for name in (old.name, *named):
        os.utime(document_folder / name, (0, 0))
    now = clock.wall().timestamp()  # files may have another clock
    os.utime(document_folder / fresh.name, (now, now))
    assert documents.sweep() == 1
    assert stored_names() == named | {fresh.name}
    assert documents.sweep(-MONTH) == 1
    assert stored_names() == named


def test_a_sweep_works_through_many_documents(document_folder: Path, sqlite: None) -> None:
    key = documents.new_key()
    documents.put(key, b"")
    for number in range(1100):
        (document_folder / f"{number:032}").touch()
    assert documents.sweep(-MONTH) == 1101
    assert stored_names() == set()


def test_a_prefix_in_a_bucket_is_a_separate_store(bucket: str, sqlite: None) -> None:
    key = documents.new_key()
    documents.put(key, b"beside the prefix")
    with configured(documents=f"s3://{bucket}/jobs"):
        documents._store.cache_clear()
        stored = documents.put(key, b"below the prefix")
        assert documents.read_back(key, stored) == b"below the prefix"
        assert stored_names() == {stored.name}
    documents._store.cache_clear()


def test_a_sweep_removes_from_s3_too(bucket: str, sqlite: None) -> None:
    documents.put(documents.new_key(), b"left by a crash")
    assert documents.sweep() == 0
    assert documents.sweep(-MONTH) == 1
    assert stored_names() == set()


def test_what_has_a_row_is_never_discarded(store: str) -> None:
    """After a commit whose response was lost, the error alone does not show that the job exists."""
    job = create()
    document = Document.objects.get(job=job, kind=DocumentKind.ORIGINAL)
    documents.discard([StoredDocument(document.stored_name, document.size, bytes(document.sha256))])
    assert documents.read(document)
