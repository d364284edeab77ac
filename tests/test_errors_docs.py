"""The docs name every error code that the service gives, and no other."""

import re
from pathlib import Path

import segl.sdk
from segl.core.errors import SeglError
from segl.service.http import bodies, protocol

ROOT = Path(__file__).parents[1]
CODE = re.compile(r'"([A-Z]+(?:_[A-Z]+)+)"')
# Where codes are given; a code is a string of its own, with an underscore.
ROOMS = ("sender_api", "jobs/rules.py", "../core/terms.py", "../sandbox/devmode.py")
OTHER_WORDS = {"CONTENT_TYPE", "REMOTE_ADDR"}
# Those that the listener gives by the name of their HTTP status.
BY_STATUS = re.compile(r"HTTPStatus\.(REQUEST_\w+|NOT_IMPLEMENTED|SERVICE_UNAVAILABLE)")


def test_the_table_of_the_clients_errors_has_each() -> None:
    raised = {each for each in vars(segl.sdk).values() if isinstance(each, type) and issubclass(each, SeglError)}
    table = re.findall(r"^\| `([A-Za-z]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    in_camel_case = [each for each in table if not each.isupper()]
    assert sorted(in_camel_case) == sorted(each.__name__ for each in raised - {SeglError})


def test_the_table_of_codes_is_that_of_the_service() -> None:
    service = ROOT / "src" / "segl" / "service"
    rooms = [service / room for room in ROOMS]
    files = [path for room in rooms for path in (room.glob("*.py") if room.is_dir() else [room])]
    given = {code for path in files for code in CODE.findall(path.read_text())} - OTHER_WORDS
    given |= {code for each in (bodies, protocol) for code in BY_STATUS.findall(Path(each.__file__).read_text())}
    table = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    assert sorted(table) == sorted(given)
