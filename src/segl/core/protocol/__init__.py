"""The messages of the Signature API v1 as frozen typed values, read from and written to XML.

A value checks itself when it is made and raises `InvalidMessage`, so one that exists can be written. What is
sent to be acted on (requests, manifests) is read strictly; in answers, what is unknown is passed over, and the limits
of today hold only when they are written.
"""

from segl.core.protocol._message import Message
from segl.core.protocol.common import ErrorMessage
from segl.core.protocol.documents import MOST_DOCUMENT_BYTES, ManifestDocument
from segl.core.protocol.portal import (
    PortalJobRequest,
    PortalJobResponse,
    PortalJobStatus,
    PortalSignature,
    PortalStatusChange,
    SignatureStatus,
)
from segl.core.protocol.portal_manifest import (
    LONGEST_AVAILABLE,
    Availability,
    PortalManifest,
    Signer,
)
from segl.core.protocol.values import (
    AuthenticationLevel,
    ContactInformation,
    Email,
    IdentifierInSignedDocuments,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PersonalIdentificationNumber,
    SignatureType,
    Sms,
)

__all__ = [
    "LONGEST_AVAILABLE",
    "MOST_DOCUMENT_BYTES",
    "AuthenticationLevel",
    "Availability",
    "ContactInformation",
    "Email",
    "ErrorMessage",
    "IdentifierInSignedDocuments",
    "ManifestDocument",
    "Message",
    "Notifications",
    "NotificationsUsingLookup",
    "OnBehalfOf",
    "PersonalIdentificationNumber",
    "PortalJobRequest",
    "PortalJobResponse",
    "PortalJobStatus",
    "PortalManifest",
    "PortalSignature",
    "PortalStatusChange",
    "SignatureStatus",
    "SignatureType",
    "Signer",
    "Sms",
]
