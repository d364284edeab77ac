"""Making the signature of one signer: XAdES baseline B over the documents' digests and the evidence."""

from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from segl.core import xmldsig
from segl.core.evidence import Evidence, write_evidence
from segl.core.keys import SigningKey, TimestampAuthority
from segl.core.xmldsig import SignedFile as SignedDocument

_PROFILE = xmldsig.Profile(xmldsig.EXCLUSIVE, signing_certificate=2)


def sign(
    *,
    key: SigningKey,
    documents: Sequence[SignedDocument],
    evidence: Evidence,
    signing_time: datetime,
    timestamp_authority: TimestampAuthority | None = None,
) -> bytes:
    """A ds:Signature document with the evidence in it (baseline T when there is a timestamp authority)."""
    signature = etree.Element(f"{{{xmldsig.DS}}}Signature", nsmap={"ds": xmldsig.DS, "xades": xmldsig.XADES})
    xmldsig.sign(
        signature,
        key=key,
        files=documents,
        objects=[write_evidence(evidence)],
        signing_time=signing_time,
        profile=_PROFILE,
    )
    if timestamp_authority:
        xmldsig.add_timestamp(signature, timestamp_authority, _PROFILE)
    return etree.tostring(signature, encoding="UTF-8", xml_declaration=True, standalone=True)
