"""The sandbox's contact register: whom it knows, how a test edits that, and that it wants a token."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import signing
from django.test import Client

from configured import configured
from segl.sandbox.faults.pending import Fault, Faults
from segl.sandbox.stand_ins.contact_register import usual_email
from segl.sandbox.stand_ins.maskinporten import _SALT, TOKEN_SECONDS
from segl.service import configuration

KARI, OLA = "13097248022", "17054026641"
SCOPE = "krr:global/kontaktinformasjon.read"
REQUEST = {"personidentifikatorer": [KARI]}
USUAL = {"reservasjon": "NEI", "status": "AKTIV", "varslingsstatus": "KAN_VARSLES", "kontaktinformasjon": {}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    with configured(folder=tmp_path):
        yield tmp_path


def edit(values: Any) -> tuple[int, Any]:
    answer = Client().post("/contact-register", values, "application/json")
    return answer.status_code, answer.json()


def look_up(request: Any = REQUEST, authorization: str | None = None) -> tuple[int, Any]:
    if authorization is None:
        authorization = f"Bearer {signing.dumps({'scope': SCOPE}, salt=_SALT)}"
    answer = Client().post(
        "/contact-register/rest/v2/personer", request, "application/json", headers={"Authorization": authorization}
    )
    is_json = answer.headers.get("Content-Type") == "application/json"
    return answer.status_code, json.loads(answer.content) if is_json else None


def test_all_requested_people_are_returned_in_the_order_of_the_request() -> None:
    edit({"personer": [{"personidentifikator": OLA, "kontaktinformasjon": {"mobiltelefonnummer": "99999999"}}]})
    status, found = look_up({"personidentifikatorer": [KARI, OLA]})
    assert status == 200
    assert found["personer"] == [
        {"personidentifikator": KARI, **USUAL, "kontaktinformasjon": {"epostadresse": usual_email(KARI)}},
        {"personidentifikator": OLA, **USUAL, "kontaktinformasjon": {"mobiltelefonnummer": "99999999"}},
    ]


@pytest.mark.parametrize("status", ["SLETTET", "IKKE_REGISTRERT"])
def test_contact_information_is_absent_of_those_who_are_not_active(status: str) -> None:
    person = {"personidentifikator": KARI, "status": status, "kontaktinformasjon": {"epostadresse": "a@example.com"}}
    edit({"personer": [person]})
    assert "kontaktinformasjon" not in look_up()[1]["personer"][0]


def test_edited_entries_are_returned_and_can_be_removed() -> None:
    assert Client().get("/contact-register").json() == {"personer": []}
    edit({"personer": [{"personidentifikator": KARI, "reservasjon": "JA"}]})
    edit({"personer": [{"personidentifikator": OLA}, {"personidentifikator": KARI, "status": "SLETTET"}]})
    whole = [{**USUAL, "personidentifikator": KARI, "status": "SLETTET"}, {**USUAL, "personidentifikator": OLA}]
    assert Client().get("/contact-register").json() == {"personer": whole}
    assert Client().delete("/contact-register").json() == {"personer": []}
    assert look_up()[1]["personer"][0]["kontaktinformasjon"] == {"epostadresse": usual_email(KARI)}


def test_while_it_is_down_register_and_token_server_answer_503() -> None:
    faults = Faults(configuration.current().folder)
    faults.add(Fault(fault="register-down"))
    assert look_up()[0] == 503
    assert Client().post("/maskinporten/token").status_code == 503
    faults.take_back()
    assert look_up()[0] == 200
    assert Client().post("/maskinporten/token").status_code == 400


@pytest.mark.parametrize(
    "values",
    [
        [],
        "text",
        {"up": True},
        {"personer": [], "down": True},
        {},
        {"personer": {}},
        {"personer": ["11111111111"]},
        {"personer": [{}]},
        {"personer": [{"personidentifikator": "1111111111"}]},
        {"personer": [{"personidentifikator": 11111111111}]},
        {"personer": [{"personidentifikator": KARI, "reservasjon": "ja"}]},
        {"personer": [{"personidentifikator": KARI, "reservasjon": ["JA"]}]},
        {"personer": [{"personidentifikator": KARI, "status": "DØD"}]},
        {"personer": [{"personidentifikator": KARI, "varslingsstatus": ""}]},
        {"personer": [{"personidentifikator": KARI, "kontaktinformasjon": []}]},
        {"personer": [{"personidentifikator": KARI, "kontaktinformasjon": {"epost": "a@example.com"}}]},
        {"personer": [{"personidentifikator": KARI, "kontaktinformasjon": {"epostadresse": 1}}]},
        {"personer": [{"personidentifikator": OLA}, {"personidentifikator": KARI, "epostadresse": "a@example.com"}]},
    ],
)
def test_what_it_does_not_understand_is_refused_and_changes_nothing(values: Any) -> None:
    status, answer = edit(values)
    assert status == 400
    assert answer["error"]
    assert Client().get("/contact-register").json() == {"personer": []}


@pytest.mark.parametrize(
    "query",
    [[], {}, {"personidentifikatorer": []}, {"personidentifikatorer": ["1"]}, {"personidentifikatorer": [KARI] * 1001}],
)
def test_a_malformed_request_is_refused(query: Any) -> None:
    status, answer = look_up(query)
    assert status == 400
    assert answer["error"]


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer ", "Bearer nonsense", f"Bearer {signing.dumps({'scope': 'other'}, salt=_SALT)}",
     f"Bearer {signing.dumps({'scope': SCOPE}, salt='other')}"],
    ids=["none", "empty", "nonsense", "scope", "issuer"],
)  # fmt: skip
def test_without_a_token_for_it_nothing_is_returned(authorization: str) -> None:
    assert look_up(authorization=authorization) == (401, None)


def test_an_expired_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    token = signing.dumps({"scope": SCOPE}, salt=_SALT)
    later = time.time() + TOKEN_SECONDS + 2
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)
    assert look_up(authorization=f"Bearer {token}") == (401, None)
