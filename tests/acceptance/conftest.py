"""A running sandbox for the acceptance tests, started once."""

from collections.abc import Iterator

import pytest

from api_answers import held_against_schema
from running_sandbox import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """`segl sandbox` on a folder of its own, for the whole run."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox") / "folder") as running:
        yield running


@pytest.fixture(autouse=True)
def _valid_answers() -> Iterator[None]:
    with held_against_schema():
        yield
