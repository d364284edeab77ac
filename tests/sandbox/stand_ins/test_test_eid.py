"""The test eID: what its page asks for, and that only its own answers to a log-in are believed."""

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from django.http import HttpResponse
from django.test import Client

from segl.sandbox.stand_ins.test_eid import EidForTests
from segl.service.identity.provider import LogInAbortedError, LogInFailedError, LogInRequest

WHO = {"identity_number": "12345678910", "name": "Kari Nordmann", "level": "4"}
LOG_IN = LogInRequest(level=4, state="a secret", return_url="http://127.0.0.1:8080/log-in/return")


def get() -> HttpResponse:
    """The page, for `LOG_IN`."""
    return Client().get(EidForTests().begin(LOG_IN))


def post(entered: dict[str, str]) -> HttpResponse:
    """Send the page's form."""
    return Client().post(EidForTests().begin(LOG_IN), entered)


def parameters(response: HttpResponse) -> dict[str, str]:
    """What the service is given when the browser comes back."""
    address, _, query = response.headers["Location"].partition("?")
    assert address == LOG_IN.return_url
    return dict(parse_qsl(query))


def test_the_high_level_is_chosen_at_first() -> None:
    page = get().content.decode()
    assert 'name="level" value="4" checked' in page
    assert 'name="level" value="3">' in page


@pytest.mark.parametrize(
    ("entered", "error"),
    [
        ({"identity_number": "1234567891"}, "Skriv et fødselsnummer med 11 sifre."),
        ({"identity_number": "1234567891x"}, "Skriv et fødselsnummer med 11 sifre."),
        ({"identity_number": "१२३४५६७८९१०"}, "Skriv et fødselsnummer med 11 sifre."),
        ({"name": " "}, "Skriv et navn med høyst 100 tegn."),
        ({"name": "K" * 101}, "Skriv et navn med høyst 100 tegn."),
        ({"name": "Kari\x07"}, "Skriv et navn med høyst 100 tegn."),
        ({"level": "5"}, "Velg et sikkerhetsnivå."),
    ],
)
def test_errors_are_shown_beside_the_field(entered: dict[str, str], error: str) -> None:
    page = post(WHO | entered)
    assert page.status_code == 422
    assert page.content.decode().count(error) == 2  # in the summary and beside the field


def test_no_address_contains_an_identity_number() -> None:
    assert "12345678910" not in post(WHO).headers["Location"]


def test_giving_up_is_reported_to_the_service() -> None:
    answer = parameters(post({"abort": "1"}))
    assert answer == {"state": LOG_IN.state, "error": "access_denied"}
    with pytest.raises(LogInAbortedError):
        EidForTests().finish(LOG_IN, answer)


def test_a_code_fits_its_own_log_in_alone() -> None:
    answer = parameters(post(WHO))
    with pytest.raises(LogInFailedError, match="belongs to another log-in"):
        EidForTests().finish(replace(LOG_IN, state="another secret"), answer)


@pytest.mark.parametrize("code", ["", "gAAAAA", "æøå"])
def test_a_code_that_it_did_not_make_is_refused(code: str) -> None:
    with pytest.raises(LogInFailedError, match="code is broken or too old"):
        EidForTests().finish(LOG_IN, {"state": LOG_IN.state, "code": code})


@pytest.mark.parametrize("request_", ["", "x"])
def test_without_a_log_in_the_page_says_so(request_: str) -> None:
    page = Client().get("/test-eid", {"request": request_})
    assert page.status_code == 400
    assert "Innloggingen har gått ut" in page.content.decode()
