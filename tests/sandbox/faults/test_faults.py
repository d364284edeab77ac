"""Faults on request: which can be requested, that each happens as often as requested, and where they are requested."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from smtplib import SMTPException
from typing import Any

import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.mail import EmailMessage, get_connection
from django.test import Client, override_settings

from configured import configured
from segl.core.errors import InvalidInput
from segl.sandbox.faults.pending import Call, Fault, Faults
from segl.sandbox.faults_client import FaultsClient
from segl.sandbox.stand_ins.outbox import SmsGateway, sent_messages

URL = "/sandbox/faults"
POLL = Call("123456789", "poll")
CREATE = Call("123456789", "create")


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[Faults]:
    with configured(folder=tmp_path), override_settings(ROOT_URLCONF="segl.sandbox.urls"):
        yield Faults(tmp_path)


def requested(**given: Any) -> Fault:
    return Fault.requested(given)


def use(faults: Faults, call: Call = POLL) -> str | None:
    fault = faults.use(lambda each: each.applies_to(call))
    return fault and fault.fault


def test_a_fault_happens_once_unless_more_is_requested(faults: Faults) -> None:
    faults.add(requested(fault="500"))
    faults.add(requested(fault="503", times=2))

    assert [use(faults) for _ in range(4)] == ["500", "503", "503", None]


def test_what_lies_beside_the_api_goes_on_until_it_is_taken_back(faults: Faults) -> None:
    faults.add(requested(fault="mail-down"))
    faults.add(requested(fault="eid-down", times=1))

    assert [faults.happens("mail-down") for _ in range(3)] == [True, True, True]
    assert [faults.happens("eid-down") for _ in range(2)] == [True, False]
    faults.take_back()
    assert not faults.happens("mail-down")


@pytest.mark.parametrize(
    ("given", "hit", "missed"),
    [
        ({"fault": "500"}, [POLL, CREATE, Call("310248711", "other")], []),
        ({"fault": "500", "calls": "create"}, [CREATE], [POLL]),
        ({"fault": "500", "organization": "123456789"}, [POLL], [Call("310248711", "poll")]),
        ({"fault": "too-eager"}, [POLL], [CREATE]),
        ({"fault": "duplicate", "calls": "any"}, [POLL], [CREATE]),
        ({"fault": "mail-down"}, [], [POLL, CREATE]),
    ],
)
def test_a_fault_applies_to_the_calls_it_was_requested_for(
    given: dict[str, Any], hit: list[Call], missed: list[Call]
) -> None:
    fault = Fault.requested(given)

    assert [each for each in (*hit, *missed) if fault.applies_to(each)] == hit


def test_no_fault_happens_more_often_than_requested_however_many_use_it(faults: Faults) -> None:
    for times in (30, 20):
        faults.add(requested(fault="500", times=times))

    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda _: use(faults), range(80)))

    assert used.count("500") == 50
    assert faults.pending() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("503", "JSON object"),
        ({}, '"fault" must be one of "rate-limited", "500"'),
        ({"fault": 503}, '"fault" must be one of'),
        ({"fault": ["503"]}, '"fault" must be one of'),
        ({"fault": "503", "time": 2, "x": 1}, 'no "time", "x": it may have "fault", "times"'),
        ({"fault": "503", "times": 0}, '"times" must be a whole number'),
        ({"fault": "503", "times": True}, '"times" must be a whole number'),
        ({"fault": "503", "times": 1.5}, '"times" must be a whole number'),
        ({"fault": "503", "calls": "sign"}, '"calls" must be one of "any", "create"'),
        ({"fault": "duplicate", "calls": []}, '"calls" must be one of'),
        ({"fault": "duplicate", "calls": "create"}, "applies only to polls"),
        ({"fault": "too-eager", "calls": "confirm"}, "applies only to polls"),
        ({"fault": "503", "organization": 123456789}, "9 digits in quotation marks"),
        ({"fault": "503", "organization": "12345678"}, "9 digits"),
        ({"fault": "slow"}, '"slow" needs "seconds"'),
        ({"fault": "503", "seconds": 1}, '"slow" needs "seconds"'),
        ({"fault": "slow", "seconds": 0}, '"seconds" must be a number greater than 0'),
        ({"fault": "slow", "seconds": float("nan")}, '"seconds" must be a number greater than 0'),
        ({"fault": "slow", "seconds": 601}, "at most 600"),
        ({"fault": "mail-down", "calls": "poll", "organization": "123456789"}, 'leave out "calls", "organization"'),
    ],
)
def test_anything_but_a_fault_is_refused_with_what_to_write(faults: Faults, given: object, said: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Fault.requested(given)
    assert said in str(error.value)

    answer = Client().post(URL, json.dumps(given), content_type="application/json")
    assert (answer.status_code, answer.content.decode()) == (400, f"{error.value}\n")
    assert faults.pending() == []


@pytest.mark.parametrize("body", [b" ", b"{", b"\xff", b"[" * 60_000], ids=["blank", "cut", "binary", "deep"])
def test_anything_but_json_is_refused(faults: Faults, body: bytes) -> None:
    answer = Client().post(URL, body, content_type="application/json")

    assert answer.status_code == 400
    assert b"not JSON" in answer.content


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_no_form_of_another_site_can_request_a_fault(faults: Faults, content_type: str) -> None:
    answer = Client().post(URL, b'{"fault": "503"}', content_type=content_type)

    assert answer.status_code == 415
    assert faults.pending() == []


def test_a_script_of_another_site_is_not_permitted_to_request_one(faults: Faults) -> None:
    preflight = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    answer = Client().options(URL, headers=preflight)

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_faults_are_requested_listed_and_taken_back_by_http(faults: Faults) -> None:
    client = Client(enforce_csrf_checks=True)
    first, second = (
        client.post(URL, json.dumps(each), content_type="application/json; charset=utf-8")
        for each in ({"fault": "slow", "seconds": 2.5, "times": 3, "calls": "poll"}, {"fault": "mail-down"})
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert client.get(URL).json() == [first.json(), second.json()]
    fault = {"fault": "slow", "times": 3, "calls": "poll", "organization": None, "seconds": 2.5}
    assert first.json() == {**fault, "id": first.json()["id"]}
    assert client.delete(f"{URL}/{first.json()['id']}").status_code == 204
    assert client.get(URL).json() == [second.json()]
    assert client.delete(URL).status_code == 204
    assert client.get(URL).json() == []


def test_the_outbox_fails_as_smtp_does_while_the_mail_is_down(faults: Faults) -> None:
    faults.add(requested(fault="mail-down", times=1))
    mail = EmailMessage("Subject", "Text", "segl@example.com", ["ola@example.com"])
    mail.connection = get_connection("segl.sandbox.stand_ins.outbox.EmailBackend")

    with pytest.raises(SMTPException):
        mail.send()
    assert sent_messages() == []
    mail.send()
    assert [each.to for each in sent_messages()] == ["ola@example.com"]


def test_the_sms_gateway_fails_as_one_that_is_away_while_it_is_down(faults: Faults) -> None:
    faults.add(requested(fault="sms-down", times=1))

    with pytest.raises(OSError, match="down"):
        SmsGateway().send("99999999", "Text")
    assert sent_messages() == []
    SmsGateway().send("99999999", "Text")
    assert [each.to for each in sent_messages()] == ["99999999"]


def test_the_test_eid_is_away_while_it_is_down(faults: Faults) -> None:
    faults.add(requested(fault="eid-down", times=1))

    assert Client().get("/test-eid").status_code == 503
    assert Client().get("/test-eid").status_code == 400  # for the request has no log-in


def test_the_client_takes_back_what_it_requested_and_nothing_else(faults: Faults) -> None:
    faults.add(requested(fault="eid-down"))
    with client_of(faults) as client:
        client.ask("500", calls="create")
        client.ask("mail-down", times=2)
        assert [(each.fault, each.times, each.organization) for each in client.pending()] == [
            ("500", 1, "123456789"),
            ("mail-down", 2, None),
        ]
        with pytest.raises(InvalidInput, match="applies only to polls"):
            client.ask("duplicate", calls="create")
    assert [each.fault for each in faults.pending()] == ["eid-down"]


def client_of(faults: Faults) -> FaultsClient:
    client = FaultsClient(f"http://127.0.0.1:8080{URL}", "123456789")
    client._http = httpx.Client(transport=httpx.WSGITransport(WSGIHandler()))
    return client


@pytest.mark.parametrize("content", [None, "{", "[]", '{"outbox": "x"}'])
def test_anything_but_a_ready_file_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ready.json"
    if content:
        file.write_text(content)

    with pytest.raises(InvalidInput, match="is not the ready file of a running sandbox"):
        FaultsClient.sandbox(file)
