"""The fixtures for pytest, in a run of their own as a user has it."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from running_sandbox import ROOT
from segl.sandbox.starting import start
from segl.sandbox.testing import SandboxNotRunningError, next_change, ready, running_sandbox
from segl.sdk import Document, FileType, Job, PortalClient


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The guide's tests in a folder."""
    [tests] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL)
    (tmp_path / "test_signing.py").write_text(tests)
    shutil.copy(ROOT / "demo" / "contract.pdf", tmp_path)
    return tmp_path


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_guides_tests_pass_and_nothing_stays(program: Path, options: list[str], tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(program)]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}

    run = subprocess.run(command, cwd=program, env=environment, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert "2 passed" in run.stdout
    assert list((tmp_path / "tmp").glob("segl-*")) == []


def test_organizations_are_made_on_demand(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        public, private = sandbox.new_organization("Nordvik"), sandbox.new_organization("Bil", "private")
        assert public.number != private.number
        broker = sandbox.new_organization("Formidler", "private", broker_for=[public.number])
        assert (public.name, private.sector, broker.sector) == ("Nordvik", "private", "private")

        address = sandbox.ready["new_organizations"]
        for content, headers in (
            (b"{}", {}),
            (b"name=x", {"Content-Type": "application/x-www-form-urlencoded"}),
            (b"{", {"Content-Type": "application/json"}),
            (b"[]", {"Content-Type": "application/json"}),
            (b'{"name": 1}', {"Content-Type": "application/json"}),
            (b'{"number": "123456789"}', {"Content-Type": "application/json"}),
            (b'{"sector": "third"}', {"Content-Type": "application/json"}),
            (b'{"broker_for": ["999999999"]}', {"Content-Type": "application/json"}),
        ):
            answer = httpx.post(address, content=content, headers=headers, trust_env=False)
            assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_the_contact_register_knows_people_as_a_test_says(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        kari, ola = sandbox.new_person("Kari Nordmann"), sandbox.new_person("Ola Hansen")
        kari.register(email=kari.email)
        ola.register(email=ola.email, mobile="99999999", reserved=True)
        document = Document("Contract", None, FileType.PDF, ROOT / "demo" / "contract.pdf")
        with PortalClient(sandbox.new_organization().configuration) as client:
            client.create(Job(document, [kari.by_lookup]))
            kari.sign()
            change = next_change(client)
            sandbox.assert_signed(client.get_pades(change.pades_reference).read(), by=[kari])
            client.create(Job(document, [ola.by_lookup]))
            assert next_change(client).signature_for(ola.by_lookup).status == "RESERVED"


def test_who_signed_is_known_by_more_than_the_name(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        kari, other = sandbox.new_person("Kari Nordmann"), sandbox.new_person("Kari Nordmann")
        document = Document("Contract", None, FileType.PDF, ROOT / "demo" / "contract.pdf")
        with PortalClient(sandbox.new_organization().configuration) as client:
            for signer in (kari.by_number, kari.by_email):
                client.create(Job(document, [signer]))
                kari.sign()
                pdf = client.get_pades(next_change(client).pades_reference).save(tmp_path / "signed.pdf")
                sandbox.assert_signed(pdf, by=kari)
                for wrong in ([other], [kari, kari], [], [kari, other]):
                    with pytest.raises(AssertionError, match=r"signed\.pdf is signed by .* too, and lacks"):
                        sandbox.assert_signed(pdf, by=wrong)
        for content, reason in (
            (b"", "not signed"),
            (document.read(), "not signed"),
            (pdf.read_bytes()[:-9000], "PDF"),
        ):
            with pytest.raises(AssertionError, match=reason):
                sandbox.assert_signed(content, by=kari)


def test_each_link_is_followed_once(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        kari = sandbox.new_person()
        document = Document("Contract", None, FileType.PDF, ROOT / "demo" / "contract.pdf")
        with PortalClient(sandbox.new_organization().configuration) as client:
            for reference in ("first", "second"):
                client.create(Job(document, [kari.by_email], reference))
            signed = {(kari.sign(), next_change(client).reference)[1] for _ in range(2)}
            assert signed == {"first", "second"}
            client.create(Job(document, [kari.by_email], "third"))
            kari.sign()
            assert next_change(client).reference == "third"


def test_a_sandbox_ends_with_the_process_that_it_is_for(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as runner:
        process = start(tmp_path / "sandbox", while_process=runner.pid)
        sandbox = ready(tmp_path / "sandbox", process)
        assert sandbox.messages() == []
        assert runner.stdin
        runner.stdin.close()
    assert process.wait(30) == 0
    assert not (tmp_path / "sandbox" / "ready.json").exists()


def test_a_sandbox_that_does_not_start_is_reported(tmp_path: Path) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "pki").write_text("in the way")
    started = time.monotonic()
    with pytest.raises(SandboxNotRunningError, match="did not start"), running_sandbox(tmp_path / "sandbox"):
        pass
    assert time.monotonic() - started < 60


ASYNC_TESTS = """
import asyncio
from pathlib import Path
from segl.sandbox.testing import next_change_async
from segl.sdk import AsyncPortalClient, Document, FileType, Job, JobStatus

def test_faults_and_asyncio(segl_organization, segl_faults, segl_signer):
    async def sent_and_signed():
        async with AsyncPortalClient(segl_organization.configuration) as client:
            kari = segl_signer()
            segl_faults.ask("drop-after", calls="create")
            await client.create(Job(Document("Contract", None, FileType.PDF, Path("contract.pdf")), [kari.by_email]))
            assert segl_faults.pending() == []
            await asyncio.to_thread(kari.sign)
            return await next_change_async(client)

    assert asyncio.run(sent_and_signed()).status is JobStatus.COMPLETED_SUCCESSFULLY
"""


def test_faults_and_asynchronous_clients_have_their_helpers(tmp_path: Path) -> None:
    (tmp_path / "test_asyncio.py").write_text(ASYNC_TESTS)
    shutil.copy(ROOT / "demo" / "contract.pdf", tmp_path)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
