"""What is loaded with a room that programs' tests use: pytest loads its plugin wherever Segl is installed."""

import subprocess
import sys

from segl.sandbox import testing


def loaded_with(statement: str) -> set[str]:
    """The modules that a program has after this statement."""
    program = f"{statement}; import sys; print('\\n'.join(sys.modules))"
    return {*subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()}


def test_the_plugin_loads_nothing_of_ours_before_a_test_asks_for_it() -> None:
    ours = {name for name in loaded_with("import segl.sandbox.testing.pytest_plugin") if name.startswith("segl")}
    assert ours == {"segl", "segl.sandbox", "segl.sandbox.testing", "segl.sandbox.testing.pytest_plugin"}


def test_nothing_of_it_loads_the_service() -> None:
    names = ", ".join(testing.__all__)
    loaded = loaded_with(f"from segl.sandbox.testing import {names}; import segl.sandbox.faults_client")
    assert {"django", "segl.service"} & loaded == set()


def test_a_name_that_it_does_not_have_is_an_attribute_error() -> None:
    assert not hasattr(testing, "Sandboxes")
