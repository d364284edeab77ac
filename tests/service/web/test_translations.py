"""Every text of the pages has an English twin, and the compiled catalogue is that of the source."""

import ast
import re
import string
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from django.utils.translation import gettext, ngettext, override
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[3]
SERVICE = ROOT / "src/segl/service"
ROOMS = [SERVICE / "web", SERVICE / "signer_portal", ROOT / "src/segl/sandbox/stand_ins"]
CATALOGUE = SERVICE / "web/locale/en/LC_MESSAGES/django.po"


@pytest.fixture(scope="module")
def compiler() -> ModuleType:
    spec = spec_from_file_location("compile_messages", ROOT / "scripts/compile_messages.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts_of_module(path: Path) -> set[tuple[str, ...]]:
    calls = [each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Call)]
    found = set()
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id in {"_", "gettext", "ngettext"}:
            count = 2 if call.func.id == "ngettext" else 1
            found.add(tuple(ast.literal_eval(each) for each in call.args[:count]))
    return found


def texts_of_template(path: Path) -> set[tuple[str, ...]]:
    literal = r"""(u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
    calls = re.findall(rf"\b(?:n?gettext|_)\({literal}(?:, ?{literal})?", templatize(path.read_text()))
    return {tuple(ast.literal_eval(each) for each in call if each) for call in calls}


def all_texts() -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for room in ROOMS:
        for path in room.rglob("*.py"):
            found |= texts_of_module(path)
        for path in room.rglob("*.html"):
            found |= texts_of_template(path)
    return found


def test_the_pages_texts_are_those_of_the_catalogue(compiler: ModuleType) -> None:
    translated = set(compiler.read(CATALOGUE.read_text())) - {("",)}
    assert all_texts() == translated


def test_every_translation_is_there_with_the_same_placeholders(compiler: ModuleType) -> None:
    for ids, texts in compiler.read(CATALOGUE.read_text()).items():
        assert len(texts) == len(ids)
        assert all(texts)
        names = set(re.findall(r"%\((\w+)\)", ids[-1]))
        assert names == set(re.findall(r"%\((\w+)\)", texts[-1])), ids


def test_the_compiled_catalogue_is_that_of_the_source(compiler: ModuleType) -> None:
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiler.compiled(compiler.read(CATALOGUE.read_text()))


def test_texts_are_shown_in_the_language_asked_for() -> None:
    with override("nb"):
        assert gettext("Avvis") == "Avvis"
    with override("en"):
        assert gettext("Avvis") == "Reject"
        assert ngettext("om %(count)s dag", "om %(count)s dager", 1) == "in %(count)s day"
        assert ngettext("om %(count)s dag", "om %(count)s dager", 9) == "in %(count)s days"


def test_no_norwegian_letter_is_left_in_an_english_text(compiler: ModuleType) -> None:
    english = "".join("".join(texts) for texts in compiler.read(CATALOGUE.read_text()).values())
    assert {each for each in english if each not in string.printable} == {"–", "“", "”"}
