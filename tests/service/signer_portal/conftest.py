"""Browsers on an empty service. Its pages need one kind of database; the use cases behind them are tested on both."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from browsers import Browser


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """The URL of a fresh migrated SQLite database."""
    path = tmp_path / "database.sqlite3"
    shutil.copyfile(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def browser(store: str) -> Browser:
    """A browser on an empty service."""
    return Browser()


@pytest.fixture
def new_browser(store: str) -> Callable[[], Browser]:
    """One more browser per call."""
    return Browser
