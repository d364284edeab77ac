"""Converters for parts of the pages' URLs."""

from django.urls import register_converter
from django.urls.converters import IntConverter


class NumberConverter(IntConverter):
    """A number that the database can look up."""

    def to_python(self, value: str) -> int:
        """Return the number.

        Raises:
            ValueError: It is too large, so the URL does not match.
        """
        number = int(value)
        if number >= 2**31:
            raise ValueError("There is no such number.")
        return number


register_converter(NumberConverter, "number")
