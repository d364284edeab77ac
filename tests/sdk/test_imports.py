"""What the SDK drags in."""

import subprocess
import sys


def test_the_sdk_loads_neither_the_service_nor_the_command_line() -> None:
    program = "import sys, segl.sdk; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

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
    assert heavy & set(loaded.split()) == set()
