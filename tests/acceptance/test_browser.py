"""Two people sign in a real browser; each page is looked at, in light and dark, on a phone and a wide screen.

With SEGL_PICTURES naming a folder, a picture of every page goes there.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from running_sandbox import ROOT, Sandbox
from segl.sdk import (
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    FileType,
    Job,
    Notifications,
    PersonalIdentificationNumber,
    PortalClient,
    Signer,
)

CONTRACT = ROOT / "demo" / "contract.pdf"
PROBLEMS = (Path(__file__).parent / "pages.js").read_text()
LAYOUT_SHIFT = """() => new Promise(resolve => {
  new PerformanceObserver(list => resolve(list.getEntries().reduce((sum, entry) => sum + entry.value, 0)))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => resolve(0), 300);
})"""
FOCUS = """() => {
  const element = document.activeElement, box = element.getBoundingClientRect(), style = getComputedStyle(element);
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {
    name: element === document.body ? "" : element.textContent.trim() || element.name || element.tagName,
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    uncovered: element.contains(top) || !!top?.contains(element),
  };
}"""
SIZES = {"320": (320, 640), "390": (390, 844), "1440": (1440, 900)}
PICTURED = ("390", "1440")


@dataclass
class Visitor:
    """A person at a browser of their own, on a phone unless a page is being looked at."""

    page: Any
    pictures: Path | None
    complaints: list[str] = field(default_factory=list)

    def look(self, name: str) -> None:
        """Check the page in every size and theme, and take its pictures."""
        self.page.wait_for_load_state("load")
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            for size, (width, height) in SIZES.items():
                self.page.set_viewport_size({"width": width, "height": height})
                problems = self.page.evaluate(PROBLEMS, 44)
                assert problems == [], f"{name}, {size} px, {theme}: {problems}"
                if self.pictures and size in PICTURED:
                    self.page.wait_for_load_state("networkidle")
                    self.page.screenshot(path=self.pictures / f"{name}-{size}-{theme}.png", full_page=True)
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": 390, "height": 844})

    def tab_through(self) -> list[str]:
        """Go through the page with the Tab key: what has focus shows it and is not covered; gives the names."""
        names = []
        for _ in range(60):
            self.page.keyboard.press("Tab")
            focus = self.page.evaluate(FOCUS)
            if not focus["name"] or (names and focus["name"] == names[0]):
                return names
            assert focus["ring"], f"«{focus['name']}» does not show that it has focus"
            assert focus["uncovered"], f"«{focus['name']}» is covered while it has focus"
            names.append(focus["name"])
        raise AssertionError(f"the page has no end: {names}")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def log_in(self, number: str, name: str) -> None:
        self.page.locator("#identity_number").fill(number)
        self.page.locator("#name").fill(name)
        self.page.locator("main button.primary").click()

    def heading(self) -> str:
        return str(self.page.locator("h1").inner_text())


@pytest.fixture
def visitor(chromium: Any, sandbox: Sandbox) -> Iterator[Callable[[str], Visitor]]:
    """A new person per call, whose browser prefers this language; nothing may have gone wrong in it at the end."""
    folder = os.environ.get("SEGL_PICTURES")
    visitors = []

    def make(locale: str) -> Visitor:
        context = chromium.new_context(base_url=sandbox.ready["web_root"], locale=locale)
        made = Visitor(context.new_page(), Path(folder) if folder else None)
        made.page.on("console", lambda message: made.complaints.append(message.text))
        made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
        visitors.append(made)
        return made

    yield make
    for each in visitors:
        # Chromium logs every response that is an error, and what a log-out clears; these are intended.
        intended = re.compile(r"the server responded with a status of 4|^Clear-Site-Data .* Cleared data types")
        assert [text for text in each.complaints if not intended.search(text)] == []
        each.page.context.close()


@pytest.fixture
def mails(sandbox: Sandbox) -> dict[str, Any]:
    """A job for two people was sent; gives the mails to them by their addresses."""
    kari = Signer(PersonalIdentificationNumber("01017012345"), Notifications(Email("kari@browser.example")))
    ola = Signer(ContactInformation(email=Email("ola@browser.example")))
    document = Document("Avtale om båtplass", "Gjelder sesongen 2027.", FileType.PDF, CONTRACT)
    with PortalClient(ClientConfiguration.sandbox(sandbox.ready_file, "123456789")) as client:
        client.create(Job(document, [kari, ola]))
    wanted = {"kari@browser.example", "ola@browser.example"}
    for _ in range(100):
        answer = httpx.get(sandbox.outbox, headers={"Accept": "application/json"}, trust_env=False)
        sent = {mail["to"]: mail for mail in answer.json()}
        if wanted <= set(sent):
            return sent
        time.sleep(0.1)
    raise AssertionError(f"only {set(sent)} got mail")


def test_two_people_sign_in_their_browsers(visitor: Callable[[str], Visitor], mails: dict[str, Any]) -> None:
    kari, ola = visitor("nb-NO"), visitor("en-GB")
    _kari_signs(kari, mails["kari@browser.example"])
    _ola_signs(ola, mails["ola@browser.example"])

    kari.page.reload()
    assert "Alle har signert." in kari.page.inner_text("main")
    kari.look("receipt-sealed")
    kari.page.goto("/")
    kari.look("start-afterwards")
    kari.press("Logg ut")
    kari.look("logged-out")


def _kari_signs(kari: Visitor, mail: dict[str, Any]) -> None:
    kari.page.goto(mail["links"][0])
    kari.look("log-in")
    kari.press("Logg inn med eID")
    kari.look("test-eid")
    kari.page.locator("form[method=post] >> nth=-1").evaluate("form => form.noValidate = true")
    kari.log_in("0101", "")
    kari.page.wait_for_function("document.activeElement.role === 'alert'")  # focused with the next frame
    kari.look("test-eid-wrong")
    kari.log_in("01017012345", "Kari Nordmann")
    kari.look("start")
    kari.page.get_by_role("link", name="Avtale om båtplass").click()

    assert kari.heading() == "Avtale om båtplass"
    assert kari.page.evaluate(LAYOUT_SHIFT) < 0.01
    kari.look("signing")
    names = kari.tab_through()
    assert names[-2:] == ["Signer", "Avvis"]
    kari.page.get_by_role("link", name="Avvis").click()
    kari.look("reject")
    kari.page.get_by_role("link", name="Nei, gå tilbake").click()
    kari.press("Signer")
    assert kari.heading() == "Takk, du har signert"
    kari.look("receipt")


def _ola_signs(ola: Visitor, mail: dict[str, Any]) -> None:
    link = mail["links"][0]
    code = re.findall(r"(?<!\d)\d{6}(?!\d)", mail["text"].replace(link, ""))[0]
    ola.page.goto(link)
    ola.look("code")
    ola.page.get_by_label("Security code").fill("000000" if code != "000000" else "111111")
    ola.press("Continue")
    assert "You have 4 attempts left." in ola.page.inner_text("main")
    ola.look("code-wrong")
    ola.page.get_by_label("Security code").fill(code)
    ola.press("Continue")

    address = ola.page.url
    assert "/s/" not in address
    ola.look("signing-by-link")
    ola.page.goto(address.replace("/signers/2", "/signers/1"))
    assert ola.heading() == "Log in to read and sign"
    ola.page.goto(address)
    ola.press("Log in with eID to sign")
    ola.press("Cancel")
    assert ola.heading() == "You cancelled the log-in"
    ola.look("log-in-ended")
    ola.press("Try again")
    ola.log_in("02028012345", "Ola Hansen")
    ola.look("signing-as-ola")
    assert "02028012345" not in ola.page.inner_text("main")
    ola.press("Sign")
    ola.page.get_by_role("link", name="Download signed document").wait_for()
    ola.look("receipt-english")
    with ola.page.expect_download() as download:
        ola.page.get_by_role("link", name="Download signed document").click()
    assert download.value.suggested_filename == "Avtale om båtplass – signed.pdf"
    assert download.value.path().read_bytes().startswith(b"%PDF-1.7")
    ola.page.get_by_role("link", name="End the link").click()
    ola.look("end-link")
    ola.press("Yes, end the link")
    ola.look("link-ended")
    ola.page.goto(link)
    assert ola.heading() == "The link has been ended"
    ola.page.goto("/nowhere")
    ola.look("not-found")


def test_the_bar_at_the_bottom_covers_nothing_that_has_focus(
    visitor: Callable[[str], Visitor], mails: dict[str, Any]
) -> None:
    kari = visitor("nb-NO")
    kari.page.goto("/")
    kari.press("Logg inn med eID")
    kari.log_in("01017012345", "Kari Nordmann")
    kari.page.get_by_role("link", name="Avtale om båtplass").first.click()
    for width, height in ((320, 640), (390, 844), (844, 390), (1440, 900)):
        kari.page.set_viewport_size({"width": width, "height": height})
        kari.page.reload()
        assert "Last ned original" in kari.tab_through()


def test_a_page_whose_picture_does_not_come_says_so_and_signing_asks_once_more(
    visitor: Callable[[str], Visitor], mails: dict[str, Any]
) -> None:
    kari = visitor("nb-NO")
    kari.page.route("**/picture*", lambda route: route.fulfill(status=404))
    kari.page.goto("/")
    kari.press("Logg inn med eID")
    kari.log_in("01017012345", "Kari Nordmann")
    kari.page.get_by_role("link", name="Avtale om båtplass").first.click()
    sheet = Image.open(BytesIO(kari.page.locator(".paper").first.screenshot())).convert("L")
    ink = sheet.point(lambda value: 255 * (value < 180))
    assert not ink.crop((2, 2, sheet.width - 2, 22)).getbbox(), "the browser's icon of a broken picture shows"
    assert ink.crop((0, 24, sheet.width, 160)).getbbox(), "the sheet is blank"
    kari.press("Signer")
    assert kari.heading() == "Vil du signere uten å ha sett alle sidene?"
    kari.look("not-shown")
    kari.page.unroute("**/picture*")
    kari.page.get_by_role("link", name="Gå tilbake og les").click()
    assert kari.heading() == "Avtale om båtplass"


def test_someone_elses_page_says_so(visitor: Callable[[str], Visitor], mails: dict[str, Any]) -> None:
    other = visitor("nb-NO")
    other.page.goto("/")
    other.press("Logg inn med eID")
    other.log_in("05058012345", "Per Hansen")
    other.look("start-empty")
    other.page.goto("/jobs/1/signers/1")
    assert other.heading() == "Denne siden er ikke åpen for deg"
    other.look("closed")
