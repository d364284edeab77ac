"""The register: who may use the API, who is blocked, who may act for whom."""

from dataclasses import dataclass

import pytest

from builders import in_threads
from segl.service import clock
from segl.service.organizations import (
    OrganizationError,
    RegisteredOrganization,
    add_organization,
    authorize_broker,
    block_organization,
    enter_organizations,
    organization,
    organizations,
    rename_organization,
    revoke_broker,
    unblock_organization,
)

FIRST, SECOND = "310248711", "318602352"


@pytest.fixture
def register(database: str, no_sandbox: None) -> None:
    """Two organizations, in a service that is not a sandbox."""
    add_organization(number=SECOND, name="Formidler AS", sector="private")
    add_organization(number=FIRST, name=" Bryggen Bil AS ", sector="public")


def test_organizations_are_listed_by_number(register: None) -> None:
    assert organizations() == [
        RegisteredOrganization(FIRST, "Bryggen Bil AS", "public", None, (), ()),
        RegisteredOrganization(SECOND, "Formidler AS", "private", None, (), ()),
    ]
    assert organization(FIRST) == organizations()[0]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"number": "12345678"}, "has to be 9 digits"),
        ({"number": "NO310248711"}, "has to be 9 digits"),
        ({"number": "١" * 9}, "has to be 9 digits"),
        ({"number": "123456789"}, "The organization number 123456789 has a wrong check digit"),
        ({"number": FIRST}, f"The organization {FIRST} is registered already."),
        ({"name": " "}, "one line of 1 to 200 characters"),
        ({"name": "x" * 201}, "one line of 1 to 200 characters"),
        ({"name": "two\nlines"}, "one line of 1 to 200 characters"),
        ({"sector": "state"}, "write public or private"),
    ],
)
def test_invalid_organizations_are_refused(register: None, wrong: dict[str, str], sentence: str) -> None:
    before = organizations()
    with pytest.raises(OrganizationError, match=sentence):
        add_organization(**({"number": "984661185", "name": "Posten", "sector": "private"} | wrong))
    assert organizations() == before


def test_a_name_may_have_200_characters(register: None) -> None:
    rename_organization(number=FIRST, name="x" * 200)
    assert organization(FIRST).name == "x" * 200


def test_a_sandbox_accepts_made_up_numbers(database: str) -> None:
    add_organization(number="123456789", name="Nordvik kommune", sector="public")
    assert organization("123456789").name == "Nordvik kommune"


def test_an_organization_is_renamed(register: None) -> None:
    rename_organization(number=FIRST, name=" Bryggen Mobilitet AS ")
    assert [each.name for each in organizations()] == ["Bryggen Mobilitet AS", "Formidler AS"]
    with pytest.raises(OrganizationError, match="one line of 1 to 200 characters"):
        rename_organization(number=FIRST, name="two\nlines")
    with pytest.raises(OrganizationError, match="984661185 is not registered"):
        rename_organization(number="984661185", name="Posten")


def test_a_block_keeps_the_time_it_was_first_made(register: None) -> None:
    before = clock.now()
    block_organization(number=FIRST)
    blocked_at = organization(FIRST).blocked_at
    assert blocked_at is not None
    assert before <= blocked_at <= clock.now()
    block_organization(number=FIRST)
    assert organization(FIRST).blocked_at == blocked_at
    assert organization(SECOND).blocked_at is None
    unblock_organization(number=FIRST)
    assert organization(FIRST).blocked_at is None


def test_a_broker_is_authorized_in_one_direction(register: None) -> None:
    for _ in range(2):
        authorize_broker(sender=FIRST, broker=SECOND)
        assert (organization(FIRST).brokers, organization(FIRST).broker_for) == ((SECOND,), ())
        assert (organization(SECOND).brokers, organization(SECOND).broker_for) == ((), (FIRST,))
    revoke_broker(sender=FIRST, broker=SECOND)
    assert organization(FIRST).brokers == ()


def test_an_invalid_broker_is_refused(register: None) -> None:
    with pytest.raises(OrganizationError, match="acts for itself"):
        authorize_broker(sender=FIRST, broker=FIRST)
    with pytest.raises(OrganizationError, match="984661185 is not registered: add it with `segl organization add`"):
        authorize_broker(sender=FIRST, broker="984661185")
    with pytest.raises(OrganizationError, match=f"{SECOND} is not authorized to act for {FIRST}"):
        revoke_broker(sender=FIRST, broker=SECOND)


@pytest.mark.parametrize("change", [block_organization, unblock_organization])
def test_an_organization_that_is_not_registered_cannot_be_changed(register: None, change: object) -> None:
    with pytest.raises(OrganizationError, match="984661185 is not registered"):
        change(number="984661185")  # type: ignore[operator]  # either use case


def test_of_parallel_additions_of_the_same_one_succeeds(database: str) -> None:
    def add() -> None:
        add_organization(number=FIRST, name="Bryggen Bil AS", sector="private")

    outcomes = in_threads(add, add)
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "OrganizationError"]


@dataclass(frozen=True)
class Configured:
    """An organization in the configuration."""

    number: str
    name: str = "Bryggen Bil AS"
    sector: str = "public"
    broker_for: tuple[str, ...] = ()


def test_organizations_are_entered_or_brought_up_to_date(register: None) -> None:
    enter_organizations([Configured(FIRST, broker_for=("984661185",)), Configured("984661185", " Posten ", "private")])
    assert organization("984661185") == RegisteredOrganization(
        "984661185", "Posten", "private", None, brokers=(FIRST,), broker_for=()
    )
    enter_organizations([Configured(FIRST, "Bryggen Bil og Båt AS")])
    assert organization(FIRST) == RegisteredOrganization(FIRST, "Bryggen Bil og Båt AS", "public", None, (), ())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (Configured("123456789"), "has a wrong check digit"),
        (Configured("984661185", name="two\nlines"), "one line of 1 to 200 characters"),
        (Configured("984661185", sector="state"), "write public or private"),
        (Configured("984661185", broker_for=("974760673",)), "984661185 is to act for 974760673, not registered"),
    ],
)
def test_all_are_entered_or_none(register: None, wrong: Configured, sentence: str) -> None:
    before = organizations()
    with pytest.raises(OrganizationError, match=sentence):
        enter_organizations([Configured(FIRST, "Another name"), wrong])
    assert organizations() == before
