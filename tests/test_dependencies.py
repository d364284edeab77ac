"""What the wheel says it needs is what the code imports, in versions that the tests have seen."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/segl"
WITH_THE_SERVICE = ("service/", "sandbox/", "django/", "core/pades/", "core/organizations.py")
"""What needs the extra, or has a function that does. All else must do with the wheel's own dependencies."""

NOT_OURS_TO_DECLARE = {"_typeshed": "for type checkers alone", "pytest": "it is what loads our plugin"}
NOT_IMPORTED = {"httptools": "uvicorn's protocol that ours is built on imports it"}

_DISTRIBUTIONS = packages_distributions()
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def declared(requirements: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(each.name): each for each in map(Requirement, requirements)}


CORE = declared(_PROJECT["dependencies"])
SERVICE = declared(_PROJECT["optional-dependencies"]["service"])
MODULES = {
    path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")
}


def imported(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that a module knows of other people's packages, each with its package."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found = [(each.asname or each.name.split(".")[0], each.name) for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found = [(each.asname or each.name, node.module) for each in node.names]
        else:
            continue
        for name, origin in found:
            package = origin.split(".")[0]
            if package not in {*sys.stdlib_module_names, *NOT_OURS_TO_DECLARE, "segl"}:
                yield name, package


def distributions(package: str) -> set[str]:
    """The names under which the registry knows an imported package."""
    return {canonicalize_name(each) for each in _DISTRIBUTIONS[package]}


def test_all_that_is_imported_is_declared() -> None:
    for path, module in MODULES.items():
        declared_here = CORE | SERVICE if path.startswith(WITH_THE_SERVICE) else CORE
        for _, package in imported(module):
            assert distributions(package) & declared_here.keys(), f"{path} imports {package}"


def test_all_that_is_declared_is_imported() -> None:
    used = {each for module in MODULES.values() for _, package in imported(module) for each in distributions(package)}
    assert {*CORE, *SERVICE} - used == {*NOT_IMPORTED}


def test_each_dependency_says_from_which_version_on_and_the_lock_has_one_of_these() -> None:
    lock = (ROOT / "requirements/service.txt").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))
    for name, requirement in (CORE | SERVICE).items():
        assert {each.operator for each in requirement.specifier} & {">=", "~="}, name
        assert locked[name] in requirement.specifier, name


def test_what_our_classes_are_built_on_has_an_upper_bound() -> None:
    """A subclass overrides what the next release may call in another way."""
    built_on = set()
    for module in MODULES.values():
        packages = dict(imported(module))
        bases = (base for node in ast.walk(module) if isinstance(node, ast.ClassDef) for base in node.bases)
        roots = {re.split(r"\W", ast.unparse(base))[0] for base in bases}
        built_on |= {each for root in roots & packages.keys() for each in distributions(packages[root])}
    for name in built_on & {*CORE, *SERVICE}:
        assert {each.operator for each in (CORE | SERVICE)[name].specifier} & {"<", "~="}, name
    assert built_on == {"django", "pyhanko", "python-json-logger", "uvicorn"}
