"""SECURITY.md names code and tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_each_defence_names_its_code_and_its_tests() -> None:
    rows = re.findall(r"^\| .+ \|$", (ROOT / "SECURITY.md").read_text(encoding="utf-8"), re.MULTILINE)
    threats = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:] if "**" not in row]
    assert len(threats) > 20
    for threat, _, code, tests in threats:
        for place, folder in ((code, "src/segl"), (tests, "tests")):
            paths = re.findall(r"`(.+?)`", place)
            assert paths, threat
            assert [each for each in paths if not (ROOT / folder / each).exists()] == [], threat
