"""Starts `segl sandbox` as a separate process; imports little, so that callers can do their imports meanwhile."""

import subprocess
import sys
from pathlib import Path


def start(folder: Path, *, while_process: int) -> "subprocess.Popen[bytes]":
    """Start a sandbox that ends with another process at the latest. Its output goes to `sandbox.log` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "segl", "sandbox", "--folder", str(folder)]
    command += ["--calls-per-second", "0", "--while-process", str(while_process)]
    with (folder / "sandbox.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own command
