"""What every sender may ask for, whatever its sector."""

import pytest

from builders import manifest, person
from configured import configured
from segl.core.protocol import (
    Availability,
    ContactInformation,
    Email,
    Notifications,
    NotificationsUsingLookup,
    PersonalIdentificationNumber,
    Signer,
    Sms,
)
from segl.core.sector import Sector
from segl.service import configuration
from segl.service.jobs import rules
from segl.service.jobs.errors import NotAllowedError

PUBLIC = Sector.PUBLIC


def test_a_job_is_available_for_90_days_at_most() -> None:
    longest = 90 * 24 * 3600
    rules.permitted_terms(PUBLIC, manifest(availability=Availability(available_seconds=longest)))
    with pytest.raises(NotAllowedError, match=f"{longest + 1}.* at most {longest} seconds"):
        rules.permitted_terms(PUBLIC, manifest(availability=Availability(available_seconds=longest + 1)))


@pytest.mark.parametrize("title", ["Avtale 😀", "\u0378", "a\u0305"])
def test_a_title_can_be_printed(title: str) -> None:
    for wanted in (manifest(title=title), manifest(titles=["Avtale", title])):
        with pytest.raises(NotAllowedError, match=r"A title has U\+\w+ \(.+\), which no font") as error:
            rules.permitted_terms(PUBLIC, wanted)
        assert error.value.code == "TITLE_NOT_PRINTABLE"
    rules.permitted_terms(PUBLIC, manifest(title="Avtale № 5, договор, عقد, חוזה\u200f"))


def test_nobody_is_looked_up_without_a_contact_register() -> None:
    wanted = manifest(person(), Signer(PersonalIdentificationNumber("01017012345"), NotificationsUsingLookup()))
    rules.permitted_terms(PUBLIC, wanted)
    with configured(contact_register=None):
        with pytest.raises(NotAllowedError, match=r"Signer 2 has .*-lookup, and this service has no") as error:
            rules.permitted_terms(PUBLIC, wanted)
        assert error.value.code == "CONTACT_REGISTER_NOT_AVAILABLE"
        with pytest.raises(NotAllowedError) as error:
            rules.permitted_terms(Sector.PRIVATE, wanted)
        assert error.value.code == "LOOKUP_NOT_ALLOWED"  # which a register would not change


@pytest.mark.parametrize(
    "signer",
    [
        Signer(ContactInformation(sms=Sms("99999999"))),
        Signer(PersonalIdentificationNumber("01017012345"), Notifications(sms=Sms("99999999"))),
    ],
)
def test_a_signer_with_only_a_mobile_number_needs_an_sms_gateway(signer: Signer) -> None:
    rules.permitted_terms(PUBLIC, manifest(person(), signer))
    with (
        configured(sms=configuration.Sms()),
        pytest.raises(NotAllowedError, match=r"^Signer 2 .* give an e-mail address"),
    ):
        rules.permitted_terms(PUBLIC, manifest(person(), signer))


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "nobody",
        "a@b",
        "a@example.com,c@example.com",
        "a@example.com\nBcc: c@example.com",
        "å@ex ample.no",
        "å\u2028b@example.com",
    ],
)
def test_an_unusable_mail_address_is_refused_for_every_signer(address: str) -> None:
    number = PersonalIdentificationNumber("01017012345")
    for signer in (Signer(ContactInformation(Email(address))), Signer(number, Notifications(Email(address)))):
        with pytest.raises(NotAllowedError, match="e-mail address of signer 1") as error:
            rules.permitted_terms(PUBLIC, manifest(signer))
        assert "c@example.com" not in str(error.value)


@pytest.mark.parametrize("address", ["kåre.ødegård@example.com", "用户@blåbær.no"])
def test_an_address_may_have_letters_beyond_ascii(address: str) -> None:
    rules.permitted_terms(PUBLIC, manifest(Signer(ContactInformation(Email(address)))))


def test_a_job_has_a_limited_number_of_pages() -> None:
    rules.check_pages(2000)
    with pytest.raises(NotAllowedError, match="at most 2000"):
        rules.check_pages(2001)


@pytest.mark.parametrize("number", ["", " ", "+", "none"])
@pytest.mark.parametrize("email", [None, Email("kari@example.com")])
def test_a_mobile_number_has_digits(number: str, email: Email | None) -> None:
    signer = Signer(ContactInformation(email, Sms(number)))
    with pytest.raises(NotAllowedError, match="The mobile number of signer 1 has no digits") as refused:
        rules.permitted_terms(Sector.PUBLIC, manifest(signer))
    assert refused.value.code == "MOBILE_NUMBER_NOT_USABLE"
