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
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PersonalIdentificationNumber,
    SignatureStatus,
    SignatureType,
    Signer,
    Sms,
)
from segl.sdk.client import AsyncPortalClient, PortalClient
from segl.sdk.configuration import ClientCertificate, ClientConfiguration, Environment, Timeouts
from segl.sdk.download import AsyncDownload, Download
from segl.sdk.errors import (
    BrokerNotAuthorizedError,
    ClientCertificateError,
    ClientError,
    ForeignUrlError,
    NoAnswerError,
    NotAvailableError,
    RateLimitedError,
    TooEagerPollingError,
    UnexpectedResponseError,
    UntrustedServerError,
)
from segl.sdk.jobs import (
    ConfirmationReference,
    Document,
    FileType,
    Job,
    JobResponse,
    JobStatus,
    JobStatusChange,
    PadesReference,
    PollingQueue,
    Sender,
    Signature,
    XadesReference,
)

__all__ = [
    "AsyncDownload",
    "AsyncPortalClient",
    "AuthenticationLevel",
    "BrokerNotAuthorizedError",
    "ClientCertificate",
    "ClientCertificateError",
    "ClientConfiguration",
    "ClientError",
    "ConfirmationReference",
    "ContactInformation",
    "Document",
    "Download",
    "Email",
    "Environment",
    "FileType",
    "ForeignUrlError",
    "InvalidDocument",
    "InvalidInput",
    "Job",
    "JobResponse",
    "JobStatus",
    "JobStatusChange",
    "NoAnswerError",
    "NotAvailableError",
    "Notifications",
    "NotificationsUsingLookup",
    "OnBehalfOf",
    "PadesReference",
    "PersonalIdentificationNumber",
    "PollingQueue",
    "PortalClient",
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
]
