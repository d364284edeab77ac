"""The embedded service as a process: it starts, keeps its state, survives, and ends with everything it started."""

import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from running_sandbox import ROOT, Sandbox, running_sandbox
from segl.sdk import (
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    FileType,
    Job,
    PortalClient,
    Signer,
    Timeouts,
)

CONTRACT = ROOT / "demo" / "contract.pdf"
PUBLIC = "123456789"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "folder"


def create(sandbox: Sandbox, timeouts: Timeouts = Timeouts()) -> int:  # noqa: B008 - frozen
    job = Job(
        Document("Contract", "Please sign.", FileType.PDF, CONTRACT),
        [Signer(ContactInformation(email=Email("ola@example.com")))],
    )
    configuration = ClientConfiguration.sandbox(sandbox.ready_file, PUBLIC)
    with PortalClient(replace(configuration, timeouts=timeouts)) as client:
        return client.create(job).signature_job_id


def mails(sandbox: Sandbox) -> list[str]:
    answer = httpx.get(sandbox.outbox, headers={"Accept": "application/json"}, trust_env=False)
    return [mail["to"] for mail in answer.raise_for_status().json()]


def wait_for_mail(sandbox: Sandbox, address: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while address not in mails(sandbox):
        assert time.monotonic() < end, f"no mail to {address} in {seconds} s"
        time.sleep(0.05)


def children(process: "subprocess.Popen[bytes]") -> set[int]:
    """Every process that the sandbox started, directly or not."""
    found, parents = set(), [process.pid]
    while parents:
        listed = Path(f"/proc/{parents.pop()}/task")
        for task in listed.glob("*/children"):
            parents += [int(each) for each in task.read_text().split() if int(each) not in found]
        found.update(parents)
    return found


def test_the_ready_file_says_where_everything_is(sandbox: Sandbox) -> None:
    ready = sandbox.ready
    assert set(ready) == {
        "api_root",
        "web_root",
        "outbox",
        "new_organizations",
        "contact_register",
        "faults",
        "server",
        "organizations",
    }
    assert ready["server"]["organization_number"] == "984661185"
    assert {each["sector"] for each in ready["organizations"]} == {"public", "private"}
    [public] = [each for each in ready["organizations"] if each["number"] == PUBLIC]
    assert public["sector"] == "public"
    for each in ready["organizations"]:
        assert set(each) == {
            "number", "name", "sector", "broker_for", "pkcs12", "password", "certificate", "private_key"
        }  # fmt: skip
        for file in ("pkcs12", "certificate", "private_key"):
            assert Path(each[file]).is_file()


def test_every_organization_can_call(sandbox: Sandbox) -> None:
    for each in sandbox.ready["organizations"]:
        with PortalClient(ClientConfiguration.sandbox(sandbox.ready_file, each["number"])) as client:
            assert client.who_am_i() == f"You are {each['number']}"


def test_a_new_start_on_the_folder_continues_with_the_same_keys_and_ports(folder: Path) -> None:
    with running_sandbox(folder) as first:
        job_id = create(first)
        wait_for_mail(first, "ola@example.com")
        keys = {path: path.read_bytes() for path in folder.rglob("*.pem")}
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    with running_sandbox(folder) as second:
        assert second.ready == first.ready
        assert {path: path.read_bytes() for path in folder.rglob("*.pem")} == keys
        assert mails(second) == ["ola@example.com"]
        assert create(second) == job_id + 1


def test_a_signal_ends_it_with_everything_it_started(folder: Path) -> None:
    with running_sandbox(folder) as sandbox:
        create(sandbox)
        wait_for_mail(sandbox, "ola@example.com")
        started = children(sandbox.process)
        assert started
        sandbox.process.send_signal(signal.SIGTERM)
        assert sandbox.process.wait(20) == 0
        assert_all_gone(started)


def test_a_kill_leaves_no_process_behind(folder: Path) -> None:
    with running_sandbox(folder) as sandbox:
        create(sandbox)
        started = children(sandbox.process)
        sandbox.process.kill()
        sandbox.process.wait()
        assert_all_gone(started)


def assert_all_gone(processes: set[int], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while left := {pid for pid in processes if Path(f"/proc/{pid}").exists() and not is_zombie(pid)}:
        assert time.monotonic() < end, f"still running: {left}"
        time.sleep(0.05)


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_worker_that_dies_is_replaced(folder: Path) -> None:
    with running_sandbox(folder) as sandbox:
        [worker] = [pid for pid in children(sandbox.process) if b"worker_process" in command_of(pid)]
        os.kill(worker, signal.SIGKILL)
        create(sandbox)
        wait_for_mail(sandbox, "ola@example.com")


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_silent_connections_hold_up_nobody(folder: Path) -> None:
    """Twelve on each listener, and twelve more that stop in the middle of the handshake or of a request."""
    with running_sandbox(folder) as sandbox, silent_connections(sandbox):
        # A caller that waited for one of them would wait for its time limit, ten seconds at least; these wait for less.
        create(sandbox, timeouts=Timeouts(connect=8, call=8, create=8))
        assert httpx.get(sandbox.ready["web_root"], trust_env=False, timeout=8).status_code == 200
        wait_for_mail(sandbox, "ola@example.com")


@contextmanager
def silent_connections(sandbox: Sandbox) -> Iterator[None]:
    with ExitStack() as stack:
        for root, begun in (("api_root", b"\x16\x03\x01\x02"), ("web_root", b"POST /log-in HTTP/1.1\r\nContent-Le")):
            for said in [b""] * 12 + [begun] * 12:
                address = urlsplit(sandbox.ready[root])
                connection = stack.enter_context(socket.create_connection((address.hostname, address.port)))
                connection.sendall(said)
        yield


def test_the_api_refuses_clients_without_a_certificate(sandbox: Sandbox) -> None:
    context = ssl.create_default_context(cafile=sandbox.ready["server"]["trust_anchors"])
    with httpx.Client(verify=context, trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.get(f"{sandbox.ready['api_root']}/{PUBLIC}")
