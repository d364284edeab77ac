"""Identifies the caller: the organization in the client certificate, for itself or as broker for the one in the URL."""

from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

from cryptography import x509
from django.http import HttpRequest

from segl.core.callers import CallerPolicy, check_connecting_use
from segl.core.certificates import TrustAnchors, load_der, load_pem
from segl.core.errors import InvalidInput, UntrustedCertificate
from segl.service import clock, configuration
from segl.service.revocation import check_revocation
from segl.service.sender_api.errors import RefusedError
from segl.service.store.models import Organization

_CHECKED_AGAIN_AFTER_SECONDS = 300

# Every call runs this query; building it with the ORM each time would take several times as long as running it.
_ORGANIZATIONS = """
    SELECT organization.*, EXISTS (
        SELECT 1 FROM organization_brokers
        WHERE from_organization_id = organization.number AND to_organization_id = %s
    ) AS lets_caller_act
    FROM organization WHERE number IN (%s, %s)
"""

Chain = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """The organization of the client certificate and the sender it acts for, usually the same."""

    certificate: x509.Certificate
    organization: Organization
    sender: Organization


def caller(request: HttpRequest, sender_number: str) -> Caller:
    """Return the caller of this request, which is allowed to act for this sender.

    Raises:
        RefusedError: The certificate is missing, not trusted or revoked, the organization is unknown or blocked, or
            the broker is not authorized.
        RevocationUnknownError: The revocation status of the certificate cannot be determined.
    """
    der = request.META["asgi.scope"].get("segl.peer_certificate")
    if not der:
        raise _not_authorized("The request has no client certificate: use your organization certificate.")
    chain, number = _organization(der, int(clock.wall().timestamp()) // _CHECKED_AGAIN_AFTER_SECONDS)
    _check_not_revoked(chain)
    found = Organization.objects.raw(_ORGANIZATIONS, [number, number, sender_number])
    organizations = {each.pk: each for each in found}
    if number not in organizations:
        raise _not_authorized(f"Organization {number}, named in the client certificate, is not registered here.")
    _check_not_blocked(organizations[number])
    if number == sender_number:
        return Caller(chain[0], organizations[number], organizations[number])
    sender = organizations.get(sender_number)
    if sender is None or not sender.lets_caller_act:  # type: ignore[attr-defined]  # a column of the query
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            "BROKER_NOT_AUTHORIZED",
            f"Organization {number} is not authorized to act for {sender_number}: use your own number in the URL, or "
            "ask the sender to authorize you.",
        )
    _check_not_blocked(sender)
    return Caller(chain[0], organizations[number], sender)


@lru_cache(maxsize=1)
def trust() -> TrustAnchors:
    """The roots that organization certificates must chain to."""
    anchors = TrustAnchors.from_pem(*(path.read_bytes() for path in configuration.current().trust_anchors))
    known = (*configuration.current().intermediates, *configuration.current().clients.issuers)
    return anchors.with_intermediates(*(path.read_bytes() for path in known))


@lru_cache(maxsize=1)
def policy() -> CallerPolicy:
    """Which certificates below those roots may speak for an organization."""
    clients = configuration.current().clients
    issuers = (each for path in clients.issuers for each in load_pem(path.read_bytes()))
    return CallerPolicy(tuple(issuers), clients.policies, clients.number_in_common_name)


@lru_cache(maxsize=1024)
def _organization(der: bytes, period: int) -> tuple[Chain, str]:  # the period makes the answer expire
    """Return a certificate's chain, validated here as well as by TLS, and its organization number."""
    try:
        certificate = load_der(der)
        check_connecting_use(certificate)
        return policy().check(certificate, trust(), at=clock.wall())
    except (InvalidInput, UntrustedCertificate) as error:
        raise _not_authorized(f"The client certificate is not trusted: {error}") from error


def _check_not_revoked(chain: Chain) -> None:
    try:
        check_revocation(chain)
    except UntrustedCertificate as error:
        raise _not_authorized(f"The client certificate is not trusted: {error}") from error


def _check_not_blocked(organization: Organization) -> None:
    if organization.blocked_at is not None:
        raise _not_authorized(
            f"Organization {organization.number} is blocked here: contact the operator of the service."
        )


def _not_authorized(message: str) -> RefusedError:
    return RefusedError(HTTPStatus.FORBIDDEN, "NOT_AUTHORIZED", message)
