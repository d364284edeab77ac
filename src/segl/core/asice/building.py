"""Building a document package in the shape that the official clients send."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from lxml import etree

from segl.core import xmldsig
from segl.core.asice import archive
from segl.core.errors import InvalidPackage
from segl.core.keys import SigningKey
from segl.core.xmldsig import SignedFile

ASIC = "http://uri.etsi.org/2918/v1.2.1#"
MANIFEST = "manifest.xml"
SIGNATURES = "META-INF/signatures.xml"
_PROFILE = xmldsig.Profile(xmldsig.INCLUSIVE, signing_certificate=1)


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A document in a package: the name the manifest refers to, its media type, its bytes."""

    name: str
    media_type: str
    content: bytes


def build(*, manifest: bytes, documents: Sequence[PackageFile], key: SigningKey, signing_time: datetime) -> bytes:
    """The package whole; see `build_pieces`."""
    return b"".join(build_pieces(manifest=manifest, documents=documents, key=key, signing_time=signing_time))


def build_pieces(
    *, manifest: bytes, documents: Sequence[PackageFile], key: SigningKey, signing_time: datetime
) -> list[bytes]:
    """The package: documents, manifest and signature, stored in a ZIP (PDFs do not shrink).

    Its pieces in their order; the documents' contents are pieces themselves and so are not copied.
    `signing_time` must be now: the service accepts packages for seconds only. Raises `InvalidPackage`.
    """
    files = [*documents, PackageFile(MANIFEST, "application/xml", manifest)]
    for file in documents:
        if file.name == MANIFEST or file.name.startswith("META-INF/"):
            raise InvalidPackage(f"A document cannot be called {file.name}; give it another name.")
    members = [(file.name, file.content) for file in files]
    return archive.write([*members, (SIGNATURES, _signatures(files, key, signing_time))], signing_time)


def _signatures(files: Sequence[PackageFile], key: SigningKey, signing_time: datetime) -> bytes:
    root = etree.Element(f"{{{ASIC}}}XAdESSignatures", nsmap={"asic": ASIC, "ds": xmldsig.DS, "xades": xmldsig.XADES})
    signed = [SignedFile(file.name, file.media_type, sha256(file.content).digest()) for file in files]
    signature = etree.SubElement(root, f"{{{xmldsig.DS}}}Signature")
    xmldsig.sign(signature, key=key, files=signed, signing_time=signing_time, profile=_PROFILE)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, standalone=True)
