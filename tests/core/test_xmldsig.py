"""XML signatures: those made by other people's programs, and the keys and methods that are accepted in them."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certificates import Authority
from segl.core import xmldsig
from segl.core.certificates import load_der
from segl.core.errors import InvalidSignature
from segl.core.keys import PrivateKey
from segl.core.xml import parse
from segl.core.xmldsig import algorithms

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ROOT = Authority.root()
RSA, ELLIPTIC = ROOT.organization("123456789"), ROOT.seal()
DATA = b"what is signed"


def test_the_official_examples_signature_value_matches_once_its_indentation_is_gone(reference: Path) -> None:
    """It was indented for print, and its properties were edited; the rest is as the Java client signed it."""
    printed = (reference / "examples" / "xades" / "signatures.xml").read_bytes()
    as_sent = re.sub(rb"\s+xmlns:ns2", b" xmlns:ns2", re.sub(rb">\s+<", b"><", printed))
    signature = xmldsig.read(parse(as_sent)[0])
    assert signature.faults == ("SignedProperties was changed after signing.",)
    assert [each.uri for each in signature.files] == ["document.pdf", "manifest.xml"]
    assert xmldsig.read(parse(printed)[0]).faults[0].startswith("The signature value does not match")


def _signature(key: PrivateKey, algorithm: hashes.HashAlgorithm) -> bytes:
    if isinstance(key.key, rsa.RSAPrivateKey):
        return key.key.sign(DATA, padding.PKCS1v15(), algorithm)
    r, s = decode_dss_signature(key.key.sign(DATA, ec.ECDSA(algorithm)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("method", "key", "algorithm"),
    [
        ("rsa-sha256", RSA, hashes.SHA256()),
        ("rsa-sha384", RSA, hashes.SHA384()),
        ("rsa-sha512", RSA, hashes.SHA512()),
        ("ecdsa-sha256", ELLIPTIC, hashes.SHA256()),
        ("ecdsa-sha384", ELLIPTIC, hashes.SHA384()),
    ],
)
def test_a_signature_matches_by_each_accepted_method(
    method: str, key: PrivateKey, algorithm: hashes.HashAlgorithm
) -> None:
    signature = _signature(key, algorithm)
    assert MORE + method in algorithms.SIGNATURES
    assert algorithms.signature_matches(key.certificate, MORE + method, DATA, signature)
    assert not algorithms.signature_matches(key.certificate, MORE + method, DATA + b"!", signature)


def test_an_elliptic_signature_is_accepted_in_one_form_only() -> None:
    signature = _signature(ELLIPTIC, hashes.SHA256())
    padded = signature[:32] + b"\0" + signature[32:]
    assert not algorithms.signature_matches(ELLIPTIC.certificate, f"{MORE}ecdsa-sha256", DATA, padded)


P_256 = bytes.fromhex("2a8648ce3d030107")
POINT = ELLIPTIC.certificate.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize(
    ("old", "new"),
    [(P_256, P_256[:-1] + b"\x7f"), (POINT, POINT[:-1] + bytes([POINT[-1] ^ 1]))],
    ids=["curve", "point"],
)
def test_a_certificate_whose_key_cannot_be_used_is_refused(old: bytes, new: bytes) -> None:
    certificate = load_der(ELLIPTIC.certificate.public_bytes(Encoding.DER).replace(old, new))
    with pytest.raises(InvalidSignature, match="The signing certificate's key cannot be used"):
        algorithms.signature_matches(certificate, f"{MORE}ecdsa-sha256", DATA, bytes(64))
