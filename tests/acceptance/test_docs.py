"""The guide's Python does what it says, against a running sandbox."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from running_sandbox import ROOT, Sandbox
from segl.sdk import ClientConfiguration, PortalClient
from segl.sdk.tls import client_context

PUBLIC = "123456789"


def pieces(page: str, language: str = "python") -> list[str]:
    """The Python on a page of the guide, in its order; or what is in another language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder that the guide takes for granted."""
    (tmp_path / ".segl").mkdir()
    (tmp_path / ".segl" / "ready.json").write_text(json.dumps(sandbox.ready))
    shutil.copy(ROOT / "demo" / "contract.pdf", tmp_path)
    key = ClientConfiguration.sandbox(sandbox.ready_file, PUBLIC).certificate
    (tmp_path / "certificate.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"organization", key.key, key.certificate, key.chain, BestAvailableEncryption(b"password")
        )
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sign(sandbox: Sandbox) -> Iterator[Callable[[int, str], None]]:
    """Sign a job as somebody, at once."""
    configuration = ClientConfiguration.sandbox(sandbox.ready_file, PUBLIC)
    environment = configuration.environment
    context = client_context(
        anchors=environment.anchors(),
        organization_number=environment.organization_number,
        key=configuration.certificate,
    )
    with httpx.Client(verify=context, trust_env=False, timeout=60) as http:

        def sign(job_id: int, number: str) -> None:
            host = environment.api_root.removesuffix("/api")
            url = f"{host}/web/portal/signature-jobs/{job_id}/devmodesign"
            assert http.post(url, params={"signer": number}).is_success

        yield sign


def emptied(sandbox: Sandbox) -> None:
    """Confirm what other tests left on the default queue."""
    with PortalClient(ClientConfiguration.sandbox(sandbox.ready_file, PUBLIC)) as client:
        while (change := client.get_status_change()).message:
            client.confirm(change.confirmation_reference)
        time.sleep(change.seconds_until_next_poll)


def test_the_use_cases_run(
    sandbox: Sandbox, folder: Path, sign: Callable[[int, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    emptied(sandbox)
    names: dict[str, Any] = {}
    for piece in pieces("use-cases.md"):
        if "TooEagerPollingError" in piece:
            sign(names["job_response"].signature_job_id, "00000000000")
        if "signed.pdf" in piece:
            sign(names["job_response"].signature_job_id, "11111111111")
        exec(compile(piece, "use-cases.md", "exec"), names)
    names["client"].close()

    output = capsys.readouterr().out
    assert f"You are {PUBLIC}" in output
    assert "is SIGNED since" in output
    assert names["kari"].status == "SIGNED"
    assert (folder / "signed.pdf").read_bytes().startswith(b"%PDF-")
    assert names["xades"].startswith(b"<?xml")
    assert names["change"].status == "NO_CHANGES"


HANDLING_PREAMBLE = """
from dataclasses import replace
from segl.sdk import *
configuration = ClientConfiguration.sandbox(".segl/ready.json", "123456789")
configuration = replace(configuration, sender=Sender("123456789", PollingQueue(QUEUE)))
signer = Signer(PersonalIdentificationNumber("11111111111"), Notifications(Email("email1@example.com")))
document = Document("Contract", "Please sign.", FileType.PDF, "contract.pdf")
client = PortalClient(configuration)
for reference in ("first", "second"):
    print(client.create(Job(document, [signer], reference)).signature_job_id, flush=True)
"""


def test_changes_are_handled_as_the_guide_says(folder: Path, sign: Callable[[int, str], None]) -> None:
    sync, with_asyncio, _settings = pieces("handling-changes.md")
    program = f"QUEUE = 'guide'\n{HANDLING_PREAMBLE}\n{sync}\n{with_asyncio}"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        first, second = int(running.stdout.readline()), int(running.stdout.readline())
        sign(first, "11111111111")
        appears(folder / "first.pdf")
        running.send_signal(signal.SIGTERM)
        sign(second, "11111111111")
        appears(folder / f"{second}.pdf")
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0


def test_faults_are_requested_as_the_guide_says(sandbox: Sandbox, folder: Path) -> None:
    names: dict[str, Any] = {"QUEUE": "faults"}
    exec(HANDLING_PREAMBLE + 'job = Job(document, [signer], "third")\n' + pieces("faults.md")[0], names)
    names["client"].close()

    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install curl")
    [commands] = pieces("faults.md", "sh")
    commands = commands.replace("http://127.0.0.1:8081/sandbox/faults", sandbox.ready["faults"])
    output = subprocess.run(["sh", "-ec", commands], capture_output=True, text=True, check=True).stdout
    assert output.count('"fault": "503", "times": 2, "calls": "poll"') == 2
    assert httpx.get(sandbox.ready["faults"], trust_env=False).json() == []


DJANGO_SETTINGS = """
from pathlib import Path
SECRET_KEY = "x"
USE_TZ = True
LOGGING = {
    "version": 1, "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"segl.sdk": {"handlers": ["console"], "level": "INFO"}},
}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
"""

DJANGO_PROGRAM = """
from django.db import connection
from segl.sdk import ClientConfiguration
def configuration():
    return ClientConfiguration.sandbox(".segl/ready.json", "123456789")
def handle(change):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS handled (job integer PRIMARY KEY)")
        cursor.execute("INSERT INTO handled VALUES (%s)", [change.signature_job_id])
    if change.reference == "poison":
        raise ValueError("The shop's own trouble.")
"""


def test_a_django_program_handles_changes_in_transactions(folder: Path, sign: Callable[[int, str], None]) -> None:
    (folder / "shop").mkdir()
    (folder / "shop" / "signing.py").write_text(DJANGO_PROGRAM)
    (folder / "shop" / "settings.py").write_text(DJANGO_SETTINGS + pieces("handling-changes.md")[2])
    jobs: list[int] = []
    preamble = HANDLING_PREAMBLE.replace('"first", "second"', '"poison", "good"')
    names: dict[str, Any] = {"QUEUE": "shop", "print": lambda job, flush: jobs.append(job)}
    exec(preamble, names)
    names["client"].close()
    poison, good = jobs
    for job in jobs:
        sign(job, "11111111111")

    command = [sys.executable, "-m", "django", "segl_poll", "--queue", "shop"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(folder)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        output = until(running.stderr, f"/{good}/complete: 204")
        running.terminate()
        assert running.wait(30) == 0

    assert "The shop's own trouble." in output
    assert f"/{poison}/complete" not in output
    assert rows(folder) == [good]


def until(lines: IO[str], word: str) -> str:
    """What was written up to this word."""
    output = ""
    for line in lines:
        output += line
        if word in line:
            return output
    raise AssertionError(output)


def rows(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "shop.sqlite3")) as database:
        return [job for [job] in database.execute("SELECT job FROM handled")]


def appears(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def test_packages_are_kept_as_the_guide_says(folder: Path) -> None:
    names: dict[str, Any] = {"QUEUE": "packages"}
    [piece] = pieces("diagnosis.md")
    exec(HANDLING_PREAMBLE + piece, names)
    names["client"].close()
    with PortalClient(names["seen"]) as client:
        client.create(names["Job"](names["document"], [names["signer"]]))

    explained = subprocess.run(
        [sys.executable, "-m", "segl", "explain", "package.zip", "--sector", "public", "--json"],
        capture_output=True,
        check=False,
    )
    assert explained.returncode == 0, explained.stdout + explained.stderr
    assert json.loads(explained.stdout)["passed"]
