"""`segl sandbox` as a person starts it."""

import json
import signal
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from running_sandbox import SEGL, Sandbox, running_sandbox
from segl.sdk import ClientConfiguration, PortalClient


def refused(folder: Path, *options: str) -> str:
    """Return the error of a sandbox that cannot start."""
    command = [*SEGL, "sandbox", "--folder", str(folder), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 2
    assert ended.stdout == ""
    return ended.stderr


def test_it_says_where_everything_is_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "folder") as sandbox:
        sandbox.process.send_signal(signal.SIGINT)
        assert sandbox.process.wait(15) == 0

    said = (tmp_path / "folder.log").read_text()
    for place in (sandbox.ready["api_root"], sandbox.ready["web_root"], sandbox.outbox, "123456789 Nordvik kommune"):
        assert place in said
    assert "Traceback" not in said
    assert not sandbox.ready_file.exists()


def test_a_new_start_on_the_folder_keeps_keys_and_ports(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "folder") as first:
        pass
    with running_sandbox(tmp_path / "folder") as second:
        assert second.ready == first.ready
        with PortalClient(ClientConfiguration.sandbox(second.ready_file, "123456789")) as client:
            assert client.who_am_i() == "You are 123456789"


def test_a_folder_serves_one_sandbox_at_a_time(sandbox: Sandbox) -> None:
    assert "Another sandbox is already using the folder" in refused(sandbox.folder)
    assert json.loads(sandbox.ready_file.read_text()) == sandbox.ready


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} is in use" in refused(tmp_path / "folder", "--port", str(port))


@pytest.mark.parametrize("option", ["--port", "--web-port"])
def test_a_port_is_a_number_up_to_65535(tmp_path: Path, option: str) -> None:
    assert "65535" in refused(tmp_path / "folder", option, "65536")


def test_how_long_to_wait_after_an_empty_poll_can_be_chosen(tmp_path: Path) -> None:
    with (
        running_sandbox(tmp_path / "folder", "--poll-seconds", "40") as sandbox,
        PortalClient(ClientConfiguration.sandbox(sandbox.ready_file, "123456789")) as client,
    ):
        before = datetime.now(UTC)
        permitted = client.get_status_change().next_permitted_poll_time
        assert before <= permitted - timedelta(seconds=40) <= datetime.now(UTC)


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("mine")

    assert "The sandbox cannot use" in refused(tmp_path / "folder")
    assert (tmp_path / "folder").read_text() == "mine"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgre://someone@127.0.0.1/segl", "'postgre' is not supported"),
        ("postgresql://someone:secret@127.0.0.1:1/segl", "The database cannot be used"),
    ],
)
def test_a_database_that_cannot_be_used_is_reported_and_not_remembered(tmp_path: Path, url: str, said: str) -> None:
    with running_sandbox(tmp_path / "folder") as first:
        pass
    refusal = refused(tmp_path / "folder", "--database", url)
    assert said in refusal
    assert "?." not in refusal
    assert "secret" not in refusal
    assert "Traceback" not in refusal
    with running_sandbox(tmp_path / "folder") as second:
        assert second.ready == first.ready


def test_a_ready_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    assert "The ready file" in refused(tmp_path / "folder", "--ready-file", str(tmp_path / "mine" / "ready.json"))
    assert "Is a directory" in refused(tmp_path / "folder", "--ready-file", str(tmp_path))
    (tmp_path / "ready.json.part").mkdir()
    assert "Is a directory" in refused(tmp_path / "folder", "--ready-file", str(tmp_path / "ready.json"))
    assert "No such file" in refused(tmp_path / "folder", "--ready-file", "/proc/ready.json")
