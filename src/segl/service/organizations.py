"""The register of the organizations that may use the API: who is in it, who is blocked, who may act for whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import IntegrityError

from segl.core.errors import SeglError
from segl.core.organizations import LONGEST_NAME, has_right_check_digit, is_organization_number
from segl.core.sector import Sector
from segl.service import clock, configuration
from segl.service.store.models import Organization
from segl.service.store.transactions import write


class OrganizationError(SeglError):
    """The register of organizations cannot be changed this way; the message is for operators."""


@dataclass(frozen=True, slots=True)
class RegisteredOrganization:
    """An organization in the register; `brokers` may act for it, and it may act for `broker_for`."""

    number: str
    name: str
    sector: str
    blocked_at: datetime | None
    brokers: tuple[str, ...]
    broker_for: tuple[str, ...]


class Entry(Protocol):
    """An organization in the configuration; `broker_for` are the numbers of those it may act for."""

    @property
    def number(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def sector(self) -> str: ...
    @property
    def broker_for(self) -> Sequence[str]: ...


def enter_organizations(entries: Sequence[Entry]) -> None:
    """Register these organizations, or bring those that are registered up to date; all of them or none.

    Raises:
        OrganizationError: A value is invalid, or an organization is to act for an unknown one.
    """
    for each in entries:
        _check(each.number, each.name, each.sector)
    with write():
        for each in entries:
            values = {"name": each.name.strip(), "sector": each.sector}
            Organization.objects.update_or_create(number=each.number, defaults=values)
        for each in entries:
            _set_senders(each)


def add_organization(*, number: str, name: str, sector: str) -> None:
    """Let an organization use the API.

    Raises:
        OrganizationError: It is registered already, or a value is invalid.
    """
    _check(number, name, sector)
    try:
        with write():
            Organization.objects.create(number=number, name=name.strip(), sector=sector)
    except IntegrityError:
        raise OrganizationError(f"The organization {number} is registered already.") from None


def rename_organization(*, number: str, name: str) -> None:
    """Give an organization the name that signers see from now on.

    Raises:
        OrganizationError: It is not registered, or the name is invalid.
    """
    _check_name(name)
    with write():
        row = _row(number)
        row.name = name.strip()
        row.save(update_fields=["name"])


def organizations() -> Sequence[RegisteredOrganization]:
    """All organizations, by number."""
    return [_registered(each) for each in Organization.objects.prefetch_related("brokers", "broker_for").order_by("pk")]


def organization(number: str) -> RegisteredOrganization:
    """The organization with this number.

    Raises:
        OrganizationError: It is not registered.
    """
    return _registered(_row(number))


def block_organization(*, number: str) -> None:
    """Refuse calls by an organization or for it from now on. Its jobs go on.

    Raises:
        OrganizationError: It is not registered.
    """
    with write():
        row = _row(number)
        row.blocked_at = row.blocked_at or clock.now()
        row.save(update_fields=["blocked_at"])


def unblock_organization(*, number: str) -> None:
    """Accept calls by a blocked organization and for it again.

    Raises:
        OrganizationError: It is not registered.
    """
    with write():
        row = _row(number)
        row.blocked_at = None
        row.save(update_fields=["blocked_at"])


def authorize_broker(*, sender: str, broker: str) -> None:
    """Let a broker act for a sender.

    Raises:
        OrganizationError: One of them is not registered, or they are the same.
    """
    if sender == broker:
        raise OrganizationError(f"The organization {sender} acts for itself: name another one as its broker.")
    with write():
        _row(sender).brokers.add(_row(broker))


def revoke_broker(*, sender: str, broker: str) -> None:
    """No longer let a broker act for a sender.

    Raises:
        OrganizationError: One of them is not registered, or the broker was not authorized.
    """
    with write():
        row = _row(broker)
        brokers = _row(sender).brokers
        if not brokers.contains(row):
            raise OrganizationError(f"The organization {broker} is not authorized to act for {sender}.")
        brokers.remove(row)


def _set_senders(broker: Entry) -> None:
    senders = Organization.objects.filter(pk__in=broker.broker_for)
    if unknown := set(broker.broker_for).difference(each.pk for each in senders):
        raise OrganizationError(
            f"The organization {broker.number} is to act for {', '.join(sorted(unknown))}, not registered: enter it "
            "too, or add it with `segl organization add`."
        )
    _row(broker.number).broker_for.set(senders)


def _row(number: str) -> Organization:
    row = Organization.objects.filter(pk=number).first()
    if row is None:
        raise OrganizationError(f"The organization {number} is not registered: add it with `segl organization add`.")
    return row


def _check(number: str, name: str, sector: str) -> None:
    _check_number(number)
    _check_name(name)
    if sector not in {*Sector}:
        raise OrganizationError(f"The sector {sector!r} is unknown: write {' or '.join(Sector)}.")


def _check_number(number: str) -> None:
    """The register accepts real numbers only; a sandbox accepts any, since tests use made-up ones."""
    if not is_organization_number(number):
        raise OrganizationError(f"The organization number {number!r} has to be 9 digits.")
    if not configuration.current().sandbox and not has_right_check_digit(number):
        raise OrganizationError(f"The organization number {number} has a wrong check digit: look it up again.")


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise OrganizationError(f"The name has to be one line of 1 to {LONGEST_NAME} characters.")


def _registered(row: Organization) -> RegisteredOrganization:
    return RegisteredOrganization(
        row.number,
        row.name,
        row.sector,
        row.blocked_at,
        tuple(sorted(each.pk for each in row.brokers.all())),
        tuple(sorted(each.pk for each in row.broker_for.all())),
    )
