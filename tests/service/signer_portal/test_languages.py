"""Norwegian and English, and times as people say them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils.translation import override

from browsers import Browser, heading, text
from segl.service import clock
from segl.service.signer_portal import words

NOON_IN_OSLO = datetime(2026, 12, 3, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("browsers_languages", "language"),
    [("", "nb"), ("nb-NO", "nb"), ("en-GB,en;q=0.9", "en"), ("de", "nb"), ("en;q=0.5,nb", "nb")],
)
def test_the_browsers_language_counts_first(browser: Browser, browsers_languages: str, language: str) -> None:
    page = text(browser.get("/", headers={"accept-language": browsers_languages}))
    assert f'<html lang="{language}">' in page


def test_a_chosen_language_stays_and_leads_back_to_the_page(browser: Browser) -> None:
    answer = browser.post("/language", {"language": "en", "next": "/log-in?then=/"})
    assert answer.headers["Location"] == "/log-in?then=/"
    assert heading(browser.get("/")) == "Log in to read and sign"
    browser.post("/language", {"language": "nb", "next": "/"})
    assert heading(browser.get("/")) == "Logg inn for å lese og signere"


def test_the_language_switch_leads_nowhere_else(browser: Browser) -> None:
    answer = browser.post("/language", {"language": "en", "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_times_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))
    with override("nb"):
        assert words.moment(NOON_IN_OSLO) == "torsdag 3. desember kl. 12.00"
        assert words.moment(NOON_IN_OSLO + timedelta(days=365)) == "fredag 3. desember 2027 kl. 12.00"
        assert words.distance(NOON_IN_OSLO) == "om 9 dager"
    with override("en"):
        assert words.moment(NOON_IN_OSLO) == "Thursday 3 December at 12:00"
        assert words.distance(NOON_IN_OSLO) == "in 9 days"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(seconds=1), "om 1 minutt"),
        (timedelta(minutes=59, seconds=59), "om 59 minutter"),
        (timedelta(minutes=119), "om 119 minutter"),
        (timedelta(hours=2), "om 2 timer"),
        (timedelta(hours=47, minutes=59), "om 47 timer"),
        (timedelta(days=2), "om 2 dager"),
        (timedelta(days=30), "om 30 dager"),
    ],
)
def test_what_is_near_is_said_more_exactly(monkeypatch: pytest.MonkeyPatch, left: timedelta, said: str) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    with override("nb"):
        assert words.distance(now + left) == said


def test_several_documents_are_signed_with_a_sentence_of_their_own() -> None:
    assert "dokumentene" in words.agreement(2, "nb")
    assert "documents" in words.agreement(2, "en")
