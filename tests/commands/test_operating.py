"""The commands for operators: what they say and do about organizations."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from running_service import Operator, operator


@pytest.fixture
def registering(tmp_path: Path) -> Operator:
    """A service over SQLite, with its tables."""
    operating = operator(tmp_path, "sqlite:///segl.sqlite3")
    assert operating.done("migrate") == "The database is up to date.\n"
    return operating


def test_organizations_are_registered_blocked_and_given_brokers(registering: Operator) -> None:
    done = registering.done
    told = done("organization", "add", "123456789", "--name", "Nordvik kommune", "--sector", "public")
    assert told == "The organization 123456789 may use the API.\n"
    done("organization", "add", "318602352", "--name", "Formidler AS", "--sector", "private")
    assert done("organization", "authorize-broker", "318602352", "123456789") == (
        "The organization 318602352 may act for 123456789.\n"
    )
    assert done("organization", "rename", "123456789", "--name", "Nordvik by") == (
        "The organization 123456789 has another name now.\n"
    )
    assert done("organization", "block", "318602352") == "The organization 318602352 is blocked.\n"
    assert [line.split() for line in done("organization", "list").splitlines()] == [
        ["123456789", "public", "Nordvik", "by"],
        ["318602352", "private", "blocked", "Formidler", "AS"],
    ]
    first, second = json.loads(done("organization", "list", "--json"))
    assert first == {
        "number": "123456789",
        "name": "Nordvik by",
        "sector": "public",
        "blocked_at": None,
        "brokers": ["318602352"],
        "broker_for": [],
    }
    assert second == json.loads(done("organization", "show", "318602352", "--json"))
    assert datetime.fromisoformat(second["blocked_at"]) <= datetime.now(UTC)
    shown = done("organization", "show", "318602352")
    for line in ("318602352 Formidler AS", "Sector   private", "Blocked  since ", "Acts for 123456789"):
        assert line in shown
    done("organization", "unblock", "318602352")
    assert "Blocked  no" in done("organization", "show", "318602352")
    assert done("organization", "revoke-broker", "318602352", "123456789") == (
        "The organization 318602352 may act for 123456789 no more.\n"
    )


def test_what_the_register_refuses_is_said(registering: Operator) -> None:
    ended = registering.command("organization", "show", "123456789")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "segl: The organization 123456789 is not registered: add it with `segl organization add`.\n"
    )


def test_the_register_needs_a_database_that_is_up_to_date(registering: Operator) -> None:
    ended = registering.command("organization", "list", SEGL_DATABASE="sqlite:///empty.sqlite3")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "run `segl migrate` first" in ended.stderr


def test_the_configurations_organizations_are_entered_by_each_migration(registering: Operator) -> None:
    """It wins over what was changed by hand, but for blocks."""
    with registering.configuration.open("a") as file:
        file.write('[[organizations]]\nnumber = "310248711"\nname = "Bryggen Bil AS"\nsector = "private"\n')
    registering.done("organization", "add", "310248711", "--name", "Another name", "--sector", "public")
    registering.done("organization", "block", "310248711")
    registering.done("migrate")
    told = json.loads(registering.done("organization", "show", "310248711", "--json"))
    assert (told["name"], told["sector"]) == ("Bryggen Bil AS", "private")
    assert told["blocked_at"] is not None
