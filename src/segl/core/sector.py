"""The two sectors of organizations; by itself, so that command lines that name them start fast."""

from enum import StrEnum


class Sector(StrEnum):
    """An organization's sector; it decides what the organization may ask for (`segl.core.terms`)."""

    PUBLIC = "public"
    PRIVATE = "private"
