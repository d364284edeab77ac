"""Requests that are almost right, and garbage: never a failure of the service, and nothing left behind by a refusal."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_answers import error
from builders import everything
from configured import configured
from mutations import CHANGES, MULTIPART, PARTS, Change, sent
from segl.core.keys import PrivateKey

PUBLIC = "123456789"
JOBS = f"/api/{PUBLIC}/portal/signature-jobs"


@pytest.fixture(autouse=True)
def no_limit() -> Iterator[None]:
    """As many calls a second as there are."""
    with configured(calls_per_second=0):
        yield


BOUNDED = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40
)


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
