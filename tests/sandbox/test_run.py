"""What `segl sandbox` refuses before it starts anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segl.commands.main import app
from segl.sandbox.run import is_running


def refused(folder: Path, *options: str) -> str:
    """Return the error of a sandbox that cannot start."""
    result = CliRunner().invoke(app, ["sandbox", "--folder", str(folder), *options])
    assert (result.exit_code, result.stdout) == (2, "")
    assert not folder.exists()
    return result.stderr


def test_a_process_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    for process in (ended.pid, 10**12):
        said = refused(tmp_path / "folder", "--while-process", str(process))
        assert f"There is no process {process}" in said


@pytest.mark.parametrize("process", ["0", "-1"])
def test_a_group_of_processes_is_refused(tmp_path: Path, process: str) -> None:
    assert "--while-process" in refused(tmp_path / "folder", "--while-process", process)


def test_a_process_of_another_user_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(process: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", denied)
    assert is_running(1)


def test_both_listeners_cannot_have_one_port(tmp_path: Path) -> None:
    said = refused(tmp_path / "folder", "--port", "8443", "--web-port", "8443")
    assert "--port and --web-port must differ" in said
