"""XML signatures with XAdES properties, as document packages and signers' signatures have them in common."""

from segl.core.xmldsig.algorithms import DS, EXCLUSIVE, INCLUSIVE, XADES
from segl.core.xmldsig.reading import Reference, XmlSignature, read
from segl.core.xmldsig.writing import Profile, SignedFile, add_timestamp, sign

__all__ = [
    "DS",
    "EXCLUSIVE",
    "INCLUSIVE",
    "XADES",
    "Profile",
    "Reference",
    "SignedFile",
    "XmlSignature",
    "add_timestamp",
    "read",
    "sign",
]
