"""XML signatures made by other people's programs."""

import re
from pathlib import Path

from segl.core import xmldsig
from segl.core.xml import parse


def test_the_official_examples_signature_value_matches_once_its_indentation_is_gone(reference: Path) -> None:
    """It was indented for print, and its properties were edited; the rest is as the Java client signed it."""
    printed = (reference / "examples" / "xades" / "signatures.xml").read_bytes()
    as_sent = re.sub(rb"\s+xmlns:ns2", b" xmlns:ns2", re.sub(rb">\s+<", b"><", printed))
    signature = xmldsig.read(parse(as_sent)[0])
    assert signature.faults == ("SignedProperties was changed after signing.",)
    assert [each.uri for each in signature.files] == ["document.pdf", "manifest.xml"]
    assert xmldsig.read(parse(printed)[0]).faults[0].startswith("The signature value does not match")
