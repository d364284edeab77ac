"""How much of a person a signed document shows."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import KARI, identity
from segl.service.jobs.persons import birth_date, shown_identity
from segl.service.store.models import Job, Signer

NUMBER_AND_NAME, DATE, NAME = "PERSONAL_IDENTIFICATION_NUMBER_AND_NAME", "DATE_OF_BIRTH_AND_NAME", "NAME"


@pytest.mark.parametrize(
    ("number", "born"),
    [
        ("13097248022", date(1972, 9, 13)),
        ("17054026641", date(1940, 5, 17)),
        ("53097248016", date(1972, 9, 13)),
        ("13497248022", date(1972, 9, 13)),
        ("13897248022", date(1972, 9, 13)),
        ("00000000000", None),
        ("99999999999", None),
    ],
)
def test_the_date_of_birth_comes_from_the_number_if_it_holds_one(number: str, born: date | None) -> None:
    assert birth_date(number) == born


@given(st.text("0123456789", min_size=11, max_size=11))
def test_any_eleven_digits_hold_a_date_or_none(number: str) -> None:
    birth_date(number)


@pytest.mark.parametrize(
    ("addressed_by", "chosen", "shown"),
    [
        (KARI, "", KARI),
        (KARI, NUMBER_AND_NAME, KARI),
        (KARI, DATE, "13.09.1972"),
        (KARI, NAME, ""),
        ("", "", "13.09.1972"),
        ("", NUMBER_AND_NAME, "13.09.1972"),
        ("", DATE, "13.09.1972"),
        ("", NAME, ""),
    ],
)
def test_a_number_is_shown_only_for_signers_addressed_by_it(addressed_by: str, chosen: str, shown: str) -> None:
    signer = Signer(job=Job(identifier_in_signed_documents=chosen), personal_identification_number=addressed_by)
    assert shown_identity(signer, identity()) == shown


def test_the_repr_of_a_log_in_hides_the_number() -> None:
    assert KARI not in repr(identity())
    assert KARI not in str(identity())
