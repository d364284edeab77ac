"""What each sector may ask for, and the defaults: every cell of the tables of the rules."""

from collections.abc import Sequence
from itertools import product

import pytest

from builders import contact, create, everything, manifest, organization, person
from segl.core.protocol import (
    AuthenticationLevel,
    IdentifierInSignedDocuments,
    NotificationsUsingLookup,
    OnBehalfOf,
    PersonalIdentificationNumber,
    PortalManifest,
    SignatureType,
    Signer,
)
from segl.core.sector import Sector
from segl.core.terms import Terms
from segl.service.jobs import rules
from segl.service.jobs.errors import NotAllowedError
from segl.service.store.models import Job

ADVANCED, AUTHENTICATED = SignatureType.ADVANCED_SIGNATURE, SignatureType.AUTHENTICATED_SIGNATURE
THREE, FOUR = AuthenticationLevel.THREE, AuthenticationLevel.FOUR
PUBLIC, PRIVATE = Sector.PUBLIC, Sector.PRIVATE
NUMBER = IdentifierInSignedDocuments.PERSONAL_IDENTIFICATION_NUMBER_AND_NAME
BORN = IdentifierInSignedDocuments.DATE_OF_BIRTH_AND_NAME
NAME = IdentifierInSignedDocuments.NAME
SELF, OTHER = OnBehalfOf.SELF, OnBehalfOf.OTHER

ONLY_ADVANCED = (
    "Signer 1 has the signature-type AUTHENTICATED_ELECTRONIC_SIGNATURE: private organizations may ask for "
    "ADVANCED_ELECTRONIC_SIGNATURE only; give that, or leave it out."
)
ONLY_LEVEL_4 = "required-authentication is 3: private organizations may require level 4 only; give 4, or leave it out."
NOT_A_NAME_ALONE = (
    "identifier-in-signed-documents is NAME: private organizations may give PERSONAL_IDENTIFICATION_NUMBER_AND_NAME or "
    "DATE_OF_BIRTH_AND_NAME only."
)
NOT_ASKED = (
    "Signer 1 has notifications-using-lookup: only public organizations may have the contact register asked; "
    "give notifications with an e-mail address."
)
NOT_FOR_OTHERS = (
    "Signer 1 has notifications-using-lookup and on-behalf-of OTHER: the contact register holds private addresses "
    "only; give notifications with an e-mail address, or on-behalf-of SELF."
)
ONE_DOCUMENT = (
    "The job has 2 documents, and signer 2 the signature-type ADVANCED_ELECTRONIC_SIGNATURE: with advanced signatures "
    "public organizations send 1 document a job. Ask for AUTHENTICATED_ELECTRONIC_SIGNATURE, or send a job for each "
    "document."
)

TERMS: dict[tuple[Sector, SignatureType | None, AuthenticationLevel | None], Terms | str] = {
    (PRIVATE, None, None): Terms(FOUR, (ADVANCED,)),
    (PRIVATE, None, THREE): ONLY_LEVEL_4,
    (PRIVATE, None, FOUR): Terms(FOUR, (ADVANCED,)),
    (PRIVATE, ADVANCED, None): Terms(FOUR, (ADVANCED,)),
    (PRIVATE, ADVANCED, THREE): ONLY_LEVEL_4,
    (PRIVATE, ADVANCED, FOUR): Terms(FOUR, (ADVANCED,)),
    (PRIVATE, AUTHENTICATED, None): ONLY_ADVANCED,
    (PRIVATE, AUTHENTICATED, THREE): ONLY_ADVANCED,
    (PRIVATE, AUTHENTICATED, FOUR): ONLY_ADVANCED,
    (PUBLIC, None, None): Terms(FOUR, (AUTHENTICATED,)),
    (PUBLIC, None, THREE): Terms(THREE, (AUTHENTICATED,)),
    (PUBLIC, None, FOUR): Terms(FOUR, (AUTHENTICATED,)),
    (PUBLIC, ADVANCED, None): Terms(FOUR, (ADVANCED,)),
    (PUBLIC, ADVANCED, THREE): Terms(THREE, (ADVANCED,)),
    (PUBLIC, ADVANCED, FOUR): Terms(FOUR, (ADVANCED,)),
    (PUBLIC, AUTHENTICATED, None): Terms(FOUR, (AUTHENTICATED,)),
    (PUBLIC, AUTHENTICATED, THREE): Terms(THREE, (AUTHENTICATED,)),
    (PUBLIC, AUTHENTICATED, FOUR): Terms(FOUR, (AUTHENTICATED,)),
}


def only_number_with_advanced(given: IdentifierInSignedDocuments) -> str:
    return (
        f"identifier-in-signed-documents is {given}, and signer 1 has the signature-type ADVANCED_ELECTRONIC_SIGNATURE:"
        " with advanced signatures public organizations may give PERSONAL_IDENTIFICATION_NUMBER_AND_NAME only, or leave"
        " it out."
    )


NO_NUMBER_OF_CONTACTS = (
    "identifier-in-signed-documents is PERSONAL_IDENTIFICATION_NUMBER_AND_NAME, but signer 1 is "
    "identified-by-contact-information: give another value, or the signer's personal-identification-number."
)
PERSON, CONTACT = "person", "contact"
IDENTITY_SHOWN: dict[tuple[Sector, SignatureType, str, IdentifierInSignedDocuments | None], str | None] = {
    (PRIVATE, ADVANCED, PERSON, None): None,
    (PRIVATE, ADVANCED, PERSON, NUMBER): None,
    (PRIVATE, ADVANCED, PERSON, BORN): None,
    (PRIVATE, ADVANCED, PERSON, NAME): NOT_A_NAME_ALONE,
    (PRIVATE, ADVANCED, CONTACT, None): None,
    (PRIVATE, ADVANCED, CONTACT, NUMBER): NO_NUMBER_OF_CONTACTS,
    (PRIVATE, ADVANCED, CONTACT, BORN): None,
    (PRIVATE, ADVANCED, CONTACT, NAME): NOT_A_NAME_ALONE,
    (PUBLIC, AUTHENTICATED, PERSON, None): None,
    (PUBLIC, AUTHENTICATED, PERSON, NUMBER): None,
    (PUBLIC, AUTHENTICATED, PERSON, BORN): None,
    (PUBLIC, AUTHENTICATED, PERSON, NAME): None,
    (PUBLIC, AUTHENTICATED, CONTACT, None): None,
    (PUBLIC, AUTHENTICATED, CONTACT, NUMBER): NO_NUMBER_OF_CONTACTS,
    (PUBLIC, AUTHENTICATED, CONTACT, BORN): None,
    (PUBLIC, AUTHENTICATED, CONTACT, NAME): None,
    (PUBLIC, ADVANCED, PERSON, None): None,
    (PUBLIC, ADVANCED, PERSON, NUMBER): None,
    (PUBLIC, ADVANCED, PERSON, BORN): only_number_with_advanced(BORN),
    (PUBLIC, ADVANCED, PERSON, NAME): only_number_with_advanced(NAME),
    (PUBLIC, ADVANCED, CONTACT, None): None,
    (PUBLIC, ADVANCED, CONTACT, NUMBER): NO_NUMBER_OF_CONTACTS,
    (PUBLIC, ADVANCED, CONTACT, BORN): only_number_with_advanced(BORN),
    (PUBLIC, ADVANCED, CONTACT, NAME): only_number_with_advanced(NAME),
}

LOOKUP: dict[tuple[Sector, OnBehalfOf | None], str | None] = {
    (PUBLIC, None): None,
    (PUBLIC, SELF): None,
    (PUBLIC, OTHER): NOT_FOR_OTHERS,
    (PRIVATE, None): NOT_ASKED,
    (PRIVATE, SELF): NOT_ASKED,
    (PRIVATE, OTHER): NOT_ASKED,
}


def outcome(sector: Sector, wanted: PortalManifest) -> Terms | str:
    """The terms, or the sentence of the refusal."""
    try:
        return rules.permitted_terms(sector, wanted)
    except NotAllowedError as error:
        return str(error)


def test_the_tables_have_every_cell() -> None:
    assert set(TERMS) == set(product(Sector, (None, *SignatureType), (None, *AuthenticationLevel)))
    types = [(PRIVATE, ADVANCED), (PUBLIC, ADVANCED), (PUBLIC, AUTHENTICATED)]
    shown = product(types, (PERSON, CONTACT), (None, *IdentifierInSignedDocuments))
    assert set(IDENTITY_SHOWN) == {(*of, address, chosen) for of, address, chosen in shown}
    assert set(LOOKUP) == set(product(Sector, (None, *OnBehalfOf)))


@pytest.mark.parametrize(("given", "expected"), TERMS.items())
def test_the_terms_of_a_job(
    given: tuple[Sector, SignatureType | None, AuthenticationLevel | None], expected: Terms | str
) -> None:
    sector, type_, level = given
    wanted = manifest(person(signature_type=type_), required_authentication=level)
    assert outcome(sector, wanted) == expected


@pytest.mark.parametrize(("given", "refusal"), IDENTITY_SHOWN.items())
def test_how_signers_are_named(
    given: tuple[Sector, SignatureType, str, IdentifierInSignedDocuments | None], refusal: str | None
) -> None:
    sector, type_, address, shown = given
    signer = (person if address == PERSON else contact)(signature_type=type_)
    accepted = Terms(FOUR, (type_,))
    assert outcome(sector, manifest(signer, identifier_in_signed_documents=shown)) == (refusal or accepted)


@pytest.mark.parametrize(("given", "refusal"), LOOKUP.items())
def test_who_may_be_looked_up(given: tuple[Sector, OnBehalfOf | None], refusal: str | None) -> None:
    sector, on_behalf_of = given
    number = PersonalIdentificationNumber("00000000000")
    signer = Signer(number, NotificationsUsingLookup(), on_behalf_of=on_behalf_of)
    accepted = Terms(FOUR, (ADVANCED if sector == PRIVATE else AUTHENTICATED,))
    assert outcome(sector, manifest(signer)) == (refusal or accepted)


@pytest.mark.parametrize(
    ("sector", "types", "documents", "refusal"),
    [
        (PUBLIC, [None, AUTHENTICATED], 20, None),
        (PUBLIC, [ADVANCED], 1, None),
        (
            PUBLIC,
            [None, ADVANCED],
            2,
            ONE_DOCUMENT,
        ),
        (PRIVATE, [None], 1, None),
        (PRIVATE, [None, ADVANCED], 20, None),
    ],
)
def test_how_many_documents(
    sector: Sector, types: Sequence[SignatureType | None], documents: int, refusal: str | None
) -> None:
    wanted = manifest(*(person(signature_type=each) for each in types), titles=["A"] * documents)
    if refusal:
        assert outcome(sector, wanted) == refusal
    else:
        assert isinstance(outcome(sector, wanted), Terms)


def test_each_signer_has_their_own_type() -> None:
    wanted = manifest(person(), person(signature_type=ADVANCED), contact(signature_type=AUTHENTICATED))
    assert rules.permitted_terms(PUBLIC, wanted).signature_types == (AUTHENTICATED, ADVANCED, AUTHENTICATED)


def test_a_job_is_refused_for_one_signer_with_too_weak_a_signature() -> None:
    refusal = outcome(PRIVATE, manifest(person(), person(signature_type=AUTHENTICATED)))
    assert refusal == ONLY_ADVANCED.replace("Signer 1", "Signer 2")


def test_the_job_is_stored_with_its_terms(store: str) -> None:
    job = create(person(), person(signature_type=ADVANCED), required_authentication=THREE)
    assert Job.objects.get().required_authentication == 3
    assert list(job.signers.values_list("signature_type", flat=True)) == [AUTHENTICATED, ADVANCED]


def test_a_job_that_is_not_allowed_is_not_stored(store: str) -> None:
    sender = organization(sector=PRIVATE)
    before = everything()
    for refused in (
        {"required_authentication": THREE},
        {"identifier_in_signed_documents": NAME},
    ):
        with pytest.raises(NotAllowedError):
            create(sender=sender, **refused)
    assert everything() == before
