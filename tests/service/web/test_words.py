"""Times as people say them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils.translation import override

from segl.service import clock
from segl.service.web import words

NOON_IN_OSLO = datetime(2026, 12, 3, 11, tzinfo=UTC)


def test_times_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))
    with override("nb"):
        assert words.moment(NOON_IN_OSLO) == "torsdag 3. desember kl. 12.00"
        assert words.moment(NOON_IN_OSLO + timedelta(days=365)) == "fredag 3. desember 2027 kl. 12.00"
        assert words.distance(NOON_IN_OSLO) == "om 9 dager"
    with override("en"):
        assert words.moment(NOON_IN_OSLO) == "Thursday 3 December at 12:00"
        assert words.distance(NOON_IN_OSLO) == "in 9 days"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(seconds=1), "om 1 minutt"),
        (timedelta(minutes=59, seconds=59), "om 59 minutter"),
        (timedelta(minutes=119), "om 119 minutter"),
        (timedelta(hours=2), "om 2 timer"),
        (timedelta(hours=47, minutes=59), "om 47 timer"),
        (timedelta(days=2), "om 2 dager"),
        (timedelta(days=30), "om 30 dager"),
    ],
)
def test_what_is_near_is_shown_more_precisely(monkeypatch: pytest.MonkeyPatch, left: timedelta, said: str) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    with override("nb"):
        assert words.distance(now + left) == said
