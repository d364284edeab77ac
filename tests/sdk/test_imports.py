"""What importing the SDK loads."""

import os
import subprocess
import sys


def loaded() -> set[str]:
    """The modules that a program has when it has imported the SDK and done nothing yet."""
    program = "import sys, segl.sdk; print('\\n'.join(sys.modules))"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def test_the_sdk_loads_neither_the_service_nor_the_command_line() -> None:
    heavy = {
        "django",
        "typer",
        "pyhanko",
        "pikepdf",
        "typst",
        "pypdfium2",
        "segl.service",
        "segl.sandbox",
        "segl.commands",
        "segl.diagnosis",
    }
    assert heavy & loaded() == set()


def test_what_some_programs_do_without_is_loaded_with_its_first_use() -> None:
    assert {"asyncio", "zoneinfo", "segl.core.asice"} & loaded() == set()


def test_nothing_of_the_sdk_and_its_commands_needs_what_only_posix_has() -> None:
    """As on Windows, which also has no database of time zones."""
    program = """
import sys
sys.modules.update(dict.fromkeys(("fcntl", "grp", "pwd", "resource", "termios", "tty"), None))
import segl.commands.main, segl.diagnosis.doctor, segl.diagnosis.explaining, segl.sandbox.testing.pytest_plugin
import segl.sdk.handling
from segl.core.xml import parse_date_time
parse_date_time("2026-01-31T12:00:00+01:00", without_offset="Europe/Oslo")
try:
    parse_date_time("2026-01-31T12:00:00", without_offset="Europe/Oslo")
except ValueError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONTZPATH": ""}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "has no offset, and no time zones are known here (pip install tzdata)\n"
