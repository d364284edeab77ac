"""Who gets in where: by identity number and level, by link and code, and nobody else."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from browsers import Browser, address, heading, text
from builders import KARI, OLA, contact, create, person, sent_link
from pdfs import pdf
from segl.core.protocol import AuthenticationLevel
from segl.service.store.models import Job

KARI_SIGNS, OLA_SIGNS = 1, 2


@pytest.fixture
def job(store: str) -> Job:
    """Asks Kari by identity number and Ola by e-mail."""
    return create(person(KARI), contact(), contents=[pdf("Leie av plass 14")], nonsensitive_title="Avtale fra kommunen")


def pages_of(job: Job, number: int) -> list[str]:
    """Every address of a signer's pages."""
    below = ["reject", "receipt", "signed.pdf", "xades", "documents/1/original", "documents/1/pages/1/picture?w=480"]
    return [address(job, number), *(f"{address(job, number)}/{each}" for each in below)]


def tells_nothing(response: Any) -> bool:
    return "båtplass" not in text(response) and "plass 14" not in text(response)


def test_a_person_sees_the_documents_after_log_in(browser: Browser, job: Job) -> None:
    page = browser.log_in()
    assert heading(page) == "Dokumentene dine"
    assert f'<a href="{address(job)}">Avtale om båtplass</a>' in text(page)
    assert heading(browser.get(address(job))) == "Avtale om båtplass"


def test_a_person_without_documents_sees_so(browser: Browser, job: Job) -> None:
    assert "Ingen dokumenter venter på deg." in text(browser.log_in(OLA))


# Kari's, Ola's, those of a signer of the job who does not exist, and those of a job that does not exist.
SIGNERS = ["/jobs/1/signers/1", "/jobs/1/signers/2", "/jobs/1/signers/9", "/jobs/7/signers/1"]
BELOW = [
    *("", "/reject", "/receipt", "/signed.pdf", "/xades", "/sign", "/end-link"),
    *("/documents/1/original", "/documents/1/pages/1/picture?w=480"),
]


def answers(browser: Browser, method: str, below: str) -> list[Any]:
    """What a browser gets at this address of each signer, as far as it does not repeat the address."""
    found = []
    for signer in SIGNERS:
        answer = browser.generic(method, signer + below)
        location = answer.headers.get("Location", "").replace(quote(signer, safe=""), "…")
        page = re.sub(r'name="(csrfmiddlewaretoken|next)" value="[^"]*"', "", text(answer))
        found.append((answer.status_code, {**answer.headers, "Location": location}, page))
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
def test_strangers_do_not_learn_which_jobs_exist(browser: Browser, job: Job, method: str) -> None:
    assert [job.pk, *job.signers.values_list("number", flat=True)] == [1, KARI_SIGNS, OLA_SIGNS]
    for below in BELOW:
        first, *others = answers(browser, method, below)
        assert others == [first] * 3
        assert (first[0], first[1]["Location"]) in {(302, "/log-in?then=…"), (405, "")}


def test_persons_do_not_learn_which_jobs_of_others_exist(browser: Browser, job: Job) -> None:
    browser.log_in("01017012345", "Per Hansen")
    for below in BELOW:
        for method in ("GET", "HEAD", "POST"):
            first, *others = answers(browser, method, below)
            assert others == [first] * 3
            assert first[0] in {403, 405}


@pytest.mark.parametrize("then", SIGNERS)
def test_the_log_in_page_does_not_show_which_jobs_exist(browser: Browser, job: Job, then: str) -> None:
    assert f'name="then" value="{then}"' in text(browser.get("/log-in", {"then": then}))
    url = browser.post("/log-in", {"then": then}).headers["Location"]
    assert "Tjenesten ber om nivå 3 eller høyere." in text(browser.get(url))


def test_strangers_are_answered_without_the_database(browser: Browser, job: Job) -> None:
    with CaptureQueriesContext(connection) as queries:
        browser.get(address(job))
    assert len(queries) == 0


def test_who_is_not_logged_in_is_asked_to_and_comes_back(browser: Browser, job: Job) -> None:
    for url in (*pages_of(job, KARI_SIGNS), *pages_of(job, OLA_SIGNS)):
        assert_asked_to_log_in(browser.get(url), job)
    assert tells_nothing(browser.get(f"/log-in?then={address(job)}"))
    assert heading(browser.log_in(then=address(job))) == "Avtale om båtplass"


def assert_asked_to_log_in(answer: Any, job: Job) -> None:
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"/log-in?then=%2Fjobs%2F{job.pk}%2Fsigners%2F")


def test_somebody_else_is_turned_away_everywhere(browser: Browser, job: Job) -> None:
    browser.log_in(OLA, "Ola Hansen")
    for url in pages_of(job, KARI_SIGNS):
        answer = browser.get(url)
        assert answer.status_code == 403
        assert heading(answer) == "Denne siden er ikke åpen for deg"
        assert "Ola Hansen" in text(answer)
        assert tells_nothing(answer)


def test_somebody_else_can_neither_sign_nor_reject(browser: Browser, job: Job) -> None:
    browser.log_in(OLA)
    for act in ("sign", "reject"):
        assert browser.post(f"{address(job)}/{act}").status_code == 403
    job.refresh_from_db()
    assert job.status == "IN_PROGRESS"


def test_a_log_in_does_not_open_what_was_sent_as_a_link(browser: Browser, job: Job) -> None:
    browser.log_in()
    for url in pages_of(job, OLA_SIGNS):
        assert browser.get(url).status_code == 403


def test_a_link_alone_opens_nothing(browser: Browser, job: Job) -> None:
    link = sent_link(job.signers.get(number=OLA_SIGNS))
    page = browser.get(f"/s/{link.token}")
    assert heading(page) == "Skriv inn sikkerhetskoden"
    assert tells_nothing(page)
    for url in pages_of(job, OLA_SIGNS):
        answer = browser.get(url)
        assert_asked_to_log_in(answer, job)
        assert "Åpne lenken i meldingen i stedet" in text(browser.get(answer.headers["Location"]))


def test_link_and_code_open_one_signers_pages_under_a_clean_address(browser: Browser, job: Job) -> None:
    link = sent_link(job.signers.get(number=OLA_SIGNS))
    page = browser.enter(link)
    assert heading(page) == "Avtale om båtplass"
    assert page.redirect_chain == [(address(job, OLA_SIGNS), 302)]
    assert browser.get(address(job, KARI_SIGNS)).status_code == 302
    # With the code entered, the link leads straight on.
    assert browser.get(f"/s/{link.token}").headers["Location"] == address(job, OLA_SIGNS)


def test_a_link_and_code_open_nothing_of_another_signer(browser: Browser, store: str) -> None:
    job = create(contact("a@example.com"), contact("b@example.com"))
    browser.enter(sent_link(job.signers.get(number=1)))
    assert browser.get(address(job, 1)).status_code == 200
    for url in pages_of(job, 2):
        assert_asked_to_log_in(browser.get(url), job)


def test_forms_get_a_new_token_with_the_right_code(browser: Browser, job: Job) -> None:
    link = sent_link(job.signers.get(number=OLA_SIGNS))
    browser.get(f"/s/{link.token}")
    before = browser.cookies["segl_csrf"].value
    browser.enter(link)
    assert browser.cookies["segl_csrf"].value != before


def test_who_came_by_link_and_code_can_log_out(browser: Browser, job: Job) -> None:
    assert 'action="/log-out"' in text(browser.enter(sent_link(job.signers.get(number=OLA_SIGNS))))


def test_a_session_lasts_from_each_page_on_but_not_from_its_pictures(browser: Browser, job: Job) -> None:
    browser.log_in()
    assert "segl_session" in browser.get("/").cookies
    assert "segl_session" in browser.get(address(job)).cookies
    assert "segl_session" not in browser.get(f"{address(job)}/documents/1/pages/1/picture?w=480").cookies


def test_a_right_code_forgets_who_used_the_browser_before(browser: Browser, job: Job) -> None:
    browser.log_in()
    page = browser.enter(sent_link(job.signers.get(number=OLA_SIGNS)))
    assert "Logg inn med eID for å signere" in text(page)
    assert "Kari Nordmann" not in text(page)
    assert browser.get(address(job, KARI_SIGNS)).status_code == 302


def test_a_new_session_begins_with_the_right_code(browser: Browser, job: Job) -> None:
    browser.log_in()
    before = browser.cookies["segl_session"].value
    browser.enter(sent_link(job.signers.get(number=OLA_SIGNS)))
    assert browser.cookies["segl_session"].value != before


def test_too_low_a_level_shows_the_nonsensitive_title_alone(browser: Browser, job: Job) -> None:
    listed = browser.log_in(level=3)
    assert "Avtale fra kommunen" in text(listed)
    assert tells_nothing(listed)
    for url in pages_of(job, KARI_SIGNS):
        page = browser.get(url)
        assert page.status_code == 403
        assert heading(page) == "Avtale fra kommunen"
        assert "sikkerhetsnivå 4" in text(page)
        assert tells_nothing(page)
    assert heading(browser.log_in(level=4, then=address(job))) == "Avtale om båtplass"


def test_the_level_that_a_job_needs_is_asked_for(browser: Browser, job: Job) -> None:
    def asked_for(then: str) -> str:
        url = browser.post("/log-in", {"then": then}).headers["Location"]
        return text(browser.get(url)).split("Tjenesten ber om nivå ")[1][0]

    browser.log_in(level=3)
    assert asked_for(address(job)) == "4"
    assert asked_for("/") == "3"
    browser.enter(sent_link(job.signers.get(number=OLA_SIGNS)))
    assert asked_for(address(job, OLA_SIGNS)) == "4"
    assert asked_for(address(job, KARI_SIGNS)) == "3"


def test_level_three_is_enough_where_the_sender_says_so(browser: Browser, store: str) -> None:
    low = create(person(KARI), contents=[pdf("A")], required_authentication=AuthenticationLevel.THREE)
    assert heading(browser.log_in(level=3, then=address(low))) == "Avtale om båtplass"


@pytest.mark.parametrize(
    "path",
    ["/jobs/99999999999999999999/signers/1", "/s/unknown", "/nowhere"],
)
def test_what_does_not_exist_is_not_found(browser: Browser, job: Job, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert heading(answer) == "Siden finnes ikke"


@pytest.mark.parametrize(
    "below", ["2/original", "1/pages/2/picture?w=480", "1/pages/0/picture?w=480", "1/pages/1/picture?w=5000"]
)
def test_a_document_or_page_that_does_not_exist_is_not_found(browser: Browser, job: Job, below: str) -> None:
    browser.log_in()
    assert browser.get(f"{address(job)}/documents/{below}").status_code == 404


def test_results_are_not_there_before_they_are_made(browser: Browser, job: Job) -> None:
    browser.log_in()
    assert browser.get(f"{address(job)}/signed.pdf").status_code == 404
    assert browser.get(f"{address(job)}/xades").status_code == 404
    assert browser.get(f"{address(job)}/receipt").headers["Location"] == address(job)


def test_after_logging_out_everything_is_closed(browser: Browser, job: Job) -> None:
    browser.enter(sent_link(job.signers.get(number=OLA_SIGNS)))
    browser.post("/log-out")
    assert_asked_to_log_in(browser.get(address(job, OLA_SIGNS)), job)


def test_two_browsers_do_not_share_what_they_may_see(new_browser: Callable[[], Browser], job: Job) -> None:
    new_browser().log_in()
    assert new_browser().get(address(job)).status_code == 302
