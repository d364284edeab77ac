"""The demo, as `make demo` runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from running_sandbox import ROOT, SEGL
from segl.sandbox.testing.people import Person, reject

DEMO = [sys.executable, str(ROOT / "demo" / "demo.py")]
CONTRACT = ROOT / "demo" / "contract.pdf"


def demo(folder: Path, *options: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the demo in this folder to its end."""
    command = [*DEMO, *map(str, options)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)


def test_the_demo_takes_a_pdf_to_a_verified_signed_pdf(tmp_path: Path) -> None:
    shutil.copy(CONTRACT, tmp_path / "avtale om kjøp.pdf")

    ended = demo(tmp_path, "--auto", "--pdf", "avtale om kjøp.pdf", "--out", "result")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    names = ["avtale om kjøp.pdf", "signed.pdf", "trust.pem", "verification.json", "xades-1.xml", "xades-2.xml"]
    out = tmp_path / "result"
    assert sorted(each.name for each in out.iterdir()) == names
    assert (out / "avtale om kjøp.pdf").read_bytes() == CONTRACT.read_bytes()
    assert "5 of 5 signatures passed." in ended.stdout

    verification = json.loads((out / "verification.json").read_text())
    assert verification["passed"] is True
    signed, first, second = verification["files"]
    assert [each["kind"] for each in signed["signatures"]] == ["PAdES", "XAdES", "XAdES"]
    assert [each["signatures"][0]["signer"] for each in (first, second)] == ["Kari Nordmann", "Ola Hansen"]
    assert {each["documents"][0]["state"] for each in first["signatures"] + second["signatures"]} == {"intact"}
    # Ola was addressed by e-mail: what he signed never contains the identity number.
    assert "01017012345" in (out / "xades-1.xml").read_text()
    assert "02028012345" not in (out / "xades-2.xml").read_text()


def test_the_demos_results_verify_with_the_command_line_and_can_be_signed_again(tmp_path: Path) -> None:
    out = tmp_path / "demo-result"
    out.mkdir()
    out.chmod(0o2775)
    assert demo(tmp_path, "--auto").returncode == 0
    assert out.stat().st_mode & 0o7777 == 0o2775
    signed_before = (out / "signed.pdf").read_bytes()

    files = [str(out / name) for name in ("signed.pdf", "xades-1.xml", "xades-2.xml")]
    trusting = ["--trust", str(out / "trust.pem"), "--document", str(out / "contract.pdf")]
    assert subprocess.run([*SEGL, "verify", *files, *trusting], check=False).returncode == 0
    assert subprocess.run([*SEGL, "verify", *files], check=False).returncode == 1

    assert demo(tmp_path, "--auto", "--pdf", out / "signed.pdf").returncode == 0
    assert (out / "original-signed.pdf").read_bytes() == signed_before


def test_a_pdf_that_does_not_exist_is_reported_at_once(tmp_path: Path) -> None:
    ended = demo(tmp_path, "--auto", "--pdf", "missing.pdf")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "demo: there is no file missing.pdf" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_pdf_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "letter.md").write_text("Dear all")

    ended = demo(tmp_path, "--auto", "--pdf", "letter.md")

    assert ended.returncode == 1
    assert "demo: letter.md is not a PDF" in ended.stderr
    assert ended.stdout == ""


def test_a_damaged_pdf_is_refused_with_the_services_sentence(tmp_path: Path) -> None:
    (tmp_path / "letter.pdf").write_text("%PDF-1.7 Dear all")

    ended = demo(tmp_path, "--auto", "--pdf", "letter.pdf")

    assert ended.returncode == 1
    assert "letter.pdf" in ended.stderr
    assert "PDF" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "demo-result").exists()


@pytest.mark.parametrize("out", ["taken", "taken/below", "others"])
def test_results_go_to_a_folder_without_files_of_others(tmp_path: Path, out: str) -> None:
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "signed.pdf").write_text("mine")

    ended = demo(tmp_path, "--auto", "--out", out)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"demo: OUT={out}" in ended.stderr
    assert (tmp_path / "others" / "signed.pdf").read_text() == "mine"


def test_a_signer_may_refuse(tmp_path: Path) -> None:
    """As a person in the browser would: Kari rejects, and the demo says so and ends."""
    with subprocess.Popen(DEMO, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        said = _read_until(process, "Sign as both in the browser")
        [link] = re.findall(r"Kari Nordmann opens (\S+)", said)
        reject(Person("kari@example.com", "01017012345", "Kari Nordmann"), {"links": [link]})
        rest = process.stdout.read() if process.stdout else ""
        assert process.wait(30) == 0, rest

    assert "FAILED: REJECTED" in rest
    assert "Not everyone signed" in rest
    assert not (tmp_path / "demo-result").exists()


def _read_until(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stdout
    said = ""
    while words not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 1), (signal.SIGHUP, 1), (signal.SIGKILL, -9)]
)
def test_nothing_is_left_running_when_the_demo_is_stopped(tmp_path: Path, how: signal.Signals, status: int) -> None:
    temporary = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        DEMO, env=temporary, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _read_until(process, "Sign as both in the browser")
        children = psutil.Process(process.pid).children(recursive=True)
        assert children

        os.kill(process.pid, how)
        assert process.wait(15) == status
        assert "Traceback" not in (process.stderr.read() if process.stderr else "")

    deadline = time.monotonic() + 15
    while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in children):
        assert time.monotonic() < deadline, f"left running: {children}"
        time.sleep(0.05)
