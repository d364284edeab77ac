"""People who read their messages, follow the links in them and use the pages as anyone would: for tests and the demo.

They know the outbox and who they are, but nothing of the service: they decide what to do next by the words on each
page's buttons, links and labels.
"""

import re
import ssl
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urljoin

import httpx
from lxml import html

MOST_PAGES = 20
SECONDS_FOR_MAIL = 30


class Lost(Exception):  # noqa: N818 - as people say it
    """A person does not know what to do next."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who they are: where they get messages (an e-mail address or a mobile number), and what they enter at an eID."""

    address: str
    number: str
    name: str


class Page:
    """A page in a browser, navigated by its words."""

    def __init__(self, browser: httpx.Client, response: httpx.Response) -> None:
        self.browser = browser
        self.url = str(response.url)
        if "html" not in response.headers.get("Content-Type", ""):
            raise Lost(f"{self.url} is not a page")
        self.tree = html.fromstring(response.text)
        self.heading = _text(self.tree.find(".//h1"))
        if response.is_error:
            raise Lost(f"{self.url} returned {response.status_code}: {self.heading}")

    def button(self, text: str) -> Any | None:
        """Return the first button whose text starts with `text`."""
        return next((each for each in self.tree.xpath("//form//button") if _text(each).startswith(text)), None)

    def listed(self) -> Any | None:
        """Return the first link in a list in the page's main part."""
        return next(iter(self.tree.xpath("//main//li//a[@href]")), None)

    def field(self, label: str) -> Any | None:
        """Return the field whose label starts with `label`."""
        labels = (each for each in self.tree.xpath("//label[@for]") if _text(each).startswith(label))
        return next((self.tree.get_element_by_id(each.get("for")) for each in labels), None)

    def press(self, button: Any) -> "Page":
        """Submit the button's form with the values of its fields."""
        form = next(button.iterancestors("form"))
        values = dict(form.form_values())
        if button.get("name"):
            values[button.get("name")] = button.get("value", "")
        url = urljoin(self.url, button.get("formaction") or form.get("action") or "")
        if form.method == "GET":
            return Page(self.browser, self.browser.get(url, params=values))
        return Page(self.browser, self.browser.post(url, data=values, headers={"Referer": self.url}))

    def follow(self, link: Any) -> "Page":
        return Page(self.browser, self.browser.get(urljoin(self.url, link.get("href"))))


def sign(person: Person, mail: Mapping[str, Any]) -> str:
    """Follow the message, sign, and return the heading of the receipt."""
    with _browser() as browser:
        page = reach(browser, person, mail, lambda page: page.button("Signer"))
        page = page.press(page.button("Signer"))
        if (confirm := page.button("Signer likevel")) is not None:  # they read the text, not the pictures
            page = page.press(confirm)
        return receipt(page, person)


def reject(person: Person, mail: Mapping[str, Any]) -> str:
    """Follow the message, reject, and return the heading of the page that confirms it."""
    with _browser() as browser:
        page = reach(browser, person, mail, rejecting)
        page = page.follow(rejecting(page))
        return page.press(page.button("Ja, avvis")).heading


def reach(browser: httpx.Client, person: Person, mail: Mapping[str, Any], sought: Callable[[Page], Any | None]) -> Page:
    """Return the first page on which `sought` finds something, navigating from the message's link as anyone would."""
    page = Page(browser, browser.get(mail["links"][0]))
    for _ in range(MOST_PAGES):
        if sought(page) is not None:
            return page
        page = next_page(page, person, mail)
    raise Lost(f"{person.name} has seen {MOST_PAGES} pages and found nothing to do; the last is {page.url}")


def rejecting(page: Page) -> Any | None:
    """Return the link to reject."""
    return next(iter(page.tree.xpath("//a[normalize-space()='Avvis']")), None)


def _browser() -> httpx.Client:
    return _plain_client(follow_redirects=True)


@cache
def http() -> httpx.Client:
    """Return a client for the sandbox's own interfaces, such as the outbox."""
    return _plain_client()


def _plain_client(*, follow_redirects: bool = False) -> httpx.Client:
    """Return a client without CA certificates, which take long to load: a sandbox's pages are plain HTTP."""
    trusts_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.Client(follow_redirects=follow_redirects, trust_env=False, timeout=30, verify=trusts_nobody)


def receipt(page: Page, person: Person) -> str:
    """Return the heading of the page after the signature."""
    if page.button("Signer") is not None:
        raise Lost(f"{person.name} pressed «Signer», but {page.url} still asks to sign")
    return page.heading


def next_page(page: Page, person: Person, mail: Mapping[str, Any]) -> Page:
    """Go on as anyone would on this page: enter what it asks for, log in, or open the first job listed."""
    if (code := page.field("Sikkerhetskode")) is not None:
        code.value = security_code(mail)
        return page.press(next(code.iterancestors("form")).find(".//button"))
    number, name = page.field("Fødselsnummer"), page.field("Fullt navn")
    if number is not None and name is not None:
        number.value, name.value = person.number, person.name
    if (button := page.button("Logg inn")) is not None:
        return page.press(button)
    if (link := page.listed()) is not None:
        return page.follow(link)
    raise Lost(f"{person.name} finds nothing to do on {page.url}: {page.heading}")


def security_code(mail: Mapping[str, Any]) -> str:
    """Return the six digits in the mail that are not part of a link."""
    text = re.sub(r"https?://\S+", "", mail["text"])
    found = re.search(r"(?<!\d)\d{6}(?!\d)", text)
    if not found:
        raise Lost(f"the mail to {mail['to']} has no security code")
    return found[0]


def mail_to(person: Person, outbox: str, *, followed: Container[str] | None = None) -> dict[str, Any]:
    """Return the last mail to the person, or the oldest not in `followed` (ids); wait for it if needed."""
    for _ in range(SECONDS_FOR_MAIL * 10):
        mails = http().get(outbox, headers={"Accept": "application/json"}).json()
        theirs = [mail for mail in mails if mail["to"] == person.address and mail["links"]]
        open_ones = theirs[-1:] if followed is None else [mail for mail in theirs if mail["id"] not in followed]
        if open_ones:
            return dict(open_ones[0])
        time.sleep(0.1)
    raise Lost(f"{person.name} got no mail to follow in {SECONDS_FOR_MAIL} s")


def _text(element: Any | None) -> str:
    return "" if element is None else " ".join(element.text_content().split())
