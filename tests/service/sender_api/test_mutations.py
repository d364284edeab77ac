"""Requests that are almost right, and garbage: never a failure of the service, and nothing left behind by a refusal."""

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_answers import error
from builders import everything, manifest
from configured import configured
from pdfs import pdf
from segl.core import asice
from segl.core.asice import PackageFile
from segl.core.keys import PrivateKey
from segl.core.protocol import PortalJobRequest
from segl.service import clock

PUBLIC = "123456789"
JOBS = f"/api/{PUBLIC}/portal/signature-jobs"
MULTIPART = "multipart/mixed; boundary=0123456789"
CONTRACT = pdf("Avtale")
Change = Callable[[random.Random, bytes], bytes]


def flipped(chosen: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chosen.choice([1, 1, 1, 8])):
        changed[chosen.randrange(len(changed))] ^= 1 << chosen.randrange(8)
    return bytes(changed)


def cut(chosen: random.Random, data: bytes) -> bytes:
    at = chosen.randrange(len(data))
    return data[:at] + data[at + chosen.choice([1, 4, 100]) :]


def doubled(chosen: random.Random, data: bytes) -> bytes:
    start = chosen.randrange(len(data))
    end = start + chosen.choice([1, 16, 400])
    return data[:end] + data[start:end] + data[end:]


def inserted(chosen: random.Random, data: bytes) -> bytes:
    at = chosen.randrange(len(data))
    return data[:at] + chosen.choice([b"\0", b"<", b"&", b"\xff\xfe", b"PK\x05\x06", b"--0123456789\r\n"]) + data[at:]


def moved(chosen: random.Random, data: bytes) -> bytes:
    """Two of its lines or elements have changed places."""
    parts = data.split(b">") if b"<" in data[:10] else data.split(b"\n")
    one, other = chosen.randrange(len(parts)), chosen.randrange(len(parts))
    parts[one], parts[other] = parts[other], parts[one]
    return (b">" if b"<" in data[:10] else b"\n").join(parts)


@pytest.fixture(autouse=True)
def no_limit() -> Iterator[None]:
    """As many calls a second as there are."""
    with configured(calls_per_second=0):
        yield


CHANGES: list[Change] = [flipped, cut, doubled, inserted, moved]


def sent(key: PrivateKey, change: Change, where: str, chosen: random.Random) -> bytes:
    """A create request with one part changed: what is signed is changed before it is signed."""

    def maybe(part: str, data: bytes) -> bytes:
        return change(chosen, data) if part == where else data

    package = asice.build(
        manifest=maybe("manifest", manifest().to_xml()),
        documents=[PackageFile("0001_dokument.pdf", "application/pdf", maybe("document", CONTRACT))],
        key=key,
        signing_time=clock.wall(),
    )
    whole = (
        b"--0123456789\r\nContent-Type: application/xml\r\n\r\n"
        + maybe("request", PortalJobRequest("ref").to_xml())
        + b"\r\n--0123456789\r\nContent-Type: application/octet-stream\r\n\r\n"
        + maybe("package", package)
        + b"\r\n--0123456789--\r\n"
    )
    return maybe("body", whole)


BOUNDED = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40
)
PARTS = ["request", "manifest", "document", "package", "body"]


@pytest.mark.parametrize("where", PARTS)
@given(change=st.sampled_from(CHANGES), seed=st.integers(0, 2**32))
@BOUNDED
def test_a_changed_request_is_accepted_or_refused_and_never_fails(
    api: Any, keys: dict[str, PrivateKey], where: str, change: Change, seed: int
) -> None:
    before = everything()
    answer = api.post(JOBS, sent(keys[PUBLIC], change, where, random.Random(seed)), MULTIPART)
    if answer.status_code != 200:
        assert error(answer)[0] in {400, 403, 413}
        assert everything() == before


@given(
    garbage=st.binary(max_size=2000),
    content_type=st.sampled_from([MULTIPART, "", "multipart/mixed", "text/xml", "multipart/mixed; boundary=\xe6"]),
)
@BOUNDED
def test_garbage_is_refused(api: Any, garbage: bytes, content_type: str) -> None:
    before = everything()
    assert error(api.post(JOBS, garbage, content_type))[0] == 400
    assert everything() == before


def test_no_temporary_file_stays(
    api: Any, keys: dict[str, PrivateKey], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    chosen = random.Random(2)
    for change in CHANGES:
        api.post(JOBS, sent(keys[PUBLIC], change, "package", chosen), MULTIPART)
    assert list((tmp_path / "temporary").iterdir()) == []
