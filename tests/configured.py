"""Other settings than those of tests/configuration, for as long as a block runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from segl.service import configuration
from segl.service.configuration import Configuration


@contextmanager
def configured(as_whole: Configuration | None = None, **changes: Any) -> Iterator[None]:
    """The service's configuration is `as_whole`, or the present one with these changes."""
    before = configuration.current()
    configuration.use(replace(as_whole or before, **changes))
    try:
        yield
    finally:
        configuration.use(before)
