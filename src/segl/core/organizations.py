"""What an organization's number and name can be. A number has 9 digits, the last of which is a check digit."""

import re

NUMBER = "[0-9]{9}"
"""The form of a number, as a regular expression."""

LONGEST_NAME = 200
"""Characters, on one line."""


def is_organization_number(value: object) -> bool:
    """Whether it has the form. Tests use numbers with a wrong check digit, which no organization has."""
    return isinstance(value, str) and re.fullmatch(NUMBER, value) is not None


def has_right_check_digit(number: str) -> bool:
    """Whether an organization can have this number. It takes python-stdnum, which comes with the service."""
    from stdnum.no import orgnr

    return bool(orgnr.is_valid(number))
