"""Document packages as the official clients write them, made from what is known of their shapes, not with our code.

Canonical forms are written by hand: the text of an element, with the namespaces it inherits put into its first tag.
"""

import hashlib
import re
import zipfile
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from urllib.parse import quote_plus
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding

from certificates import NOW
from segl.core.keys import SigningKey

ASIC = "http://uri.etsi.org/2918/v1.2.1#"
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
DIGESTS = {
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
}


@dataclass(frozen=True)
class Shape:
    """How the clients' signatures differ; change one with `dataclasses.replace` to break it."""

    root: str
    """The root's name with its namespace declarations."""
    inherited: str
    """The declarations that the root leaves in scope for what is canonicalized."""
    ds_prefix: str
    """The prefix of ds: elements among the XAdES properties, with a colon; empty when redeclared as default."""
    whole_chain: bool
    encoded_names: bool
    wrapped: bool
    """Base64 in lines that end in &#13; and a line feed."""
    reference_id: Callable[[int, str], str]
    """The Id of the reference to a file, by its place in the package and its name."""
    streamed: bool
    """The ZIP is written as a stream: sizes in data descriptors, zero in the local headers."""
    canonicalization: str = INCLUSIVE
    transform: str = INCLUSIVE
    digest: str = "sha256"
    signature_method: str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    issuer: str = "CN=Some Issuer as this client spells it"
    serial_number: int = 42
    signing_time: datetime = NOW
    version: str = ""
    """`V2` for SigningCertificateV2."""


JAVA = Shape(
    root=f'XAdESSignatures xmlns="{ASIC}"',
    inherited="",
    ds_prefix="ns2:",
    whole_chain=True,
    encoded_names=True,
    wrapped=True,
    reference_id=lambda place, _: f"ID_{place}",
    streamed=True,
    issuer="CN=Test Issuer,2.5.4.97=#0c0f4e54524e4f2d393833313633333237",
)
DOTNET = Shape(
    root=f'xades:XAdESSignatures xmlns="{XADES}" xmlns:xades="{ASIC}"',
    inherited=f' xmlns:xades="{ASIC}"',
    ds_prefix="",
    whole_chain=False,
    encoded_names=False,
    wrapped=False,
    reference_id=lambda place, name: "Id_1" if name == "manifest.xml" else f"Id_{UUID(int=place)}",
    streamed=False,
    issuer="CN=Test Issuer, OID.2.5.4.97=NTRNO-983163327",
    serial_number=-42,
)
V2 = replace(JAVA, version="V2")


def package(shape: Shape, files: Mapping[str, bytes], key: SigningKey) -> bytes:
    """`files` in their order, manifest among them, and the signature last."""
    return zipped({**files, "META-INF/signatures.xml": signatures(shape, files, key)}, streamed=shape.streamed)


def zipped(files: Mapping[str, bytes], *, deflated: bool = True, streamed: bool = True) -> bytes:
    """Written as a stream, as Java does (flags 0x808), or with the sizes in their place, as .NET does."""
    stream = _Unseekable() if streamed else BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            member = _Utf8Named(name) if streamed else zipfile.ZipInfo(name)
            archive.writestr(member, content, archive.compression)
    return stream.getvalue()


class _Utf8Named(zipfile.ZipInfo):
    """Says that its name is UTF-8, also when it is ASCII."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 (zipfile's name)
        return self.filename.encode(), self.flag_bits | 0x800


class _Unseekable(BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise OSError("a stream")


def signatures(shape: Shape, files: Mapping[str, bytes], key: SigningKey) -> bytes:
    ids = {name: shape.reference_id(place, name) for place, name in enumerate(files)}
    properties_ns = f' xmlns="{XADES}"' + (f' xmlns:{shape.ds_prefix[:-1]}="{DS}"' if shape.ds_prefix else "")
    properties = _properties(shape, ids, key)
    canonical_properties = properties.replace(
        "<SignedProperties", f"<SignedProperties{_sorted(properties_ns + shape.inherited)}", 1
    )
    signed_info = _signed_info(shape, files, ids, _digest(canonical_properties.encode(), shape))
    canonical_info = signed_info.replace("<SignedInfo", f'<SignedInfo xmlns="{DS}"{shape.inherited}', 1)
    value = _lines(key.sign(canonical_info.encode()), shape)
    certificates = [key.certificate, *(key.chain if shape.whole_chain else ())]
    x509 = "".join(
        f"<X509Certificate>{_lines(each.public_bytes(Encoding.DER), shape)}</X509Certificate>" for each in certificates
    )
    xml = (
        f'<?xml version="1.0" encoding="UTF-8" standalone="no"?><{shape.root}><Signature xmlns="{DS}" Id="Signature">'
        f"{signed_info}<SignatureValue>{value}</SignatureValue><KeyInfo><X509Data>{x509}</X509Data></KeyInfo>"
        f'<Object><QualifyingProperties{properties_ns} Target="#Signature">{properties}</QualifyingProperties></Object>'
        f"</Signature></{shape.root.split()[0]}>"
    )
    # Empty elements have an end tag in canonical form only.
    return re.sub(r"<([\w:]+)([^<>]*)></\1>", r"<\1\2/>", xml).encode()


def _signed_info(shape: Shape, files: Mapping[str, bytes], ids: Mapping[str, str], properties: str) -> str:
    references = "".join(
        f'<Reference Id="{ids[each]}" URI="{quote_plus(each) if shape.encoded_names else each}">'
        f'<DigestMethod Algorithm="{DIGESTS[shape.digest]}"></DigestMethod>'
        f"<DigestValue>{_digest(content, shape)}</DigestValue></Reference>"
        for each, content in files.items()
    )
    return (
        f'<SignedInfo><CanonicalizationMethod Algorithm="{shape.canonicalization}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{shape.signature_method}"></SignatureMethod>{references}'
        '<Reference Type="http://uri.etsi.org/01903#SignedProperties" URI="#SignedProperties">'
        f'<Transforms><Transform Algorithm="{shape.transform}"></Transform></Transforms>'
        f'<DigestMethod Algorithm="{DIGESTS[shape.digest]}"></DigestMethod><DigestValue>{properties}</DigestValue>'
        "</Reference>"
        "</SignedInfo>"
    )


def _properties(shape: Shape, ids: Mapping[str, str], key: SigningKey) -> str:
    ds, default = shape.ds_prefix, "" if shape.ds_prefix else f' xmlns="{DS}"'
    der = key.certificate.public_bytes(Encoding.DER)
    digest = shape.digest if shape.version else "sha1"
    algorithm, fingerprint = {**DIGESTS, "sha1": f"{DS}sha1"}[digest], hashlib.new(digest, der)
    issuer_serial = (
        f"<IssuerSerial><{ds}X509IssuerName{default}>{shape.issuer}</{ds}X509IssuerName>"
        f"<{ds}X509SerialNumber{default}>{shape.serial_number}</{ds}X509SerialNumber></IssuerSerial>"
    )
    formats = "".join(
        f'<DataObjectFormat ObjectReference="#{each}"><MimeType>application/{name[-3:]}</MimeType></DataObjectFormat>'
        for name, each in ids.items()
    )
    return (
        '<SignedProperties Id="SignedProperties"><SignedSignatureProperties>'
        f"<SigningTime>{shape.signing_time.isoformat(timespec='milliseconds')}</SigningTime>"
        f'<SigningCertificate{shape.version}><Cert><CertDigest><{ds}DigestMethod{default} Algorithm="{algorithm}">'
        f"</{ds}DigestMethod><{ds}DigestValue{default}>{b64encode(fingerprint.digest()).decode()}</{ds}DigestValue>"
        f"</CertDigest>{'' if shape.version else issuer_serial}</Cert></SigningCertificate{shape.version}>"
        "</SignedSignatureProperties>"
        f"<SignedDataObjectProperties>{formats}</SignedDataObjectProperties></SignedProperties>"
    )


def _sorted(declarations: str) -> str:
    return "".join(f" {each}" for each in sorted(declarations.split(), key=lambda each: each.partition("=")[0]))


def _digest(content: bytes, shape: Shape) -> str:
    return b64encode(hashlib.new(shape.digest, content).digest()).decode()


def _lines(data: bytes, shape: Shape) -> str:
    text = b64encode(data).decode()
    if not shape.wrapped:
        return text
    return "&#13;\n".join(text[at : at + 76] for at in range(0, len(text), 76))
