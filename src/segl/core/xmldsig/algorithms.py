"""The names of XML signatures, and the algorithms we allow in them: everything else is refused."""

import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature as SignatureMismatch
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from segl.core.errors import InvalidSignature
from segl.core.keys import SigningKey

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
SIGNED_PROPERTIES_TYPE = "http://uri.etsi.org/01903#SignedProperties"
OBJECT_TYPE = f"{DS}Object"

INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
CANONICALIZATIONS = {INCLUSIVE, EXCLUSIVE, "http://www.w3.org/2006/12/xml-c14n11"}

_XMLENC = "http://www.w3.org/2001/04/xmlenc#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SHA1 = f"{DS}sha1"
SHA256 = f"{_XMLENC}sha256"
DIGESTS = {SHA256: "sha256", f"{_MORE}sha384": "sha384", f"{_XMLENC}sha512": "sha512"}
# The official clients bind the signing certificate by SHA-1, which serves to find it among those sent along.
CERTIFICATE_DIGESTS = {**DIGESTS, SHA1: "sha1"}

_RSA: dict[str, hashes.HashAlgorithm] = {
    f"{_MORE}rsa-sha256": hashes.SHA256(),
    f"{_MORE}rsa-sha384": hashes.SHA384(),
    f"{_MORE}rsa-sha512": hashes.SHA512(),
}
_ECDSA: dict[str, hashes.HashAlgorithm] = {
    f"{_MORE}ecdsa-sha256": hashes.SHA256(),
    f"{_MORE}ecdsa-sha384": hashes.SHA384(),
}
SIGNATURES = _RSA.keys() | _ECDSA.keys()
_LEAST_RSA_BITS = 2048


def digest(algorithm: str, data: bytes | memoryview) -> bytes:
    return hashlib.new(CERTIFICATE_DIGESTS[algorithm], data).digest()


def signature_method(key: SigningKey) -> str:
    """The name of what `key.sign` does."""
    is_rsa = isinstance(key.certificate.public_key(), rsa.RSAPublicKey)
    return f"{_MORE}rsa-sha256" if is_rsa else f"{_MORE}ecdsa-sha256"


def signature_value(key: SigningKey, data: bytes) -> bytes:
    """The signature as XML has it: ECDSA as r and s side by side (RFC 4051), not as DER."""
    signature = key.sign(data)
    public_key = key.certificate.public_key()
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        return signature
    r, s = decode_dss_signature(signature)
    size = _coordinate_size(public_key)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def signature_matches(certificate: x509.Certificate, method: str, data: bytes, signature: bytes) -> bool:
    """Whether the owner of `certificate` made the `signature` over `data`.

    Raises `InvalidSignature` when the key is too weak, or not of the kind that the method is for.
    """
    try:
        match certificate.public_key():
            case rsa.RSAPublicKey() as key if method in _RSA:
                if key.key_size < _LEAST_RSA_BITS:
                    raise InvalidSignature(f"The RSA key has {key.key_size} bits; {_LEAST_RSA_BITS} are needed.")
                key.verify(signature, data, padding.PKCS1v15(), _RSA[method])
            case ec.EllipticCurvePublicKey() as key if method in _ECDSA:
                key.verify(_der(signature, key), data, ec.ECDSA(_ECDSA[method]))
            case key:
                raise InvalidSignature(f"The method {method} is not for keys of the kind {type(key).__name__}.")
    except SignatureMismatch:
        return False
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidSignature(f"The signing certificate's key cannot be used: {error}.") from None
    return True


def _der(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    size = _coordinate_size(key)
    if len(signature) != 2 * size:
        raise SignatureMismatch
    return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))


def _coordinate_size(key: ec.EllipticCurvePublicKey) -> int:
    return (key.curve.key_size + 7) // 8
