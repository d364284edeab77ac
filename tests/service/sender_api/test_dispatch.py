"""Admission: what is decided by a request's head alone, and not decided again."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import resolve

from api_answers import error
from segl.service.sender_api.dispatch import admit
from segl.service.sender_api.urls import urlpatterns
from segl.service.store.models import Organization

PUBLIC, PRIVATE = "123456789", "310248711"
JOBS = f"/api/{PUBLIC}/portal/signature-jobs"
Apis = dict[str, Any]


def request(api: Any, method: str, path: str) -> HttpRequest:
    scope = {"segl.peer_certificate": api.certificate.public_bytes(Encoding.DER)}
    return RequestFactory().generic(method, path, **{"asgi.scope": scope})  # type: ignore[arg-type]  # as WSGI has it


@pytest.mark.parametrize(
    ("caller", "method", "path", "status", "code"),
    [
        (PRIVATE, "POST", JOBS, 403, "BROKER_NOT_AUTHORIZED"),
        (PUBLIC, "DELETE", JOBS, 405, "METHOD_NOT_ALLOWED"),
        (PUBLIC, "POST", f"{JOBS}/x", 404, "NOT_FOUND"),
        (PUBLIC, "POST", "/elsewhere", 404, "NOT_FOUND"),
    ],
)
def test_what_the_head_shows_to_be_wrong_is_refused(
    apis: Apis, caller: str, method: str, path: str, status: int, code: str
) -> None:
    refused = admit(request(apis[caller], method, path))
    assert refused is not None
    assert error(refused)[:2] == (status, code)


def test_an_organization_that_is_not_registered_is_refused(apis: Apis) -> None:
    Organization.objects.filter(pk=PRIVATE).delete()
    refused = admit(request(apis[PRIVATE], "POST", JOBS.replace(PUBLIC, PRIVATE)))
    assert refused is not None
    assert error(refused)[:2] == (403, "NOT_AUTHORIZED")


def test_who_was_admitted_is_not_checked_again(api: Any) -> None:
    admitted = request(api, "POST", f"{JOBS}/1/cancel")
    assert admit(admitted) is None
    Organization.objects.all().delete()
    view, _, arguments = resolve(admitted.path_info, "segl.service.sender_api.urls")
    assert error(view(admitted, **arguments))[:2] == (404, "SIGNATURE_JOB_NOT_FOUND")


def endpoints(patterns: Iterable[Any]) -> Iterator[Any]:
    for each in patterns:
        if hasattr(each, "url_patterns"):
            yield from endpoints(each.url_patterns)
        else:
            yield each


def test_every_address_of_the_api_is_decided_by_its_head() -> None:
    resources = [*endpoints(urlpatterns)]
    assert resources
    assert all(hasattr(each.callback, "admit") for each in resources)


def test_answers_carry_nothing_of_the_pages(api: Any) -> None:
    """Neither session nor language nor what is for browsers; a failure outside the resources is an error document."""
    answers = [api.get(f"/api/{PUBLIC}"), api.get("/nowhere"), api.get(f"{JOBS}/1/pades")]
    assert [each.status_code for each in answers] == [200, 404, 404]
    for each in answers:
        assert {*each.headers} == {"Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options"}
        assert each.headers["Content-Length"] == str(len(each.content))
        assert not each.cookies


def test_what_fails_outside_a_resource_is_an_error_document_too(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segl.service.sender_api.dispatch.resolve", lambda *_: 1 / 0)
    assert error(api.get(f"/api/{PUBLIC}"))[:2] == (500, "INTERNAL_ERROR")


def test_a_refusal_is_logged_by_its_code_alone(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    """So that who runs the service finds the request by its id, and no log holds what a client sent."""
    with caplog.at_level(logging.INFO, logger="segl"):
        api.get("/nowhere/hush")
        api.call("DELETE", JOBS)
    assert [each.getMessage() for each in caplog.records] == [
        "A request is answered with 404 NOT_FOUND.",
        "A request is answered with 405 METHOD_NOT_ALLOWED.",
    ]
