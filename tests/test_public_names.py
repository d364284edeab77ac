"""The names that other people's programs go by are those of public_names.toml, and change only together with it."""

import ast
import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import django_environment  # noqa: F401 - importing it sets Django up
from segl.commands.main import app
from segl.diagnosis import doctor, explaining
from segl.sandbox import api_urls

ROOT = Path(__file__).parents[1]
PUBLIC = tomllib.loads(Path(__file__).with_name("public_names.toml").read_text(encoding="utf-8"))


def members(value: object) -> list[str]:
    """The attributes and fields of a class, with those of our classes that it is built on."""
    if not inspect.isclass(value):
        return []
    ours = [each for each in value.__mro__ if each.__module__.startswith("segl.")]
    names = {name for each in ours for name in (*vars(each), *inspect.get_annotations(each))}
    for each in ours:
        names |= {*re.findall(r"^ +self\.(\w+) = ", inspect.getsource(each), re.MULTILINE)}
    return sorted(name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("module", PUBLIC["python"])
def test_of_the_python_modules(module: str) -> None:
    listed, found = PUBLIC["python"][module], import_module(module)
    assert {*listed} == {*getattr(found, "__all__", listed)}
    assert listed == {name: members(getattr(found, name)) for name in listed}


def test_of_the_pytest_plugin() -> None:
    [plugin] = entry_points(group="pytest11", name="segl")
    functions = [each for each in ast.parse(inspect.getsource(plugin.load())).body if isinstance(each, ast.FunctionDef)]
    fixtures = [each.name for each in functions for how in each.decorator_list if "pytest.fixture" in ast.unparse(how)]
    assert sorted(fixtures) == PUBLIC["pytest"]["fixtures"]


def commands(command: Any, name: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with its options."""
    yield name, sorted(option for each in command.params for option in each.opts if option.startswith("-"))
    if isinstance(command, TyperGroup):
        for subcommand in command.commands.values():
            yield from commands(subcommand, f"{name} {subcommand.name}")


def test_of_the_commands() -> None:
    assert dict(commands(typer.main.get_command(app), "segl")) == PUBLIC["commands"]


def test_of_the_checks_in_what_the_commands_print_as_json() -> None:
    assert {"doctor": [*doctor.CHECKS], "explain": [*explaining.CHECKS]} == PUBLIC["checks"]


def test_of_the_settings() -> None:
    """The table in the guide is tested against what is read."""
    cells = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/production.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(name for cell in cells for name in re.findall(r"`([a-z_.]+)`", cell)) == PUBLIC["settings"]["names"]


def paths(patterns: Iterable[Any], before: str) -> Iterator[str]:
    """Each path with its methods; what is in braces is the caller's to fill in."""
    for each in patterns:
        path = before + re.sub(r"<\w+:(\w+)>", r"{\1}", str(each.pattern))
        if hasattr(each, "url_patterns"):
            yield from paths(each.url_patterns, path)
        else:
            yield " ".join([*getattr(each.callback, "_methods", ["POST"]), path])


def test_of_the_paths_of_the_api() -> None:
    """But for the empty pattern, which refuses all else, and the root with two slashes, which some clients send."""
    found = {each for each in paths(api_urls.urlpatterns, "/") if "//" not in each}
    assert sorted(found - {"POST /"}) == PUBLIC["http"]["paths"]
