"""What the pages say in words that depend on numbers. Source language: Norwegian bokmål."""

from django.utils.translation import ngettext, override


def agreement(documents: int, language: str) -> str:
    """The sentence a signer agrees to, which becomes evidence as it was shown."""
    with override(language):
        return ngettext(
            "Når du trykker «Signer», bekrefter du at du har lest dokumentet, og signerer det "
            "like bindende som på papir.",
            "Når du trykker «Signer», bekrefter du at du har lest dokumentene, og signerer dem "
            "like bindende som på papir.",
            documents,
        )


def tries(left: int) -> str:
    """How many times a code may still be entered."""
    return ngettext("Du har %(count)s forsøk igjen.", "Du har %(count)s forsøk igjen.", left) % {"count": left}
