"""The command `segl` itself: how it is called, its version."""

import subprocess
import sys

from typer.testing import CliRunner

import segl
from segl.commands.main import app


def test_it_prints_its_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.output, result.exit_code) == (f"segl {segl.__version__}\n", 0)


def test_it_can_be_called_as_a_module() -> None:
    ended = subprocess.run([sys.executable, "-m", "segl", "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout == f"segl {segl.__version__}\n"
