"""Whom jobs are sent for."""

import pytest

from segl.sdk import (
    InvalidInput,
    Sender,
)


@pytest.mark.parametrize("number", ["", "12345678", "1234567890", "12345678a", "../123456"])
def test_a_sender_has_an_organization_number(number: str) -> None:
    with pytest.raises(InvalidInput, match="An organization number is 9 digits"):
        Sender(number)
