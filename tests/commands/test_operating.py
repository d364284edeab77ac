"""The commands for operators: what they print and do about organizations."""

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
    added = done("organization", "add", "123456789", "--name", "Nordvik kommune", "--sector", "public")
    assert added == "The organization 123456789 may use the API.\n"
    done("organization", "add", "318602352", "--name", "Formidler AS", "--sector", "private")
    assert done("organization", "authorize-broker", "318602352", "123456789") == (
        "The organization 318602352 may act for 123456789.\n"
    )
    assert done("organization", "rename", "123456789", "--name", "Nordvik by") == (
        "The organization 123456789 is renamed.\n"
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
        "The organization 318602352 may no longer act for 123456789.\n"
    )


def test_an_error_of_the_register_ends_the_command_with_its_message(registering: Operator) -> None:
    ended = registering.command("organization", "show", "123456789")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "segl: The organization 123456789 is not registered: add it with `segl organization add`.\n"
    )


def test_the_register_needs_a_database_that_is_up_to_date(registering: Operator) -> None:
    ended = registering.command("organization", "list", SEGL_DATABASE="sqlite:///empty.sqlite3")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "run `segl migrate` first" in ended.stderr


def test_each_migration_registers_the_configurations_organizations(registering: Operator) -> None:
    """The configuration wins over changes made by hand, except for blocks."""
    with registering.configuration.open("a") as file:
        file.write('[[organizations]]\nnumber = "310248711"\nname = "Bryggen Bil AS"\nsector = "private"\n')
    registering.done("organization", "add", "310248711", "--name", "Another name", "--sector", "public")
    registering.done("organization", "block", "310248711")
    registering.done("migrate")
    shown = json.loads(registering.done("organization", "show", "310248711", "--json"))
    assert (shown["name"], shown["sector"]) == ("Bryggen Bil AS", "private")
    assert shown["blocked_at"] is not None
