"""Every text of the pages has an English twin, and the compiled catalogue is that of the source."""

import re
import string
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pytest
from babel.messages import catalog
from babel.messages.extract import extract_from_dir, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils.translation import gettext, ngettext, override
from django.utils.translation.template import templatize

SOURCE = Path(__file__).parents[3] / "src/segl"
SERVICE = SOURCE / "service"
ROOMS = [SERVICE / "web", SERVICE / "signer_portal", SOURCE / "sandbox/stand_ins"]
CATALOGUE = SERVICE / "web/locale/en/LC_MESSAGES/django.po"


@pytest.fixture(scope="module")
def translations() -> catalog.Catalog:
    with CATALOGUE.open("rb") as source:
        return read_po(source, locale="en")


def in_template(file: IO[bytes], *arguments: Any, **options: Any) -> Iterable[object]:
    """Babel's extraction method for templates: Django makes calls in Python of their texts."""
    calls = "\n".join(line.strip() for line in templatize(file.read().decode()).splitlines())
    return extract_python(BytesIO(calls.encode()), *arguments, **options)


def texts_in(room: Path) -> set[str | tuple[str, ...]]:
    found = extract_from_dir(room, method_map=[("**.py", "python"), ("**.html", in_template)])
    return {text for _, _, text, _, _ in found}


def texts_of(message: catalog.Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The text with its plural if it has one, and the translations of these."""
    ids, strings = ((each,) if isinstance(each, str) else tuple(each) for each in (message.id, message.string))
    return ids, strings


def test_the_pages_texts_are_those_of_the_catalogue(translations: catalog.Catalog) -> None:
    assert set().union(*map(texts_in, ROOMS)) == {each.id for each in translations if each.id}


def test_every_translation_is_there_with_the_same_placeholders(translations: catalog.Catalog) -> None:
    for message in translations:
        ids, texts = texts_of(message)
        assert len(texts) == len(ids)
        assert all(texts)
        assert not message.fuzzy, ids  # such are left out when they are compiled
        names = set(re.findall(r"%\((\w+)\)", ids[-1]))
        assert names == set(re.findall(r"%\((\w+)\)", texts[-1])), ids


def test_the_compiled_catalogue_is_what_make_messages_writes(
    translations: catalog.Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = CATALOGUE.with_suffix(".mo").read_bytes()
    version = re.search(rb"Generated-By: Babel (\S+)\n", committed)
    assert version
    monkeypatch.setattr(
        catalog, "VERSION", version[1].decode()
    )  # another Babel writes the same but for its own version
    compiled = BytesIO()
    write_mo(compiled, translations)
    assert committed == compiled.getvalue()


def test_texts_are_shown_in_the_language_asked_for() -> None:
    with override("nb"):
        assert gettext("Avvis") == "Avvis"
    with override("en"):
        assert gettext("Avvis") == "Reject"
        assert ngettext("om %(count)s dag", "om %(count)s dager", 1) == "in %(count)s day"
        assert ngettext("om %(count)s dag", "om %(count)s dager", 9) == "in %(count)s days"


def test_no_norwegian_letter_is_left_in_an_english_text(translations: catalog.Catalog) -> None:
    english = "".join("".join(texts_of(each)[1]) for each in translations)
    assert {each for each in english if each not in string.printable} == {"–", "“", "”"}
