"""Private keys from the files organizations have."""

import re

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from certificates import Authority, certificate, private_key, subject
from segl.core.errors import InvalidInput
from segl.core.keys import PrivateKey

ISSUER = Authority.root().intermediate()
KEY = ISSUER.organization("123456789")


def _certificates(*keys: PrivateKey) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for key in keys for each in (key.certificate, *key.chain))


def _pem(password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return KEY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_a_key_is_read_from_pem_with_its_chain() -> None:
    read = PrivateKey.from_pem(_certificates(KEY), _pem(b"secret"), "secret")
    assert (read.certificate, read.chain) == (KEY.certificate, KEY.chain)


def test_a_key_is_read_from_pkcs12_and_its_chain_put_in_order() -> None:
    data = pkcs12.serialize_key_and_certificates(
        b"name", KEY.key, KEY.certificate, list(reversed(KEY.chain)), BestAvailableEncryption(b"secret")
    )
    read = PrivateKey.from_pkcs12(data, "secret")
    assert (read.certificate, read.chain) == (KEY.certificate, KEY.chain)


def test_of_two_issuers_of_one_name_the_right_one_is_taken() -> None:
    """A CA that gets a new key keeps its name, and exports may have both."""
    issuer, root = KEY.chain
    key = private_key("another", "P-256")
    renewed = certificate(issuer.subject, key, issuer.issuer, private_key("Test Root", "P-256"), ca=True)
    for others in ([issuer, renewed, root], [root, renewed, issuer]):
        data = pkcs12.serialize_key_and_certificates(
            b"name", KEY.key, KEY.certificate, others, BestAvailableEncryption(b"secret")
        )
        assert PrivateKey.from_pkcs12(data, "secret").chain == (issuer, root)


def test_the_own_certificate_comes_first() -> None:
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in (*KEY.chain, KEY.certificate))
    with pytest.raises(InvalidInput, match=r"belongs to .*123456789.*, but CN=Test Issuer comes before that .* first"):
        PrivateKey.from_pem(pem, _pem())


def test_a_certificate_may_stand_twice() -> None:
    pem = KEY.certificate.public_bytes(Encoding.PEM)
    assert PrivateKey.from_pem(pem + pem, _pem()).certificate == KEY.certificate


def test_an_rsa_key_signs_with_pkcs1_and_an_elliptic_one_with_ecdsa() -> None:
    public_key = KEY.certificate.public_key()
    assert isinstance(public_key, rsa.RSAPublicKey)
    public_key.verify(KEY.sign(b"data"), b"data", padding.PKCS1v15(), hashes.SHA256())
    seal = ISSUER.seal()
    elliptic = seal.certificate.public_key()
    assert isinstance(elliptic, ec.EllipticCurvePublicKey)
    elliptic.verify(seal.sign(b"data"), b"data", ec.ECDSA(hashes.SHA256()))


def test_a_key_does_not_show_when_printed() -> None:
    assert "PrivateKey object" not in repr(KEY)
    assert "key=" not in repr(KEY)


def test_a_key_that_belongs_to_another_certificate_is_refused() -> None:
    other = ISSUER.issue(subject("Other"))
    with pytest.raises(InvalidInput, match="does not belong to the certificate"):
        PrivateKey.from_pem(_certificates(other), _pem())


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        (None, "private key is encrypted. Give a PEM file of a key that needs no password."),
        ("wrong", "Check the file and the password."),
    ],
)
def test_a_wrong_password_is_said_so(password: str | None, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        PrivateKey.from_pem(_certificates(KEY), _pem(b"secret"), password)


def test_a_broken_or_half_empty_pkcs12_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        PrivateKey.from_pkcs12(b"nothing", "secret")
    for key, named in ((None, KEY.certificate), (KEY.key, None)):
        half = pkcs12.serialize_key_and_certificates(b"name", key, named, None, NoEncryption())
        with pytest.raises(InvalidInput, match="has no private key with a certificate"):
            PrivateKey.from_pkcs12(half, "")


def test_a_kind_of_key_that_we_do_not_sign_with_is_refused() -> None:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(InvalidInput, match="use RSA or EC"):
        PrivateKey.from_pem(_certificates(KEY), pem)


def test_a_curve_that_is_not_known_is_refused() -> None:
    """A key of the curve sect163k1."""
    pem = b"""
-----BEGIN EC PRIVATE KEY-----
MFMCAQEEFQG719XxpY/tAgyNCWU/fz4J1EiDSKAHBgUrgQQAAaEuAywABAXCM05s
OoAWlS2QO8WIFdArc7RacwchI5n5gF/Wq75oQu5GvON3fZNqMw==
-----END EC PRIVATE KEY-----
"""
    with pytest.raises(InvalidInput, match=r"use RSA or EC, such as P-256\.$"):
        PrivateKey.from_pem(_certificates(KEY), pem)
