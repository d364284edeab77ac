"""Machines whose clocks are wrong; the database's is right. Needs Django."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo

import pytest

from segl.service import clock


@contextmanager
def machine(ahead: timedelta) -> Iterator[None]:
    """Within the block, this process runs on a machine whose clock is ahead by so much, or behind."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # no subclass is wanted
            return datetime.now(tz) + ahead

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "datetime", Shifted)
        yield
