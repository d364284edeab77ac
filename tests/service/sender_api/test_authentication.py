"""Who calls: the organization of the certificate, for itself or for one that authorized it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from api_answers import error
from certificates import NOW, Authority, subject
from configured import configured
from segl.service import clock
from segl.service.organizations import block_organization, unblock_organization
from segl.service.sender_api import authentication
from segl.service.store.models import Organization

PUBLIC, PRIVATE, BROKER = "123456789", "310248711", "318602352"
Apis = dict[str, Any]


def test_an_organization_can_ask_who_it_is(apis: Apis) -> None:
    for number in (PUBLIC, PRIVATE):
        answer = apis[number].get(f"/api/{number}")
        assert (answer.status_code, answer.content) == (200, f"You are {number}".encode())


def test_a_broker_can_ask_for_whom_it_acts(apis: Apis) -> None:
    answer = apis[BROKER].get(f"/api/{PUBLIC}")
    assert answer.content == b"You are 318602352, operating on behalf of 123456789"


@pytest.mark.parametrize(("caller", "sender"), [(BROKER, PRIVATE), (PUBLIC, BROKER), (PRIVATE, PUBLIC)])
def test_nobody_acts_for_one_who_did_not_authorize_them(apis: Apis, caller: str, sender: str) -> None:
    status, code, message = error(apis[caller].get(f"/api/{sender}"))
    assert (status, code) == (403, "BROKER_NOT_AUTHORIZED")
    assert caller in message
    assert sender in message


def test_an_unknown_sender_is_as_one_who_did_not_authorize(apis: Apis) -> None:
    assert error(apis[PUBLIC].get("/api/999999999"))[:2] == (403, "BROKER_NOT_AUTHORIZED")


@pytest.mark.parametrize("sender", ["x", "12345678901", "%00", "%C3%A6", "%D9%A1" * 9, "1" * 5000, "' OR 1=1"])
def test_what_is_no_organization_number_is_no_address(apis: Apis, sender: str) -> None:
    assert error(apis[PUBLIC].get(f"/api/{sender}"))[:2] == (404, "NOT_FOUND")


def test_a_caller_without_certificate_is_refused(api: Any) -> None:
    for nothing in (None, b""):
        status, code, message = error(type(api)(nothing).get(f"/api/{PUBLIC}"))
        assert (status, code) == (403, "NOT_AUTHORIZED")
        assert "has no client certificate" in message


def test_a_certificate_of_another_root_is_refused(api: Any) -> None:
    foreign = Authority.root().intermediate().organization(PUBLIC)
    status, code, message = error(type(api)(foreign.certificate).get(f"/api/{PUBLIC}"))
    assert (status, code) == (403, "NOT_AUTHORIZED")
    assert "not trusted" in message


def test_a_certificate_that_cannot_be_read_is_refused(api: Any) -> None:
    der = Authority.root().organization(PUBLIC).certificate.public_bytes(Encoding.DER)
    for broken in (b"garbage", der.replace(b"Virksomhet", b"Virksom\xff\xff\xff")):
        status, code, message = error(type(api)(broken).get(f"/api/{PUBLIC}"))
        assert (status, code) == (403, "NOT_AUTHORIZED")
        assert "cannot be read" in message


def test_a_certificate_without_an_organization_number_is_refused(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Authority.root()
    anchors = tmp_path / "root.pem"
    anchors.write_bytes(root.key.certificate.public_bytes(Encoding.PEM))
    monkeypatch.setattr(clock, "wall", lambda: NOW)
    with configured(trust_anchors=(anchors,), intermediates=()):
        authentication.trust.cache_clear()
        nobody = root.issue(subject("Virksomhet AS")).certificate
        status, code, message = error(type(api)(nobody).get(f"/api/{PUBLIC}"))
    assert (status, code) == (403, "NOT_AUTHORIZED")
    assert "names no organization number" in message


def test_an_organization_that_is_not_registered_is_refused(apis: Apis) -> None:
    Organization.objects.filter(pk=PRIVATE).delete()
    status, code, message = error(apis[PRIVATE].get(f"/api/{PRIVATE}"))
    assert (status, code) == (403, "NOT_AUTHORIZED")
    assert f"{PRIVATE}, named in the client certificate, is not registered" in message


def test_a_certificate_is_checked_again_after_a_while(apis: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    assert apis[PUBLIC].get(f"/api/{PUBLIC}").status_code == 200
    later = clock.wall() + timedelta(days=365 * 30)
    monkeypatch.setattr(clock, "wall", lambda: later)
    assert error(apis[PUBLIC].get(f"/api/{PUBLIC}"))[:2] == (403, "NOT_AUTHORIZED")


def test_a_certificate_is_checked_by_the_wall_clock(apis: Apis) -> None:
    clock.move(timedelta(days=365 * 30))
    assert apis[PUBLIC].get(f"/api/{PUBLIC}").status_code == 200


def test_a_broker_that_lost_its_authorization_is_refused_at_once(apis: Apis) -> None:
    assert apis[BROKER].get(f"/api/{PUBLIC}").status_code == 200
    Organization.objects.get(pk=PUBLIC).brokers.clear()
    assert error(apis[BROKER].get(f"/api/{PUBLIC}"))[:2] == (403, "BROKER_NOT_AUTHORIZED")


def test_a_blocked_organization_is_let_in_by_no_one_until_it_is_unblocked(apis: Apis) -> None:
    block_organization(number=PUBLIC)
    for caller in (PUBLIC, BROKER):
        status, code, message = error(apis[caller].get(f"/api/{PUBLIC}"))
        assert (status, code) == (403, "NOT_AUTHORIZED")
        assert message == f"Organization {PUBLIC} is blocked here: contact the operator of the service."
    unblock_organization(number=PUBLIC)
    assert apis[PUBLIC].get(f"/api/{PUBLIC}").status_code == 200


def test_a_blocked_broker_acts_for_nobody(apis: Apis) -> None:
    block_organization(number=BROKER)
    for sender in (BROKER, PUBLIC, PRIVATE):
        assert error(apis[BROKER].get(f"/api/{sender}"))[:2] == (403, "NOT_AUTHORIZED")


def test_only_brokers_of_a_sender_learn_that_it_is_blocked(apis: Apis) -> None:
    block_organization(number=PUBLIC)
    assert error(apis[PRIVATE].get(f"/api/{PUBLIC}"))[:2] == (403, "BROKER_NOT_AUTHORIZED")


def test_a_root_configured_with_a_slash_at_its_end_works_too(api: Any) -> None:
    assert api.get(f"/api//{PUBLIC}").status_code == 200
    assert api.get(f"/api//{PUBLIC}/portal/signature-jobs").status_code == 204
    assert error(api.get(f"/api///{PUBLIC}"))[:2] == (404, "NOT_FOUND")
