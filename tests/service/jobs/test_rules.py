"""What each sector may ask for and what counts when it says nothing: the table of defaults, cell by cell."""

import pytest

from builders import contact, manifest, person
from segl.core.errors import InvalidDocument
from segl.core.protocol import (
    AuthenticationLevel,
    Availability,
    ContactInformation,
    Email,
    Notifications,
    NotificationsUsingLookup,
    PersonalIdentificationNumber,
    SignatureType,
    Signer,
    Sms,
)
from segl.service.jobs import rules
from segl.service.jobs.errors import NotAllowedError
from segl.service.store.models import Sector

ADVANCED, AUTHENTICATED = SignatureType.ADVANCED_SIGNATURE, SignatureType.AUTHENTICATED_SIGNATURE
THREE, FOUR = AuthenticationLevel.THREE, AuthenticationLevel.FOUR
PUBLIC, PRIVATE = Sector.PUBLIC, Sector.PRIVATE


@pytest.mark.parametrize(
    ("sector", "type_given", "level_given", "type_", "level"),
    [
        (PRIVATE, None, None, ADVANCED, FOUR),
        (PRIVATE, None, FOUR, ADVANCED, FOUR),
        (PRIVATE, ADVANCED, None, ADVANCED, FOUR),
        (PRIVATE, ADVANCED, FOUR, ADVANCED, FOUR),
        (PUBLIC, None, None, AUTHENTICATED, FOUR),
        (PUBLIC, None, THREE, AUTHENTICATED, THREE),
        (PUBLIC, None, FOUR, AUTHENTICATED, FOUR),
        (PUBLIC, AUTHENTICATED, THREE, AUTHENTICATED, THREE),
        (PUBLIC, AUTHENTICATED, FOUR, AUTHENTICATED, FOUR),
        (PUBLIC, ADVANCED, THREE, ADVANCED, THREE),
        (PUBLIC, ADVANCED, FOUR, ADVANCED, FOUR),
        (PUBLIC, ADVANCED, None, ADVANCED, FOUR),
        (PUBLIC, AUTHENTICATED, None, AUTHENTICATED, FOUR),
    ],
)
def test_what_counts(
    sector: Sector,
    type_given: SignatureType | None,
    level_given: AuthenticationLevel | None,
    type_: SignatureType,
    level: AuthenticationLevel,
) -> None:
    asked = manifest(person(signature_type=type_given), required_authentication=level_given)
    assert rules.terms(sector, asked) == rules.Terms(level, (type_,))


@pytest.mark.parametrize("level", [None, THREE, FOUR])
@pytest.mark.parametrize("type_", [None, ADVANCED, AUTHENTICATED])
def test_private_organizations_get_advanced_signatures_at_level_4_alone(
    type_: SignatureType | None, level: AuthenticationLevel | None
) -> None:
    if type_ is not AUTHENTICATED and level is not THREE:
        return
    with pytest.raises(NotAllowedError, match="Private organizations"):
        rules.terms(PRIVATE, manifest(person(signature_type=type_), required_authentication=level))


def test_each_signer_has_a_type_of_their_own() -> None:
    asked = manifest(person(), person(signature_type=ADVANCED), contact(signature_type=AUTHENTICATED))
    assert rules.terms(PUBLIC, asked).signature_types == (AUTHENTICATED, ADVANCED, AUTHENTICATED)


def test_one_signer_asked_for_too_little_refuses_the_job() -> None:
    with pytest.raises(NotAllowedError, match="advanced signatures only"):
        rules.terms(PRIVATE, manifest(person(), person(signature_type=AUTHENTICATED)))


def test_public_organizations_sign_several_documents_with_authenticated_signatures_alone() -> None:
    rules.terms(PUBLIC, manifest(titles=["A", "B"]))
    with pytest.raises(NotAllowedError, match="Several documents"):
        rules.terms(PUBLIC, manifest(person(), person(signature_type=ADVANCED), titles=["A", "B"]))


def test_private_organizations_sign_several_documents() -> None:
    rules.terms(PRIVATE, manifest(titles=["A", "B"]))


def test_a_private_organization_may_not_have_the_contact_register_asked() -> None:
    looked_up = Signer(PersonalIdentificationNumber("00000000000"), NotificationsUsingLookup())
    rules.terms(PUBLIC, manifest(looked_up))
    with pytest.raises(NotAllowedError, match="contact register"):
        rules.terms(PRIVATE, manifest(looked_up))


def test_a_job_is_available_for_90_days_at_most() -> None:
    longest = 90 * 24 * 3600
    rules.terms(PUBLIC, manifest(availability=Availability(available_seconds=longest)))
    with pytest.raises(NotAllowedError, match=f"{longest + 1}.* at most {longest} seconds"):
        rules.terms(PUBLIC, manifest(availability=Availability(available_seconds=longest + 1)))


def test_one_addressed_by_contact_information_must_be_reachable_by_email() -> None:
    with pytest.raises(NotAllowedError, match=r"^Signer 2 .* give an e-mail address"):
        rules.terms(PUBLIC, manifest(person(), Signer(ContactInformation(sms=Sms("99999999")))))


@pytest.mark.parametrize(
    "address",
    ["", " ", "nobody", "a@b", "a@example.com,c@example.com", "a@example.com\nBcc: c@example.com", "å@ex ample.no"],
)
def test_an_address_that_no_mail_reaches_is_refused_for_every_signer(address: str) -> None:
    number = PersonalIdentificationNumber("01017012345")
    for signer in (Signer(ContactInformation(Email(address))), Signer(number, Notifications(Email(address)))):
        with pytest.raises(NotAllowedError, match="e-mail address of signer 1") as error:
            rules.terms(PUBLIC, manifest(signer))
        assert "c@example.com" not in str(error.value)


def test_a_job_has_only_so_many_pages() -> None:
    rules.check_pages(2000)
    with pytest.raises(InvalidDocument, match="at most 2000"):
        rules.check_pages(2001)
