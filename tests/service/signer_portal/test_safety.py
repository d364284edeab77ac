"""What every answer says to browsers, and that no form can be forged."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from django.test import Client, override_settings

from away import AWAY
from browsers import Browser, address, heading, text
from builders import KARI, contact, create, person, sent_link
from django_environment import use_database
from pdfs import pdf
from segl.service.http import request_ids
from segl.service.store.models import Job


@pytest.fixture
def job(store: str) -> Job:
    return create(person(KARI), contact(), contents=[pdf("Leie av plass 14")])


def test_nothing_from_elsewhere_and_no_script_may_run(browser: Browser, job: Job) -> None:
    for path in ("/", "/nowhere", address(job), "/test-eid"):
        policy = browser.get(path).headers["Content-Security-Policy"]
        assert policy == (
            "default-src 'none'; style-src 'self'; img-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )


def test_pages_are_neither_cached_nor_sniffed_nor_sent_as_referrer(browser: Browser, job: Job) -> None:
    browser.log_in()
    for path in ("/", address(job), f"{address(job)}/documents/1/original"):
        headers = browser.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in headers


def test_over_https_browsers_are_asked_to_stay_there(browser: Browser) -> None:
    assert browser.get("/", secure=True).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_no_page_has_script_or_inline_style(browser: Browser, job: Job) -> None:
    pages = [browser.get("/"), browser.log_in(), browser.get(address(job)), browser.get(f"{address(job)}/reject")]
    for page in pages:
        assert "<script" not in text(page)
        assert "style=" not in text(page)
        assert " on" + "click" not in text(page)


def test_every_form_is_refused_without_its_token(browser: Browser, job: Job) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    browser.log_in()
    link = sent_link(job.signers.get(number=2))
    paths = ["/log-in", "/log-out", "/language", f"/s/{link.token}", f"/s/{link.token}/new-code"]
    for path in [*paths, f"{address(job)}/sign", f"{address(job)}/reject", "/test-eid"]:
        answer = strict.post(path, {"code": link.code, "language": "nb"})
        assert answer.status_code == 403, path
        assert "Siden gjelder ikke lenger" in text(answer)
        assert "Content-Security-Policy" in answer.headers
    job.refresh_from_db()
    assert job.status == "IN_PROGRESS"


def test_our_own_failures_have_a_page_too(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.log_in()
    monkeypatch.setattr("segl.service.signer_portal.views.log_in.signers_of_person", lambda **_: 1 / 0)
    browser.raise_request_exception = False
    with request_ids.working_on("0123456789abcdef"):
        page = browser.get("/")
    assert page.status_code == 500
    assert "0123456789abcdef" in text(page)
    assert heading(page) == "Vi kan ikke vise siden nå"
    assert "Content-Security-Policy" in page.headers


@pytest.mark.parametrize("path", ["/", "{job}", "{job}/documents/1/original"])
def test_an_outage_has_a_page_and_a_line_in_the_log(
    browser: Browser, job: Job, document_folder: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    browser.log_in()
    browser.raise_request_exception = False
    document_folder.rename(document_folder.with_name("elsewhere"))
    with use_database(AWAY["sqlite"]) if path == "/" else nullcontext():
        page = browser.get(path.format(job=address(job)))
    assert (page.status_code, page.headers["Retry-After"]) == (503, "10")
    assert heading(page) == "Vi kan ikke vise siden nå"
    [line] = [each.getMessage() for each in caplog.records if each.name.startswith("segl")]
    assert line.startswith("A page cannot be shown for now: the d")
    assert "\n" not in line


def test_a_foreign_host_name_gets_a_page_too(browser: Browser) -> None:
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        page = browser.get("/", headers={"host": "evil.example"})
    assert page.status_code == 400
    assert heading(page) == "Siden kan ikke vises"
    assert "evil.example" not in text(page)


@pytest.mark.parametrize("act", ["sign", "receipt", "signed.pdf", "xades"])
def test_pages_answer_to_the_methods_they_are_made_for_alone(browser: Browser, job: Job, act: str) -> None:
    browser.log_in()
    wrong = browser.get if act == "sign" else browser.post
    assert wrong(f"{address(job)}/{act}").status_code == 405


def test_static_files_are_kept_for_good_under_an_address_of_their_content(browser: Browser) -> None:
    page = text(browser.get("/"))
    url = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = browser.get(url)
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert browser.get(url.split("?")[0]).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fviews.py", "../urls.py", ".", "segl.css%00"])
def test_nothing_but_static_files_is_served_as_one(browser: Browser, name: str) -> None:
    assert browser.get(f"/static/{name}").status_code == 404


def test_session_cookies_are_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    browser.log_in()
    cookie = browser.cookies["segl_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_looking_around_leaves_no_session_behind(browser: Browser) -> None:
    browser.get("/")
    assert "segl_session" not in browser.cookies


@pytest.mark.parametrize("cookie", ["", "x", "\\000" * 9, "A" * 32, "æ", "0" * 33])
def test_a_cookie_that_is_not_a_session_is_ignored(browser: Browser, cookie: str) -> None:
    assert browser.get("/", HTTP_COOKIE=f'segl_session="{cookie}"').status_code == 200
