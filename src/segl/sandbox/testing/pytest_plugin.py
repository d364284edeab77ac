"""pytest fixtures for programs that send documents: a sandbox for the whole run, an organization for each test.

Loaded by pytest wherever Segl is installed; nothing starts before a test uses a fixture. With pytest-xdist, all workers
share one sandbox.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from segl.sandbox.testing.faults_client import FaultsClient
    from segl.sandbox.testing.running import Organization, Sandbox, SandboxSigner, SentMessage
    from segl.sdk import PortalClient

_FOLDER = pytest.StashKey[Path]()
_RUNNER = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", {})
    folder = given.get("segl_folder") or Path(tempfile.gettempdir()) / f"segl-{os.getpid()}-{os.urandom(4).hex()}"
    config.stash[_FOLDER] = Path(folder)
    config.stash[_RUNNER] = given.get("segl_runner") or os.getpid()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Pass the folder of this run's sandbox to one of xdist's workers."""
    node.workerinput["segl_folder"] = str(node.config.stash[_FOLDER])  # type: ignore[attr-defined]  # xdist's
    node.workerinput["segl_runner"] = os.getpid()  # type: ignore[attr-defined]  # as above


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the sandbox of this run, if there is one."""
    folder = config.stash.get(_FOLDER, None)
    if folder is None or hasattr(config, "workerinput") or not folder.exists():
        return
    with suppress(OSError, ValueError):
        os.kill(int((folder / "process").read_text()), signal.SIGTERM)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def segl_sandbox(request: pytest.FixtureRequest) -> "Sandbox":
    """A running sandbox: one for the whole run."""
    import fcntl  # not on every platform, unlike this plugin

    from segl.sandbox.starting import start

    folder = request.config.stash[_FOLDER]
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = None
        if not (folder / "process").exists():
            process = start(folder / "sandbox", while_process=request.config.stash[_RUNNER])
            (folder / "process").write_text(str(process.pid))
        # This import takes a while, during which the sandbox starts.
        from segl.sandbox.testing.running import SandboxNotRunningError, ready

        try:
            return ready(folder / "sandbox", process)
        except SandboxNotRunningError as error:
            pytest.fail(str(error), pytrace=False)


@pytest.fixture
def segl_organization(segl_sandbox: "Sandbox") -> "Organization":
    """A public organization for this test alone, with empty queues; `configuration` is for its client."""
    return segl_sandbox.new_organization()


@pytest.fixture
def segl_client(segl_organization: "Organization") -> "Iterator[PortalClient]":
    """A client of the test's organization."""
    from segl.sdk import PortalClient

    with PortalClient(segl_organization.configuration) as client:
        yield client


@pytest.fixture
def segl_faults(segl_sandbox: "Sandbox", segl_organization: "Organization") -> "Iterator[FaultsClient]":
    """Requests faults, those of the API only for the test's organization; the test's end takes them back."""
    from segl.sandbox.testing.faults_client import FaultsClient

    with FaultsClient(segl_sandbox.ready["faults"], segl_organization.number) as faults:
        yield faults


@pytest.fixture
def segl_signer(segl_sandbox: "Sandbox") -> "Callable[..., SandboxSigner]":
    """Creates people: `kari = segl_signer("Kari Nordmann")`. They sign and reject through the pages."""
    return segl_sandbox.new_person


@pytest.fixture
def segl_mailbox(segl_sandbox: "Sandbox") -> "Callable[[], Sequence[SentMessage]]":
    """Returns all messages sent so far, the oldest first; `kari.messages()` returns those to one person."""
    return segl_sandbox.messages


@pytest.fixture
def assert_signed(segl_sandbox: "Sandbox") -> "Callable[..., None]":
    """`assert_signed(pdf, by=[kari, ola])`: the PDF is sealed, intact, trusted, and signed by exactly these people."""
    return segl_sandbox.assert_signed
