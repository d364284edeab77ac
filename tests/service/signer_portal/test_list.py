"""A person's list of jobs: those to sign first, some on a page, with the same few statements however many there are."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from browsers import Browser, address, text
from builders import agreed, create, identity, organization, sealed, signed
from segl.core.protocol import Availability
from segl.service import clock
from segl.service.jobs import finding
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.signing import reject
from segl.service.store.models import Job


def listed(page: Any) -> dict[str, list[str]]:
    """The paths of the listed signers' pages, by the heading above them."""
    parts = re.split(r"<h2>(.*?)</h2>", text(page))[1:]
    return {
        name: re.findall(r'<li>\s*<a href="(.*?)"', part) for name, part in zip(parts[::2], parts[1::2], strict=True)
    }


def cancelled(**more: Any) -> Job:
    job = create(**more)
    cancel_job(sender=organization(), job_id=job.pk)
    return job


def test_those_to_sign_come_first_and_then_the_newest(browser: Browser) -> None:
    past = create(availability=Availability(available_seconds=60))
    clock.move(timedelta(minutes=1))
    first, ended, signing, done, rejected, last = create(), cancelled(), create(), create(), create(), create()
    agreed(signing)
    signed(done)
    sealed(done)
    reject(job_id=rejected.pk, number=1, identity=identity())
    create(availability=Availability(clock.now() + timedelta(days=1)))
    assert listed(browser.log_in()) == {
        "Venter på deg": [address(last), address(first)],
        "Tidligere": [address(each) for each in (rejected, done, signing, ended, past)],
    }


def test_a_long_list_has_pages(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "SIGNERS_ON_A_PAGE", 2)
    to_sign = [create() for _ in range(3)]
    ended = [cancelled() for _ in range(2)]
    one, two, three = browser.log_in(), browser.get("/?page=2"), browser.get("/?page=3")
    assert listed(one) == {"Venter på deg": [address(to_sign[2]), address(to_sign[1])]}
    assert listed(two) == {"Venter på deg": [address(to_sign[0])], "Tidligere": [address(ended[1])]}
    assert listed(three) == {"Tidligere": [address(ended[0])]}
    assert 'rel="prev"' not in text(one)
    assert '<a rel="next" href="?page=2">Neste</a>' in text(one)
    assert '<a rel="prev" href="?page=1">Forrige</a>' in text(two)
    assert "<title>Dokumentene dine – Side 2 av 3 – Segl</title>" in text(two)
    assert 'rel="next"' not in text(three)
    assert "Ingen dokumenter venter" not in text(three)


@pytest.mark.parametrize(("page", "shown"), [("", 1), ("x", 1), ("0", 3), ("4", 3), ("9" * 5000, 1), ("%00", 1)])
def test_a_page_that_does_not_exist_is_another(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, page: str, shown: int
) -> None:
    monkeypatch.setattr(finding, "SIGNERS_ON_A_PAGE", 1)
    for _ in range(3):
        create()
    browser.log_in()
    assert f"<span>Side {shown} av 3</span>" in text(browser.get(f"/?page={page}"))


def test_a_short_list_has_no_pages(browser: Browser) -> None:
    create()
    assert 'class="pages"' not in text(browser.log_in())


def test_the_number_of_statements_does_not_grow_with_the_list(browser: Browser) -> None:
    create()
    browser.log_in()
    with CaptureQueriesContext(connection) as of_one:
        browser.get("/")
    for number in range(60):
        create() if number % 2 else cancelled()
    with CaptureQueriesContext(connection) as of_many:
        page = browser.get("/")
    assert sum(map(len, listed(page).values())) == 50
    assert len(of_many) == len(of_one)
