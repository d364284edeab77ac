"""The ready file: what the sandbox may replace and remove, and which places it refuses."""

import json
import os
from pathlib import Path

import pytest

from segl.sandbox.errors import SandboxError
from segl.sandbox.ready_file import announcing

PLACES = {"api_root": "https://localhost:1/api", "outbox": "http://localhost:2/outbox"}


def test_it_exists_from_the_announcement_to_the_end(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with announcing(file, lambda _: None) as announce:
        assert not file.exists()
        announce(PLACES)
        assert json.loads(file.read_text()) == PLACES
    assert not file.exists()


def test_one_left_over_from_a_killed_sandbox_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    file.write_text(json.dumps(PLACES))
    with announcing(file, lambda _: None):
        assert not file.exists()


@pytest.mark.parametrize(
    "content", ["print('mine')", "[]", '{"api_root": "mine"}', "[" * 100_000, "\xff"], ids=range(5)
)
def test_a_file_of_the_users_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(SandboxError, match=r"mine\.py exists and is not a ready file"), announcing(file, print):
        pass
    assert file.read_bytes() == content.encode("latin-1")
    assert list(tmp_path.iterdir()) == [file]


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SandboxError, match="not a ready file"), announcing(tmp_path / "pipe", print):
        pass


@pytest.mark.parametrize("folder", [".", "/", ""])
def test_a_folder_without_a_name_is_refused(folder: str) -> None:
    with pytest.raises(SandboxError, match="Is a directory"), announcing(Path(folder), print):
        pass


def test_an_empty_file_is_replaced(tmp_path: Path) -> None:
    """As `mktemp` makes one."""
    file = tmp_path / "ready.json"
    file.touch()
    with announcing(file, lambda _: None) as announce:
        announce({"api_root": "https://127.0.0.1/api"})
        assert "api_root" in file.read_text()
