"""Log-in with the test eID: what it asks for, what comes back, and that an answer fits one session and one log-in."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.urls import Resolver404, resolve

from segl.service.identity import log_ins
from segl.service.identity.provider import NoProviderError

WHO = {"identity_number": "12345678910", "name": "Kari Nordmann", "level": "4"}


@pytest.fixture
def browser(store: str) -> Client:
    return Client()


def begin(browser: Client) -> str:
    """Press «Logg inn med eID»; gives the address of the test eID's page."""
    return browser.post("/log-in", {"then": "/"}).headers["Location"]


def logged_in_as(browser: Client) -> str | None:
    request = RequestFactory().get("/")
    request.session = browser.session
    identity = log_ins.identity_of(request)
    return identity and identity.name


def test_any_identity_can_log_in(browser: Client) -> None:
    answer = browser.post(begin(browser), {**WHO, "identity_number": "123456 78910", "name": "  Kari   Nordmann "})
    assert answer.headers["Location"].startswith("http://127.0.0.1:8080/log-in/return?state=")
    assert browser.get(answer.headers["Location"]).headers["Location"] == "/"

    request = RequestFactory().get("/")
    request.session = browser.session
    identity = log_ins.identity_of(request)
    assert identity is not None
    assert identity.personal_identification_number == "12345678910"
    assert identity.name == "Kari Nordmann"
    assert (identity.method, identity.level) == ("TestID", 4)


def test_giving_up_is_shown_and_leads_back(browser: Client) -> None:
    location = browser.post(begin(browser), {"abort": "1"}).headers["Location"]
    page = browser.get(location)
    assert page.status_code == 400
    assert "Du avbrøt innloggingen" in page.content.decode()
    assert logged_in_as(browser) is None


def test_an_answer_counts_once(browser: Client) -> None:
    location = browser.post(begin(browser), WHO).headers["Location"]
    assert browser.get(location).status_code == 302
    assert browser.get(location).status_code == 400


def test_an_answer_counts_in_the_browser_that_asked_alone(browser: Client) -> None:
    location = browser.post(begin(browser), WHO).headers["Location"]
    other = Client()
    begin(other)
    page = other.get(location)
    assert page.status_code == 400
    assert "Innloggingen lyktes ikke" in page.content.decode()
    assert logged_in_as(other) is None


def test_a_code_fits_its_own_log_in_alone(browser: Client) -> None:
    other = Client()
    foreign = parse_qs(urlsplit(other.post(begin(other), WHO).headers["Location"]).query)
    own = parse_qs(urlsplit(browser.post(begin(browser), WHO).headers["Location"]).query)
    page = browser.get("/log-in/return", {"state": own["state"][0], "code": foreign["code"][0]})
    assert page.status_code == 400
    assert logged_in_as(browser) is None


@pytest.mark.parametrize("code", ["", "gAAAAA", "æøå"])
def test_a_code_that_the_test_eid_did_not_make_is_refused(browser: Client, code: str) -> None:
    own = parse_qs(urlsplit(browser.post(begin(browser), WHO).headers["Location"]).query)
    assert browser.get("/log-in/return", {"state": own["state"][0], "code": code}).status_code == 400


def test_what_the_test_eid_was_asked_is_no_code(browser: Client) -> None:
    page = begin(browser)
    [asked] = parse_qs(urlsplit(page).query)["request"]
    own = parse_qs(urlsplit(browser.post(page, WHO).headers["Location"]).query)
    assert browser.get("/log-in/return", {"state": own["state"][0], "code": asked}).status_code == 400


def test_a_code_is_good_for_a_minute(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    location = browser.post(begin(browser), WHO).headers["Location"]
    late = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: late)
    assert browser.get(location).status_code == 400
    assert logged_in_as(browser) is None


def test_a_log_in_takes_half_an_hour_at_most(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    location = browser.post(begin(browser), WHO).headers["Location"]
    late = time.time() + 30 * 60 + 1
    monkeypatch.setattr(time, "time", lambda: late)
    request = RequestFactory().get("/log-in/return")
    request.COOKIES["segl_log_in"] = browser.cookies["segl_log_in"].value
    assert log_ins.wanted(request) == ""
    assert browser.get(location).status_code == 400


def test_the_page_is_good_for_half_an_hour(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    page = begin(browser)
    late = time.time() + 30 * 60 + 1
    monkeypatch.setattr(time, "time", lambda: late)
    assert "Innloggingen har gått ut" in browser.get(page).content.decode()


@pytest.mark.parametrize("state", ["", "guessed", "æøå"])
def test_an_answer_without_the_log_ins_secret_is_refused(browser: Client, state: str) -> None:
    own = parse_qs(urlsplit(browser.post(begin(browser), WHO).headers["Location"]).query)
    assert browser.get("/log-in/return", {"state": state, "code": own["code"][0]}).status_code == 400
    assert logged_in_as(browser) is None


def test_the_start_of_a_log_in_leaves_nothing_in_the_database(browser: Client) -> None:
    for _ in range(3):
        begin(browser)
    assert "segl_session" not in browser.cookies
    assert Session.objects.count() == 0
    cookie = browser.cookies["segl_log_in"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/log-in/return")
    browser.get(browser.post(begin(browser), WHO).headers["Location"])
    assert browser.cookies["segl_log_in"].value == ""
    assert Session.objects.count() == 1


@pytest.mark.parametrize("changed", ["", "x", "{}", "{}:x:y"])
def test_the_start_of_a_log_in_cannot_be_forged(browser: Client, changed: str) -> None:
    location = browser.post(begin(browser), WHO).headers["Location"]
    browser.cookies["segl_log_in"] = changed
    assert browser.get(location).status_code == 400
    assert logged_in_as(browser) is None


def test_the_session_gets_a_new_key_at_log_in(browser: Client) -> None:
    browser.get(browser.post(begin(browser), WHO).headers["Location"])
    location = browser.post(begin(browser), WHO).headers["Location"]
    before = browser.cookies["segl_session"].value
    browser.get(location)
    assert browser.cookies["segl_session"].value != before


def test_forms_get_a_new_token_at_log_in_and_out(browser: Client) -> None:
    browser.get("/log-in")
    before = browser.cookies["segl_csrf"].value
    browser.get(browser.post(begin(browser), WHO).headers["Location"])
    within = browser.cookies["segl_csrf"].value
    browser.post("/log-out")
    assert len({before, within, browser.cookies["segl_csrf"].value}) == 3


def test_logging_out_forgets_everything(browser: Client) -> None:
    browser.get(browser.post(begin(browser), WHO).headers["Location"])
    assert logged_in_as(browser) == "Kari Nordmann"
    assert "Du er logget ut" in browser.post("/log-out").content.decode()
    assert logged_in_as(browser) is None
    assert browser.get("/log-out").status_code == 405


def test_outside_a_sandbox_there_is_no_test_eid(browser: Client, no_sandbox: None) -> None:
    page = browser.post("/log-in", {"then": "/"})
    assert page.status_code == 503
    assert "Her kan ingen logge inn" in page.content.decode()
    with pytest.raises(Resolver404):
        resolve("/test-eid", "segl.service.config.web_urls")
    with pytest.raises(NoProviderError):
        log_ins.begin(level=4, return_url="/", then="/")


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example", "/log-out", "", "/jobs/7/signers/1/sign", "x"]
)
def test_a_log_in_leads_to_pages_of_signers_alone(browser: Client, then: str) -> None:
    url = browser.post("/log-in", {"then": then}).headers["Location"]
    location = browser.post(url, WHO).headers["Location"]
    assert browser.get(location).headers["Location"] == "/"
