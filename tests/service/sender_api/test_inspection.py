"""What a sender sends again is not inspected again, and nobody learns what others sent."""

from collections.abc import Iterator, Mapping
from itertools import count

import pytest

import pdfs
from segl.core.errors import InvalidDocument
from segl.service import rendering
from segl.service.rendering import Inspected
from segl.service.sender_api import inspection

Asked = list[list[str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """The names of what was inspected, a list for each child."""
    names: Asked = []
    real = rendering.inspect

    def inspect(sent: Mapping[str, bytes | memoryview]) -> list[Inspected]:
        names.append(list(sent))
        return real(sent)

    monkeypatch.setattr(rendering, "inspect", inspect)
    monkeypatch.setattr(inspection, "monotonic", lambda: 0)  # what takes long in truth takes no time here
    inspection._known.clear()
    yield names
    inspection._known.clear()


def test_what_a_sender_sends_again_is_known(asked: Asked) -> None:
    one, two = pdfs.pdf("One"), pdfs.pdf("Two", "pages")
    first = inspection.inspect("1", {"one.pdf": one})
    again = inspection.inspect("1", {"two.pdf": two, "another name.pdf": memoryview(one)})
    assert asked == [["one.pdf"], ["two.pdf"]]
    assert [each.facts.pages for each in again] == [2, 1]
    assert again[1] is first[0]


def test_what_others_sent_is_not_known(asked: Asked) -> None:
    for sender in ("1", "2"):
        inspection.inspect(sender, {"a.pdf": pdfs.pdf("One")})
    assert asked == [["a.pdf"], ["a.pdf"]]


def test_what_was_refused_is_refused_again(asked: Asked) -> None:
    for name in ("a.pdf", "b.pdf"):
        with pytest.raises(InvalidDocument, match=f"^{name}: "):
            inspection.inspect("1", {name: b"%PDF- no more"})
    assert asked == [["a.pdf"], ["b.pdf"]]


def test_what_took_long_is_not_remembered(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "monotonic", count(0, inspection.LONGEST_SECONDS).__next__)
    for _ in range(2):
        inspection.inspect("1", {"a.pdf": pdfs.pdf("One")})
    assert len(asked) == 2


def test_the_oldest_are_forgotten(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("One", "Two", "Six")
    [known] = inspection.inspect("1", {"One.pdf": pdfs.pdf("One")})
    monkeypatch.setattr(inspection, "MOST_REMEMBERED", int(2.5 * (len(known.laid_out) + len(known.pages))))
    for text in (*texts, "Six", "Two", "One"):
        inspection.inspect("1", {f"{text}.pdf": pdfs.pdf(text)})
    assert asked == [["One.pdf"], ["Two.pdf"], ["Six.pdf"], ["One.pdf"]]
    assert len(inspection._known) == 2
