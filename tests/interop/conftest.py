"""The official Java client beside a running sandbox, each started once; skipped where Java's tools are missing."""

import shutil
from collections.abc import Iterator

import pytest

from api_answers import held_against_schema
from java_client import JavaProgram, running_java_program
from running_sandbox import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def java() -> Iterator[JavaProgram]:
    """The Java program with the official client."""
    for tool, package in (("mvn", "maven"), ("javac", "default-jdk-headless")):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt-get install {package}")
    with running_java_program() as program:
        yield program


@pytest.fixture(scope="session")
def sandbox(java: JavaProgram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """`segl sandbox` on a folder of its own, for the whole run."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox") / "folder") as running:
        yield running


@pytest.fixture(autouse=True)
def _valid_answers() -> Iterator[None]:
    with held_against_schema():
        yield
