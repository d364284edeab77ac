"""What the SDK drags in."""

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
        "segl.cli",
    }
    assert heavy & loaded() == set()


def test_what_some_programs_do_without_is_loaded_with_its_first_use() -> None:
    assert {"asyncio", "zoneinfo", "segl.core.asice"} & loaded() == set()
