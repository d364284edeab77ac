"""The Python SDK of the signature API: send documents, follow their jobs, fetch the signed results.

with PortalClient(configuration) as client:
    client.create(Job(document, signers, "myReferenceToJob"))
    change = client.get_status_change()
"""

from segl.core.errors import InvalidDocument, InvalidInput, SeglError
from segl.core.protocol import (
    AuthenticationLevel,
    ContactInformation,
    Email,
    IdentifierInSignedDocuments,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PersonalIdentificationNumber,
    SignatureStatus,
    SignatureType,
    Signer,
    Sms,
)
from segl.sdk.configuration import ClientCertificate, ClientConfiguration, Environment, Proxy, Timeouts
from segl.sdk.documents import Document, FileType
from segl.sdk.download import AsyncDownload, Download
from segl.sdk.errors import (
    BrokerNotAuthorizedError,
    ClientCertificateError,
    ClientError,
    ForeignUrlError,
    JobNotCancellableError,
    NoAnswerError,
    NotAvailableError,
    NotReachedError,
    RateLimitedError,
    TooEagerPollingError,
    UnexpectedResponseError,
    UntrustedServerError,
)
from segl.sdk.json import from_json, to_json
from segl.sdk.portal.changes import JobResponse, JobStatus, JobStatusChange, Signature
from segl.sdk.portal.client import AsyncPortalClient, PortalClient
from segl.sdk.portal.jobs import Job
from segl.sdk.references import (
    CancellationReference,
    ConfirmationReference,
    DeleteDocumentsReference,
    PadesReference,
    XadesReference,
)
from segl.sdk.senders import PollingQueue, Sender

__all__ = [
    "AsyncDownload",
    "AsyncPortalClient",
    "AuthenticationLevel",
    "BrokerNotAuthorizedError",
    "CancellationReference",
    "ClientCertificate",
    "ClientCertificateError",
    "ClientConfiguration",
    "ClientError",
    "ConfirmationReference",
    "ContactInformation",
    "DeleteDocumentsReference",
    "Document",
    "Download",
    "Email",
    "Environment",
    "FileType",
    "ForeignUrlError",
    "IdentifierInSignedDocuments",
    "InvalidDocument",
    "InvalidInput",
    "Job",
    "JobNotCancellableError",
    "JobResponse",
    "JobStatus",
    "JobStatusChange",
    "NoAnswerError",
    "NotAvailableError",
    "NotReachedError",
    "Notifications",
    "NotificationsUsingLookup",
    "OnBehalfOf",
    "PadesReference",
    "PersonalIdentificationNumber",
    "PollingQueue",
    "PortalClient",
    "Proxy",
    "RateLimitedError",
    "SeglError",
    "Sender",
    "Signature",
    "SignatureStatus",
    "SignatureType",
    "Signer",
    "Sms",
    "Timeouts",
    "TooEagerPollingError",
    "UnexpectedResponseError",
    "UntrustedServerError",
    "XadesReference",
    "from_json",
    "to_json",
]
