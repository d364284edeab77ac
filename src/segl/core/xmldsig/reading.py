"""Reading an XML signature without trusting it: one fixed shape, allow-listed algorithms.

References are never looked up by Id in the whole document: signed properties and objects are those in their place
in this very signature, and what is used of them is parsed from the canonical bytes whose digests were compared.
"""

import hmac
from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from lxml import etree

from segl.core.certificates import load_der
from segl.core.errors import InvalidInput, InvalidMessage, InvalidSignature
from segl.core.xml import canonical, parse, parse_date_time
from segl.core.xmldsig.algorithms import (
    CANONICALIZATIONS,
    CERTIFICATE_DIGESTS,
    DIGESTS,
    DS,
    EXCLUSIVE,
    INCLUSIVE,
    SIGNATURES,
    SIGNED_PROPERTIES_TYPE,
    XADES,
    digest,
    signature_matches,
)

_NAMES = {"ds": DS, "xades": XADES}
_SIGNABLE = ("ds:Object", "ds:Object/xades:QualifyingProperties/xades:SignedProperties")
_MOST_CERTIFICATES = 10


@dataclass(frozen=True, slots=True)
class Reference:
    """A thing that is signed. The canonicalization is for parts of the XML; files are signed as they are."""

    uri: str
    type: str | None
    canonicalization: str
    digest_method: str
    digest: bytes

    def matches(self, content: bytes | memoryview) -> bool:
        return hmac.compare_digest(digest(self.digest_method, content), self.digest)


@dataclass(frozen=True, slots=True)
class XmlSignature:
    """A signature as it was read. Use nothing but the certificates unless `faults` is empty."""

    certificate: x509.Certificate
    """The signing certificate: the one in KeyInfo that the signed properties name by digest."""
    other_certificates: tuple[x509.Certificate, ...]
    signing_time: datetime
    files: tuple[Reference, ...]
    """What is signed outside the XML; whether the files match is for the caller to check."""
    parts: Mapping[str, bytes]
    """What is signed inside the XML, by Id, as canonical XML."""
    faults: tuple[str, ...]
    """Why the signature does not hold for its own XML; empty if it does."""


def read(signature: etree._Element) -> XmlSignature:
    """Reads and checks a ds:Signature. Raises `InvalidSignature` if it is not of a form that we accept.

    Its place in the document matters only for namespaces and for Ids, which must be unique there. The document
    must have been parsed with its processing instructions, which are part of what is signed.
    """
    _check_no_instructions(signature)
    _check_unique_ids(signature)
    _check_shape(signature)
    canonicalization = _algorithm(signature, "ds:SignedInfo/ds:CanonicalizationMethod", CANONICALIZATIONS)
    signed_info = _canonical(_one(signature, "ds:SignedInfo"), canonicalization)
    info = _parsed(signed_info)
    method = _algorithm(info, "ds:SignatureMethod", SIGNATURES)
    references = [_reference(each) for each in info.iterfind("ds:Reference", _NAMES)]
    inside = {each.uri[1:]: each for each in references if each.uri.startswith("#")}
    files = tuple(each for each in references if not each.uri.startswith("#"))
    if len(inside) + len(files) != len(references):
        raise InvalidSignature("Two references point to the same part of the signature.")
    contents = _contents(signature, inside)
    properties = _parsed(contents[_properties_id(signature, inside)])
    certificate, others = _certificates(signature, properties)
    faults = [f"{name} was changed after signing." for name, each in inside.items() if not each.matches(contents[name])]
    if not all(each.get("Id") in inside or _is_of_xades(each) for each in signature.iterfind("ds:Object", _NAMES)):
        faults.append("The signature has something in an Object that no reference covers.")
    if not signature_matches(certificate, method, signed_info, _bytes(_one(signature, "ds:SignatureValue"))):
        faults.insert(0, "The signature value does not match: what was signed was changed, or by another key.")
    return XmlSignature(certificate, others, _signing_time(properties), files, contents, tuple(faults))


def _check_no_instructions(signature: etree._Element) -> None:
    """None is passed over, as they stay in canonical form; nor does any mean something in a signature."""
    for each in signature.iter(etree.ProcessingInstruction):
        shown = etree.tostring(each, encoding="unicode", with_tail=False)
        raise InvalidSignature(f"The signature has the processing instruction {shown[:80]}; leave it out.")


def _check_unique_ids(signature: etree._Element) -> None:
    seen: set[str] = set()
    for identifier in signature.getroottree().xpath(
        "//@*[local-name() = 'Id' or local-name() = 'ID' or local-name() = 'id']"
    ):
        if identifier in seen:
            raise InvalidSignature(f"The Id {identifier} occurs more than once.")
        seen.add(identifier)


def _check_shape(signature: etree._Element) -> None:
    """SignedInfo, SignatureValue, KeyInfo and then objects, each with nothing but the known algorithms."""
    names = [etree.QName(each).text for each in signature]
    expected = [f"{{{DS}}}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
    if names[:3] != expected or set(names[3:]) != {f"{{{DS}}}Object"}:
        raise InvalidSignature(
            "A signature must consist of SignedInfo, SignatureValue, KeyInfo and Object, in this order."
        )
    target = _one(signature, "ds:Object/xades:QualifyingProperties").get("Target")
    if target != f"#{signature.get('Id')}":
        raise InvalidSignature(f"QualifyingProperties has the Target {target}; it must be the signature's Id.")


def _reference(element: etree._Element) -> Reference:
    uri = element.get("URI")
    if not uri:
        raise InvalidSignature("A reference has no URI; it must name a file or a part of the signature.")
    transforms = element.findall("ds:Transforms/ds:Transform", _NAMES)
    if len(transforms) > uri.startswith("#"):
        raise InvalidSignature(f"The reference {uri} has transforms that are not accepted; files have none.")
    method = _algorithm(element, "ds:DigestMethod", DIGESTS)
    value = _bytes(_one(element, "ds:DigestValue"))
    # Without a transform, a part of the document is canonicalized inclusively (XML Signature, 4.4.3.2).
    canonicalization = _algorithm(element, "ds:Transforms/ds:Transform", CANONICALIZATIONS) if transforms else INCLUSIVE
    return Reference(uri, element.get("Type"), canonicalization, method, value)


def _contents(signature: etree._Element, references: Mapping[str, Reference]) -> dict[str, bytes]:
    """The canonical bytes of the parts of the signature that are referred to, by Id."""
    parts = {each.get("Id"): each for path in _SIGNABLE for each in signature.iterfind(path, _NAMES)}
    unknown = references.keys() - parts.keys()
    if unknown:
        raise InvalidSignature(f"The reference #{sorted(unknown)[0]} points to nothing that can be signed.")
    return {name: _canonical(parts[name], each.canonicalization) for name, each in references.items()}


def _is_of_xades(element: etree._Element) -> bool:
    """Whether an Object holds XAdES's properties alone: those that are not signed are known as such."""
    properties = element.find("xades:QualifyingProperties", _NAMES)
    return (
        properties is not None
        and _has_only(["QualifyingProperties"], element)
        and _has_only(["SignedProperties", "UnsignedProperties"], properties)
    )


def _has_only(names: Collection[str], element: etree._Element) -> bool:
    """Whether an element has no children but XAdES's of these names, and no text."""
    texts = [element.text, *(each.tail for each in element)]
    tags = [f"{{{XADES}}}{name}" for name in names]
    return not any(each and each.strip() for each in texts) and all(
        each.tag in tags for each in element.iterchildren("*")
    )


def _properties_id(signature: etree._Element, references: Mapping[str, Reference]) -> str:
    """The Id of the signed properties, which exactly one reference of the right type must point to."""
    identifier = _one(signature, "ds:Object/xades:QualifyingProperties/xades:SignedProperties").get("Id")
    typed = [name for name, each in references.items() if each.type == SIGNED_PROPERTIES_TYPE]
    if typed != [identifier]:
        raise InvalidSignature("The signature does not sign its SignedProperties: one reference must point to them.")
    return typed[0]


def _certificates(
    signature: etree._Element, properties: etree._Element
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The signing certificate, bound by digest in the signed properties, and the others sent along."""
    sent = [_bytes(each) for each in signature.iterfind("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _NAMES)]
    if len(sent) > _MOST_CERTIFICATES:
        raise InvalidSignature(f"KeyInfo has {len(sent)} certificates; at most {_MOST_CERTIFICATES} are accepted.")
    cert = properties.find("xades:SignedSignatureProperties/xades:SigningCertificateV2/xades:Cert", _NAMES)
    if cert is None:
        cert = _one(properties, "xades:SignedSignatureProperties/xades:SigningCertificate/xades:Cert", several=True)
    method = _algorithm(cert, "xades:CertDigest/ds:DigestMethod", CERTIFICATE_DIGESTS)
    expected = _bytes(_one(cert, "xades:CertDigest/ds:DigestValue"))
    signing = [each for each in sent if hmac.compare_digest(digest(method, each), expected)]
    if not signing:
        raise InvalidSignature("KeyInfo does not have the certificate that the signed properties name by its digest.")
    others = tuple(_certificate(each) for each in sent if each != signing[0])
    return _certificate(signing[0]), others


def _certificate(der: bytes) -> x509.Certificate:
    try:
        return load_der(der)
    except InvalidInput as error:
        raise InvalidSignature(f"A certificate in KeyInfo is not accepted. {error}") from None


def _signing_time(properties: etree._Element) -> datetime:
    text = _one(properties, "xades:SignedSignatureProperties/xades:SigningTime").text or ""
    try:
        return parse_date_time(text)
    except ValueError as error:
        raise InvalidSignature(f"SigningTime {text[:40]!r} {error}.") from None


def _one(element: etree._Element, path: str, *, several: bool = False) -> etree._Element:
    found = element.findall(path, _NAMES)
    if not found or (len(found) > 1 and not several):
        raise InvalidSignature(f"There must be one {path} in {etree.QName(element).localname}; there are {len(found)}.")
    return found[0]


def _algorithm(element: etree._Element, path: str, allowed: Collection[str]) -> str:
    """The algorithm named there, when it is allowed and has no parameters of its own."""
    named = _one(element, path)
    algorithm = named.get("Algorithm", "")
    if algorithm not in allowed or len(named):
        raise InvalidSignature(
            f"{path} is {algorithm[:80]!r}, which is not accepted; use one of {', '.join(sorted(allowed))}."
        )
    return algorithm


def _bytes(element: etree._Element) -> bytes:
    try:
        return b64decode("".join((element.text or "").split()), validate=True)
    except ValueError as error:
        raise InvalidSignature(f"{etree.QName(element).localname} is not base64: {error}.") from None


def _canonical(element: etree._Element, canonicalization: str) -> bytes:
    try:
        return canonical(element, exclusive=canonicalization == EXCLUSIVE)
    except InvalidMessage as error:
        raise InvalidSignature(str(error)) from None


def _parsed(content: bytes) -> etree._Element:
    return parse(content, max_bytes=len(content))
