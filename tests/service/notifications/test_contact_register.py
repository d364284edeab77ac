"""The contact register's client, over HTTP against the sandbox's register, which checks its requests."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from builders import KARI, OLA
from registers import RunningRegister, running_register
from segl.sandbox.faults.pending import Fault, Faults
from segl.sandbox.pki import SandboxPki
from segl.sandbox.stand_ins.contact_register import usual_email
from segl.service import clock, configuration, remote
from segl.service.notifications import contact_register
from segl.service.notifications.contact_register import ContactDetails, HttpContactRegister
from segl.service.remote import RemoteError

ADDRESSES = {"epostadresse": "kari@example.com", "mobiltelefonnummer": "+4799999999"}
FOUND = {"personidentifikator": KARI, "reservasjon": "NEI", "status": "AKTIV", "kontaktinformasjon": ADDRESSES}


@pytest.fixture
def register(tmp_path: Path, pki: SandboxPki) -> Iterator[RunningRegister]:
    with running_register(tmp_path, pki) as running:
        yield running


def tokens(register: RunningRegister) -> int:
    """How many tokens the client has requested."""
    return register.asked.count(register.registered.token_endpoint)


def test_everyone_has_an_address_unless_a_test_says_otherwise(register: RunningRegister) -> None:
    assert register.client().look_up(OLA) == ContactDetails(is_reserved=False, email=usual_email(OLA))


@pytest.mark.parametrize(
    ("registered", "found"),
    [
        ({"kontaktinformasjon": ADDRESSES}, ContactDetails(False, "kari@example.com", "+4799999999")),
        ({"kontaktinformasjon": {"epostadresse": " k@example.com "}}, ContactDetails(False, "k@example.com")),
        ({"kontaktinformasjon": {"mobiltelefonnummer": "99999999"}}, ContactDetails(False, "", "99999999")),
        ({"kontaktinformasjon": {}}, ContactDetails(False)),
        ({}, ContactDetails(False)),
        ({"kontaktinformasjon": ADDRESSES, "varslingsstatus": "KAN_IKKE_VARSLES"}, ContactDetails(False)),
        ({"kontaktinformasjon": ADDRESSES, "status": "SLETTET"}, ContactDetails(False)),
        ({"status": "IKKE_REGISTRERT"}, ContactDetails(False)),
        (
            {"reservasjon": "JA", "kontaktinformasjon": ADDRESSES},
            ContactDetails(True, "kari@example.com", "+4799999999"),
        ),
        ({"reservasjon": "JA", "status": "IKKE_REGISTRERT"}, ContactDetails(True)),
    ],
)
def test_what_is_registered_is_found(
    register: RunningRegister, registered: dict[str, Any], found: ContactDetails
) -> None:
    register.edit(personer=[{"personidentifikator": KARI, **registered}])
    assert register.client().look_up(KARI) == found


def test_a_token_is_used_until_shortly_before_it_expires(
    register: RunningRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.wall()
    monkeypatch.setattr(clock, "wall", lambda: now)
    client = register.client()
    for seconds, expected in [(0, 1), (108, 1), (109.5, 2), (217, 2)]:
        at(monkeypatch, now + timedelta(seconds=seconds))
        client.look_up(KARI)
        assert tokens(register) == expected


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Set every clock to this, including that of Django's signatures."""
    monkeypatch.setattr(clock, "wall", lambda: moment)
    monkeypatch.setattr("django.core.signing.time.time", moment.timestamp)


def test_a_rejected_token_is_not_used_again(register: RunningRegister, monkeypatch: pytest.MonkeyPatch) -> None:
    client = register.client()
    client.look_up(KARI)
    client._maskinporten._token = "revoked"
    with pytest.raises(RemoteError, match=r"The contact register answered with HTTP status 401 \(Unauthorized\)\."):
        client.look_up(KARI)
    client.look_up(KARI)
    assert tokens(register) == 2


def test_a_grant_of_another_client_gets_no_token(register: RunningRegister) -> None:
    register.registered = replace(register.registered, client_id="stranger")
    with pytest.raises(RemoteError, match=r"The token server answered with HTTP status 400 \(Bad Request\)\."):
        register.client().look_up(KARI)


def test_a_register_that_is_down_raises_an_error_that_says_so(register: RunningRegister) -> None:
    client = register.client()
    client.look_up(KARI)
    Faults(configuration.current().folder).add(Fault(fault="register-down"))
    with pytest.raises(RemoteError, match="The contact register answered with HTTP status 503"):
        client.look_up(KARI)
    with pytest.raises(RemoteError, match="The token server answered with HTTP status 503"):
        register.client().look_up(KARI)
    Faults(configuration.current().folder).take_back()
    assert client.look_up(KARI).email


def test_a_register_that_cannot_be_reached_raises_an_error_that_says_so(register: RunningRegister) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        root = f"http://127.0.0.1:{free.getsockname()[1]}"
    register.registered = replace(register.registered, url=root)
    with pytest.raises(RemoteError, match=r"The contact register did not answer: ConnectionRefusedError"):
        register.client().look_up(KARI)


def test_this_machine_is_reached_without_the_environments_proxy(
    register: RunningRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert register.client().look_up(KARI).email


def test_neither_a_url_nor_a_log_has_the_identity_number(
    register: RunningRegister, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        register.client().look_up(KARI)
    assert len(register.asked) == 2
    assert KARI not in caplog.text + str(register.asked)


class _Tokens:
    """Replaces the token server."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def token(self) -> str:
        return "token"

    def forget(self, token: str) -> None:
        self.forgotten.append(token)


def answering(answer: httpx.Response | Callable[[httpx.Request], httpx.Response]) -> HttpContactRegister:
    """A client of a register that gives this answer."""
    handler = answer if callable(answer) else lambda _: answer
    http = remote.Http(client=lambda: httpx.AsyncClient(transport=httpx.MockTransport(handler)))
    return HttpContactRegister("https://register", maskinporten=_Tokens(), http=http)  # type: ignore[arg-type]


def test_a_client_that_may_not_ask_for_the_varslingsstatus_gets_the_addresses() -> None:
    client = answering(httpx.Response(200, json={"personer": [FOUND]}))
    assert client.look_up(KARI) == ContactDetails(False, "kari@example.com", "+4799999999")


def test_a_slash_at_the_end_of_the_url_makes_no_difference() -> None:
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append((request.method, str(request.url), request.headers["Authorization"]))
        return httpx.Response(200, json={"personer": [FOUND]})

    client = answering(answer)
    HttpContactRegister("https://register/", maskinporten=client._maskinporten, http=client._http).look_up(KARI)
    assert requests == [("POST", "https://register/rest/v2/personer", "Bearer token")]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text=f"<html>{KARI}</html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"personer": []}),
        httpx.Response(200, json={"personer": [FOUND | {"personidentifikator": OLA}]}),
        httpx.Response(200, json={"personer": [FOUND, FOUND]}),
        httpx.Response(200, json={"personer": [FOUND | {"reservasjon": "KANSKJE"}]}),
        httpx.Response(200, json={"personer": [FOUND | {"status": None}]}),
        httpx.Response(302, headers={"Location": "https://elsewhere"}),
        httpx.Response(599),
    ],
)
def test_an_answer_that_cannot_be_understood_counts_as_no_answer(answer: httpx.Response) -> None:
    with pytest.raises(RemoteError, match=r"^The contact register (answered with|did not answer with) ") as error:
        answering(answer).look_up(KARI)
    assert KARI not in str(error.value)


@pytest.mark.parametrize(
    "number",
    [
        "99\r\n99999999",
        "9999\x009999",
        "9" * 100_000,
        "9" * 32,
        "12",
        "tel:99999999",
        "99999999;ext=1",
        "٩٩٩٩٩٩٩٩",
        "\ud800",
    ],
    ids=lambda number: ascii(number[:20]),
)
def test_what_cannot_be_a_telephone_number_counts_as_none(number: str) -> None:
    person = FOUND | {"kontaktinformasjon": {"epostadresse": "kari@example.com", "mobiltelefonnummer": number}}
    answer = httpx.Response(200, content=json.dumps({"personer": [person]}))
    assert answering(answer).look_up(KARI) == ContactDetails(False, "kari@example.com")


@pytest.mark.parametrize(
    "number", ["99999999", "+4799999999", "+47 99 99 99 99", "0047 (999) 99-999", "+1 202.555.0100"]
)
def test_a_telephone_number_is_kept_as_written(number: str) -> None:
    person = FOUND | {"kontaktinformasjon": {"mobiltelefonnummer": f" {number} "}}
    answer = httpx.Response(200, json={"personer": [person]})
    assert answering(answer).look_up(KARI) == ContactDetails(False, mobile=number)


def test_a_token_that_led_to_no_answer_is_not_used_again() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError("Illegal header value")

    client = answering(fail)
    with pytest.raises(RemoteError, match="did not answer"):
        client.look_up(KARI)
    assert client._maskinporten.forgotten == ["token"]  # type: ignore[attr-defined]  # these are ours


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "tøken", "expires_in": 119},
        {"access_token": "token\nX-Evil: 1", "expires_in": 119},
        {"access_token": "\ud800", "expires_in": 119},
        {"access_token": "", "expires_in": 119},
        {"access_token": "token", "expires_in": 10**21},
        {"access_token": "token", "expires_in": 24 * 3600 + 1},
        {"access_token": "token", "expires_in": 0},
        {"access_token": "token", "expires_in": -5},
        {"access_token": "token", "expires_in": "119"},
        {"access_token": "token", "expires_in": float("nan")},
        {"access_token": "token"},
    ],
)
def test_a_token_that_cannot_be_used_counts_as_no_answer(register: RunningRegister, answer: dict[str, Any]) -> None:
    """And is not kept: a new one is requested."""
    maskinporten = register.client()._maskinporten
    answers = iter([answer, {"access_token": "token", "expires_in": 119}])
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=json.dumps(next(answers))))
    maskinporten._http = remote.Http(client=lambda: httpx.AsyncClient(transport=transport))
    with pytest.raises(RemoteError, match=r"^The token server answered without a usable access_token"):
        maskinporten.token()
    assert maskinporten.token() == "token"


def test_a_process_without_a_register_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_register, "_current", None)
    with pytest.raises(RemoteError, match=r"write the settings of `\[contact_register\]`"):
        contact_register.current()
