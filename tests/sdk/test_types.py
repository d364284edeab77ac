"""The SDK's types as a user's strict mypy sees them, in a program of every public call."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

from segl import sdk

PROGRAM = Path(__file__).with_name("typed_program.py")


def test_strict_mypy_takes_right_uses_and_refuses_wrong_ones(tmp_path: Path) -> None:
    """In a folder of its own, so that it finds the installed package with its py.typed, and none of our settings."""
    program = tmp_path / "program.py"
    program.write_bytes(PROGRAM.read_bytes())

    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=.cache", program.name]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert checked.stdout == "Success: no issues found in 1 source file\n", checked.stdout + checked.stderr


def test_the_program_uses_every_public_name() -> None:
    used = set(re.findall(r"\w+", PROGRAM.read_text()))
    calls = {
        name
        for kind in map(sdk.__dict__.get, sdk.__all__)
        if inspect.isclass(kind)
        for own_or_inherited in kind.__mro__
        if own_or_inherited.__module__.startswith("segl.sdk.")
        for name, value in vars(own_or_inherited).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property | classmethod))
    }

    assert {*sdk.__all__, *calls} - used == set()
