"""The evidence of one signing act: who agreed to what, when, and how they were identified; and its XML."""

import re
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any

from lxml import etree

from segl.core.errors import InvalidSignature
from segl.core.xml import NOT_XML, format_date_time, parse, parse_date_time
from segl.core.xmldsig import DS


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the service saw of one signer's act; it is signed together with the documents' digests."""

    job_id: int
    job_title: str
    signer_number: int
    """1 for the job's first signer."""
    signer_name: str
    signer_identity: str
    """As the job allows it to be shown: identity number, date of birth, or empty."""
    signature_type: str
    """The API's word: ADVANCED_ELECTRONIC_SIGNATURE or AUTHENTICATED_ELECTRONIC_SIGNATURE."""
    method: str
    """How the signer was identified, such as the eID's name."""
    provider: str
    authentication_level: int
    authenticated_at: datetime
    agreed_at: datetime
    agreement: str
    """The exact sentence the signer was shown and agreed to."""
    ip_address: str
    user_agent: str
    login_reference: str
    """The provider's reference of the log-in."""
    shown_sha256: str = ""
    """The SHA-256 of each PDF that the signer was shown, in hexadecimal digits, in the order of the documents."""
    shown_pages: str = ""
    """The pages whose pictures were sent to the signer, by document: «1:1-5,7 2:1» are pages 1 to 5 and 7 of the first
    document and page 1 of the second. The signer confirmed to sign without the pictures of the others."""


NAMESPACE = "urn:segl:evidence:1"
OBJECT_ID = "Evidence"


def write_evidence(evidence: Evidence) -> etree._Element:
    """The evidence in a ds:Object, one element per field: `job_id` becomes `job-id`.

    A browser may call itself anything; characters that XML cannot carry are replaced.
    """
    holder = etree.Element(f"{{{DS}}}Object", {"Id": OBJECT_ID})
    root = etree.SubElement(holder, f"{{{NAMESPACE}}}evidence", nsmap={None: NAMESPACE})
    for field in fields(evidence):
        value = getattr(evidence, field.name)
        text = format_date_time(value) if isinstance(value, datetime) else str(value)
        etree.SubElement(root, _tag(field.name)).text = re.sub(NOT_XML, "\N{REPLACEMENT CHARACTER}", text)
    return holder


def read_evidence(content: bytes) -> Evidence:
    """The evidence in the canonical ds:Object `content`. Raises `InvalidSignature`."""
    root = parse(content, max_bytes=len(content)).find(f"{{{NAMESPACE}}}evidence")
    try:
        if root is None:
            raise ValueError("it is not there")
        texts = {str(each.tag): each.text or "" for each in root}
        return Evidence(
            **{
                field.name: _value(field.type, texts[_tag(field.name)])
                for field in fields(Evidence)
                if _tag(field.name) in texts or field.default is MISSING  # which earlier releases did not write
            }
        )
    except (ValueError, KeyError) as error:
        raise InvalidSignature(f"The evidence in the signature cannot be read: {error}.") from None


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name.replace('_', '-')}"


def _value(kind: object, text: str) -> Any:
    if kind is int:
        return int(text)
    return parse_date_time(text) if kind is datetime else text
