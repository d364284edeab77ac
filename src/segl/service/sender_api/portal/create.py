"""Creates a portal job from a multipart request, or refuses it with one clear reason."""

from datetime import datetime

from segl.core.errors import InvalidPackage
from segl.core.multipart import request_and_package
from segl.core.protocol import PortalJobRequest, PortalManifest
from segl.core.protocol.common import wrong_sender
from segl.service.jobs.creating import Idempotency, create_job, retried_job
from segl.service.sender_api import packages
from segl.service.sender_api.authentication import Caller
from segl.service.store.models import Job


def create(
    caller: Caller, content_type: str, body: memoryview, *, received_at: datetime, idempotency: Idempotency | None
) -> Job:
    """Check everything the sender sent, then accept the job.

    A request with an Idempotency-Key that has created a job before returns that job, however long ago it was signed:
    a sender that lost the response can send the request again without creating a second job.

    Raises:
        RefusedError, InvalidInput, UntrustedCertificate, RevocationUnknownError, JobError: The request is refused, and
            nothing of it is kept.
    """
    if job := retried_job(sender=caller.sender, idempotency=idempotency):
        return job
    request_xml, package_bytes = request_and_package(content_type, body)
    request = PortalJobRequest.from_xml(request_xml)
    package = packages.open_package(caller, package_bytes, received_at=received_at)
    manifest = PortalManifest.from_xml(package.manifest)
    for fault in wrong_sender(manifest.sender, caller.sender.number):
        raise InvalidPackage(fault)
    return create_job(
        sender=caller.sender,
        broker=caller.organization,
        request=request,
        manifest=manifest,
        manifest_xml=package.manifest,
        documents=packages.accepted_documents(manifest.documents, package, sender=caller.sender.number),
        idempotency=idempotency,
    )
