"""What people do on the signers' pages beyond signing, which `people.sign` does."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
from people import MOST_PAGES, Lost, Page, Person, next_page


def reject(person: Person, mail: Mapping[str, Any]) -> None:
    """From the mail to the page that says it was rejected."""
    with _browser() as browser:
        page = _page(browser, person, mail, _rejecting)
        page = page.follow(_rejecting(page))
        page.press(page.button("Ja, avvis"))


def signing_page(person: Person, mail: Mapping[str, Any]) -> str:
    """The words on the page on which the person is asked to sign."""
    with _browser() as browser:
        return _words(_page(browser, person, mail, _rejecting))


def page_at_level_3(person: Person, mail: Mapping[str, Any]) -> str:
    """The words on the page of the first job listed, for a person who logged in with an eID of level 3."""
    with _browser() as browser:
        page = _page(browser, person, mail, lambda page: page.field("Fødselsnummer"))
        number = page.field("Fødselsnummer")
        number.value, page.field("Fullt navn").value = person.number, person.name
        next(number.iterancestors("form")).inputs["level"].value = "3"
        page = page.press(page.button("Logg inn"))
        return _words(page.follow(page.listed()))


def _browser() -> httpx.Client:
    return httpx.Client(follow_redirects=True, trust_env=False, timeout=30)


def _page(browser: httpx.Client, person: Person, mail: Mapping[str, Any], sought: Callable[[Page], Any | None]) -> Page:
    """The first page with what is sought on it, reached from the mail's link as anyone would."""
    page = Page(browser, browser.get(mail["links"][0]))
    for _ in range(MOST_PAGES):
        if sought(page) is not None:
            return page
        page = next_page(page, person, dict(mail))
    raise Lost(f"{person.name} never comes to the page; the last one is {page.url}")


def _rejecting(page: Page) -> Any | None:
    return next(iter(page.tree.xpath("//a[normalize-space()='Avvis']")), None)


def _words(page: Page) -> str:
    return " ".join(page.tree.text_content().split())
