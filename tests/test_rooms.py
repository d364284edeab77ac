"""Laws of the house that import-linter cannot state."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "segl"


def classes() -> Iterator[tuple[str, str, list[str]]]:
    """Every class: the file below src/segl, its name, its bases as written."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield path.relative_to(SOURCE).as_posix(), node.name, [ast.unparse(base) for base in node.bases]


def test_models_are_defined_in_the_store_alone() -> None:
    rooms = {path.rsplit("/", 1)[0] for path, _, bases in classes() if {"Model", "models.Model"} & {*bases}}
    assert rooms == {"service/store"}
