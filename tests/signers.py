"""What people do on the signers' pages beyond signing and rejecting."""

from collections.abc import Mapping
from typing import Any

import httpx

from segl.sandbox.testing.people import Page, Person, reach, rejecting


def signing_page(person: Person, mail: Mapping[str, Any]) -> str:
    """The text of the page that asks the person to sign."""
    with _browser() as browser:
        return _words(reach(browser, person, mail, rejecting))


def page_at_level_3(person: Person, mail: Mapping[str, Any]) -> str:
    """The text of the page of the first job listed, for a person who logged in with an eID of level 3."""
    with _browser() as browser:
        page = reach(browser, person, mail, lambda page: page.field("Fødselsnummer"))
        number = page.field("Fødselsnummer")
        number.value, page.field("Fullt navn").value = person.number, person.name
        next(number.iterancestors("form")).inputs["level"].value = "3"
        page = page.press(page.button("Logg inn"))
        return _words(page.follow(page.listed()))


def _browser() -> httpx.Client:
    return httpx.Client(follow_redirects=True, trust_env=False, timeout=30)


def _words(page: Page) -> str:
    return " ".join(page.tree.text_content().split())
