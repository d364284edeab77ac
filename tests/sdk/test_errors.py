"""The errors of the tree can be passed from process to process, as from a pool's workers."""

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from segl.core.errors import SeglError
from segl.core.lifecycle import IllegalStepError
from segl.core.protocol import ErrorMessage, SignatureStatus
from segl.sdk import TooEagerPollingError, UnexpectedResponseError

SAID = ErrorMessage("NOT_AUTHORIZED", "Not you.", "CLIENT")


def _of_the_tree(root: type[SeglError]) -> Iterator[type[SeglError]]:
    yield root
    for each in root.__subclasses__():
        yield from _of_the_tree(each)


def _made(kind: Any) -> SeglError:
    error: SeglError
    if kind is TooEagerPollingError:
        error = kind(datetime(2026, 1, 1, tzinfo=UTC), SAID, clock_lead=timedelta(seconds=3), request_id="7")
    elif issubclass(kind, UnexpectedResponseError):
        error = kind("No.", status=403, error=SAID, request_id="7")
    else:
        error = kind("No.", SignatureStatus.SIGNED) if kind is IllegalStepError else kind("No.")
    error.add_note("Job 7")
    return error


TREE = [each for each in _of_the_tree(SeglError) if each.__module__.startswith(("segl.core", "segl.sdk"))]


@pytest.mark.parametrize("kind", TREE, ids=lambda each: each.__name__)
def test_an_error_is_pickled_and_copied_with_all_it_says(kind: type[SeglError]) -> None:
    error = _made(kind)

    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
