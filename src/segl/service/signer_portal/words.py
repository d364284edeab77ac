"""Sentences of the pages that depend on numbers. Source language: Norwegian bokmål."""

from collections.abc import Sequence

from django.utils.translation import ngettext, override

from segl.service.jobs.deliveries import runs


def agreement(documents: int, language: str) -> str:
    """Return the sentence that a signer agrees to; it is kept as evidence exactly as shown."""
    with override(language):
        return ngettext(
            "Når du trykker «Signer», bekrefter du at du har lest dokumentet, og signerer det "
            "like bindende som på papir.",
            "Når du trykker «Signer», bekrefter du at du har lest dokumentene, og signerer dem "
            "like bindende som på papir.",
            documents,
        )


def pages(numbers: Sequence[int]) -> str:
    """Name pages by their numbers."""
    return ngettext("side %(pages)s", "side %(pages)s", len(numbers)) % {"pages": ", ".join(runs(numbers, "–"))}


def tries(left: int) -> str:
    """Say how many more times a code may be entered."""
    return ngettext("Du har %(count)s forsøk igjen.", "Du har %(count)s forsøk igjen.", left) % {"count": left}
