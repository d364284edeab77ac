"""Where a signer's way ends: deadline, cancel, turn, code; one heading, one sentence, one thing to do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from browsers import Browser, address, heading, text
from builders import KARI, OLA, contact, create, organization, person, sent_link, status_of
from pdfs import pdf
from segl.core.protocol import Availability, NotificationsUsingLookup, PersonalIdentificationNumber
from segl.core.protocol import Signer as AskedSigner
from segl.service import clock, due
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.looking_up import complete_lookup
from segl.service.store.models import Job, Lookup, Notification


@pytest.fixture
def job(store: str) -> Job:
    """Asks Kari by identity number and Ola by e-mail."""
    return create(person(KARI), contact(), contents=[pdf("Leie av plass 14")])


def end_for(browser: Browser, job: Job, number: int = 1) -> tuple[int, str]:
    page = browser.get(address(job, number))
    assert "plass 14" not in text(page)
    return page.status_code, heading(page)


def test_a_deadline_that_has_passed(browser: Browser, job: Job) -> None:
    clock.move(timedelta(days=31))
    browser.log_in()
    assert end_for(browser, job) == (410, "Fristen har gått ut")
    assert browser.get(f"{address(job)}/documents/1/original").status_code == 404
    assert browser.get(f"{address(job)}/reject").status_code == 410
    assert browser.post(f"{address(job)}/reject").status_code == 410
    assert status_of(job) == ("IN_PROGRESS", ["WAITING", "WAITING"])


def test_a_job_that_was_cancelled(browser: Browser, job: Job) -> None:
    cancel_job(sender=organization(), job_id=job.pk)
    browser.log_in()
    assert end_for(browser, job) == (410, "Avsenderen har trukket dokumentet tilbake")


@pytest.mark.parametrize(
    ("is_reserved", "sentence"),
    [(True, "Du har reservert deg mot digital kommunikasjon"), (False, "ingen adresse vi kan varsle deg på")],
)
def test_a_signer_whom_the_contact_register_does_not_let_us_notify(
    browser: Browser, new_browser: Callable[[], Browser], store: str, is_reserved: bool, sentence: str
) -> None:
    kari = AskedSigner(PersonalIdentificationNumber(KARI), NotificationsUsingLookup())
    job = create(kari, person(OLA), contents=[pdf("Leie av plass 14")])
    complete_lookup(due.claim(Lookup)[0], is_reserved=is_reserved, email="", mobile="")
    browser.log_in()
    assert end_for(browser, job) == (410, "Signeringen er stoppet")
    assert sentence in text(browser.get(address(job)))
    ola = new_browser()
    ola.log_in(OLA)
    assert "En annen som skulle signere" in text(ola.get(address(job, 2)))


def test_a_job_that_is_not_active_yet(browser: Browser, store: str) -> None:
    midsummer = datetime(clock.now().year + 2, 6, 21, 10, tzinfo=UTC)
    later = create(person(KARI), contents=[pdf("A")], availability=Availability(midsummer, None))
    browser.log_in()
    assert end_for(browser, later) == (403, "Du kan ikke signere ennå")
    assert f"21. juni {midsummer.year} kl. 12.00" in text(browser.get(address(later)))


def test_a_turn_that_has_not_come(browser: Browser, store: str) -> None:
    chained = create(person(OLA, order=1), person(KARI, order=2), contents=[pdf("A")])
    browser.log_in()
    assert end_for(browser, chained, 2) == (403, "Det er ikke din tur ennå")
    assert "Ingen dokumenter venter på deg." in text(browser.get("/"))


def test_a_wrong_code_shows_how_many_attempts_are_left(browser: Browser, job: Job) -> None:
    link = sent_link(job.signers.get(number=2))
    wrong = "000000" if link.code != "000000" else "111111"
    assert "Du har 5 forsøk igjen." in text(browser.get(f"/s/{link.token}"))
    page = browser.post(f"/s/{link.token}", {"code": wrong})
    assert page.status_code == 422
    assert "Koden er feil." in text(page)
    assert "Du har 4 forsøk igjen." in text(page)
    assert browser.get(address(job, 2)).headers["Location"].startswith("/log-in?")


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef"])
def test_what_cannot_be_a_code_costs_no_attempt(browser: Browser, job: Job, code: str) -> None:
    link = sent_link(job.signers.get(number=2))
    page = browser.post(f"/s/{link.token}", {"code": code})
    assert page.status_code == 422
    assert "Koden er på 6 sifre." in text(page)
    assert "Du har 5 forsøk igjen." in text(page)


def test_a_code_may_be_written_with_spaces(browser: Browser, job: Job) -> None:
    link = sent_link(job.signers.get(number=2))
    page = browser.post(f"/s/{link.token}", {"code": f" {link.code[:3]} {link.code[3:]} "}, follow=True)
    assert heading(page) == "Avtale om båtplass"


def test_too_many_wrong_codes_block_and_end_the_job(
    browser: Browser, new_browser: Callable[[], Browser], job: Job
) -> None:
    link = sent_link(job.signers.get(number=2))
    wrong = "000000" if link.code != "000000" else "111111"
    pages = [browser.post(f"/s/{link.token}", {"code": wrong}) for _ in range(5)]
    assert "Du har 1 forsøk igjen." in text(pages[3])
    assert (pages[4].status_code, heading(pages[4])) == (403, "Tilgangen er sperret")
    assert status_of(job) == ("FAILED", ["NOT_APPLICABLE", "BLOCKED"])
    # The right code comes too late.
    for blocked in (browser.get(f"/s/{link.token}"), browser.enter(link)):
        assert (blocked.status_code, heading(blocked)) == (403, "Tilgangen er sperret")
        assert "båtplass" not in text(blocked)
    kari = new_browser()
    kari.log_in()
    assert end_for(kari, job) == (410, "Signeringen er stoppet")


def test_a_new_code_comes_with_a_new_link(browser: Browser, job: Job) -> None:
    signer = job.signers.get(number=2)
    first = sent_link(signer)
    page = browser.post(f"/s/{first.token}/new-code")
    assert heading(page) == "Se etter en ny melding"
    second = sent_link(signer)
    assert second.token != first.token
    assert heading(browser.enter(second)) == "Avtale om båtplass"


def test_enough_codes_are_enough(browser: Browser, job: Job) -> None:
    link = sent_link(job.signers.get(number=2))
    for _ in range(4):
        assert browser.post(f"/s/{link.token}/new-code").status_code == 200
    page = browser.post(f"/s/{link.token}/new-code")
    assert (page.status_code, heading(page)) == (429, "Du har fått mange koder")
    assert Notification.objects.filter(signer__job=job, signer__number=2).count() == 5


def test_no_new_code_after_the_end(browser: Browser, job: Job) -> None:
    link = sent_link(job.signers.get(number=2))
    cancel_job(sender=organization(), job_id=job.pk)
    page = browser.post(f"/s/{link.token}/new-code")
    assert page.status_code == 422
    assert "Det sendes ikke flere koder" in text(page)
    assert heading(browser.enter(link)) == "Avsenderen har trukket dokumentet tilbake"
