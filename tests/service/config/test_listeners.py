"""Whose share a request takes: the sender that was admitted, the session of a signer, else an address."""

from dataclasses import replace
from io import BytesIO
from socket import socket
from types import SimpleNamespace
from typing import Any

import pytest

from configured import configured
from segl.sdk import Timeouts
from segl.service import configuration, rendering
from segl.service.config import listeners
from segl.service.http import held, shares
from segl.service.http.wsgi import environ
from segl.service.rendering import children

SCOPE = {
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "http_version": "1.1",
    "headers": [],
    "client": ("10.0.0.1", 4711),
}
ADMITTED = SimpleNamespace(sender=SimpleNamespace(pk="123456789"))
NEW_JOB = {"method": "POST", "path": "/api/987654321/portal/signature-jobs"}


@pytest.mark.parametrize(
    ("scope", "who", "long"),
    [
        (NEW_JOB | {"segl.caller": ADMITTED}, "123456789", "123456789"),
        (NEW_JOB, "10.0.0.1", "10.0.0.1"),
        (NEW_JOB | {"method": "GET", "segl.caller": ADMITTED}, "123456789", None),
        ({"path": "/api/987654321", "segl.caller": ADMITTED}, "123456789", None),
    ],
)
def test_the_api_knows_its_callers_by_the_sender_that_was_admitted(scope: Any, who: str, long: str | None) -> None:
    with socket() as bound:
        listener = listeners._api(bound, configuration.current())
    assert listener.caller(SCOPE | scope) == who
    assert listener.long_of(SCOPE | scope) == long


@pytest.mark.parametrize(
    ("path", "cookies", "long"),
    [
        ("/jobs/1/signers/1", [b"segl_session=abc; segl_csrf=x"], "abc"),
        ("/jobs/1/signers/1", [b"segl_csrf=x", b"segl_session=abc"], "abc"),
        ("/jobs/1/signers/1", [b"segl_csrf=x"], "10.0.0.1"),
        ("/jobs/1/signers/1", [], "10.0.0.1"),
        ("/log-in", [b"segl_session=abc"], None),
        ("/jobs/1/signers/1", [b"segl_session=abc, x=y", b"segl_session=def"], "def"),
        ("/jobs/1/signers/1", [b"segl_session=abc; \xa0segl_session=def"], "abc"),
    ],
)
def test_the_pages_know_signers_by_their_session(path: str, cookies: list[bytes], long: str | None) -> None:
    scope = SCOPE | {"path": path, "headers": [(b"cookie", each) for each in cookies]}
    with socket() as bound:
        listener = listeners.pages(bound, configuration.current())
    assert listener.caller(scope) == "10.0.0.1"
    assert listener.long_of(scope) == long
    if long not in {None, "10.0.0.1"}:  # the session that Django reads
        request = listeners._Request(environ(scope, BytesIO()))
        assert request.COOKIES["segl_session"] == long


def test_there_are_no_more_places_than_rendering_children() -> None:
    for number, places in ((1, 1), (4, 4), (100, 5)):
        settings = configuration.current()
        with configured(rendering=replace(settings.rendering, children=number)), socket() as bound:
            assert listeners._api(bound, configuration.current()).places == places
            assert listeners.pages(bound, configuration.current()).places == places


@pytest.mark.parametrize(
    ("places", "processors", "share"), [(5, 8, 2), (5, 3, 2), (5, 2, 1), (4, 8, 2), (3, 8, 1), (1, 1, 1)]
)
def test_a_sender_leaves_places_and_a_processor_to_others(places: int, processors: int, share: int) -> None:
    assert listeners._share_of_a_sender(places, processors) == share


def test_what_a_senders_packages_unpack_to_is_part_of_its_room() -> None:
    with socket() as bound:
        listener = listeners._api(bound, configuration.current())
    assert listener.limits.of_a_caller == (64 - 2 * 12) * 1024 * 1024


def test_our_client_waits_for_a_new_job_until_the_service_has_answered() -> None:
    """It may wait for an earlier try, for a place and for a child process, and is then inspected."""
    waiting = held.LONGEST_WAIT_SECONDS + shares.LONGEST_WAIT_SECONDS + children.LONGEST_WAIT_SECONDS
    assert Timeouts().create > waiting + rendering.INSPECTION.wall_seconds
