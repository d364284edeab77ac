"""Norwegian and English."""

import pytest

from browsers import Browser, heading, text
from segl.service.signer_portal import words


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


def test_several_documents_are_signed_with_a_sentence_of_their_own() -> None:
    assert "dokumentene" in words.agreement(2, "nb")
    assert "documents" in words.agreement(2, "en")
