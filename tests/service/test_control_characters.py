"""No parameter, header or cookie with a control character is a failure; PostgreSQL stores no NUL, SQLite any text."""

from urllib.parse import quote

import pytest
from django.urls import reverse

from browsers import Browser, address
from builders import contact, create, person, sent_link
from pdfs import pdf

BAD = ("\0", "13097248022\0\x01\x85")


def requests(given: str) -> list[tuple[str, dict[str, str] | None]]:
    """Paths, with the form where one is posted, that have this value wherever there is one."""
    shown = quote(given)
    return [
        (f"/?page={shown}", None),
        (f"/log-in?then={shown}", None),
        (f"/log-in/return?state={shown}&code={shown}&error={shown}", None),
        (f"/s/{shown}", None),
        (f"/{shown}", None),
        (f"/test-eid?request={shown}", None),
        (f"/outbox?to={shown}", None),
        ("/log-in", {"then": given}),
        (f"/s/{shown}", {"code": given}),
        (f"/s/{shown}/new-code", {}),
        (reverse("language"), {"next": given, "language": given}),
    ]


@pytest.mark.parametrize("given", BAD, ids=ascii)
def test_a_page_that_is_given_one_does_not_fail(store: str, given: str) -> None:
    job = create(person(), contact(), contents=[pdf("Avtale")])
    link = sent_link(job.signers.get(number=2))
    browser = Browser()
    answers = [
        browser.get(path) if form is None else browser.post(path, form, follow=True) for path, form in requests(given)
    ]
    answers.append(browser.post(f"/s/{link.token}", {"code": given}))
    log_in = browser.post("/log-in", {"then": "/"}).headers["Location"]
    answers.append(browser.post(log_in, {"identity_number": given, "name": given, "level": given}))
    browser.log_in()
    for path, name in ((f"{address(job)}/sign", "log_in"), (f"{address(job)}/sign", "language")):
        answers.append(browser.post(path, {name: given}, headers={"user-agent": given}))
    answers.append(browser.get(f"{address(job)}/documents/1/pages/1/picture?w={quote(given)}"))
    browser.cookies["segl_session"] = browser.cookies["segl_language"] = given
    answers.append(browser.get("/"))
    assert [each.status_code for each in answers if each.status_code >= 500] == []
