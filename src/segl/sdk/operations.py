"""The portal API's calls as generators of requests: what is sent, and what is made of the answers."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

from segl.core.asice import PackageFile, build
from segl.core.errors import InvalidInput
from segl.core.keys import SigningKey
from segl.core.kinds import check_kind
from segl.core.protocol import (
    ManifestDocument,
    PortalJobRequest,
    PortalJobResponse,
    PortalManifest,
    PortalStatusChange,
)
from segl.sdk.errors import ForeignUrlError
from segl.sdk.exchange import Operation, Request, poll_time, require, understand
from segl.sdk.jobs import (
    ConfirmationReference,
    Job,
    JobResponse,
    JobStatusChange,
    PadesReference,
    Sender,
    XadesReference,
)

XML = "application/xml"
BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class PortalOperations:
    """The calls below one API root (without a slash at its end), for one organization certificate."""

    api_root: str
    key: SigningKey
    sender: Sender | None = None
    download_wait: float | None = None

    def who_am_i(self, sender: Sender | None) -> Operation[str]:
        response = yield Request("GET", self._organization(sender), {})
        require(response, 200)
        return response.content.decode("utf-8", errors="replace")

    def create(self, job: Job) -> Operation[JobResponse]:
        check_kind("What is created", job, Job, write="Job(document, [Signer(…), …])")
        sender = self._sender(job.sender)
        content_type, content = _multipart(_request(job, sender), self._package(job, sender))
        response = yield Request(
            "POST", self._jobs(sender), {"Accept": XML, "Content-Type": content_type}, content=content
        )
        require(response, 200)
        created = understand(response, PortalJobResponse.from_xml)
        return JobResponse(created.signature_job_id, created.reference)

    def get_status_change(self, sender: Sender | None) -> Operation[JobStatusChange]:
        response = yield Request("GET", self._queue(self._sender(sender)), {"Accept": XML})
        require(response, 200, 204)
        told = understand(response, PortalStatusChange.from_xml) if response.status == 200 else None
        return JobStatusChange(poll_time(response) or datetime.now(UTC), told)

    def confirm(self, reference: ConfirmationReference) -> Operation[None]:
        check_kind("The reference", reference, ConfirmationReference, write="a change's confirmation_reference")
        response = yield Request("POST", self._own(reference.url), {"Accept": XML})
        require(response)

    def xades(self, reference: XadesReference) -> Request:
        check_kind("The reference", reference, XadesReference, write="a signature's xades_reference")
        return Request("GET", self._own(reference.url), {"Accept": XML}, wait=self.download_wait)

    def pades(self, reference: PadesReference) -> Request:
        check_kind("The reference", reference, PadesReference, write="a change's pades_reference")
        return Request("GET", self._own(reference.url), {"Accept": f"{BINARY}, {XML}"}, wait=self.download_wait)

    def _sender(self, sender: Sender | None) -> Sender:
        chosen = sender or self.sender
        if chosen is None:
            raise InvalidInput("No sender: give one with the call, on the job or in the ClientConfiguration.")
        check_kind("The sender", chosen, Sender, write='Sender("…")')
        return chosen

    def _organization(self, sender: Sender | None) -> str:
        return f"{self.api_root}/{quote(self._sender(sender).organization_number, safe='')}"

    def _jobs(self, sender: Sender) -> str:
        return f"{self._organization(sender)}/portal/signature-jobs"

    def _queue(self, sender: Sender) -> str:
        queue = sender.polling_queue.name
        return self._jobs(sender) + (f"?polling_queue={quote(queue, safe='')}" if queue else "")

    def _own(self, url: str) -> str:
        """The URL, if it lies below the API root: no response may send our requests anywhere else."""
        root, asked = urlsplit(self.api_root), urlsplit(url)
        path = unquote(asked.path)
        below = path.startswith(f"{root.path}/") and not {".", ".."} & set(path.split("/")) and "\\" not in path
        if _origin(root.scheme, root.netloc) != _origin(asked.scheme, asked.netloc) or not below:
            raise ForeignUrlError(f"{url!r} does not lie below the API root {self.api_root!r}; nothing was sent there.")
        return url

    def _package(self, job: Job, sender: Sender) -> bytes:
        document = job.document
        return build(
            manifest=_manifest(job, sender).to_xml(),
            documents=[PackageFile(document.file_name, document.file_type.value, document.read())],
            key=self.key,
            signing_time=datetime.now(UTC),
        )


def _origin(scheme: str, netloc: str) -> tuple[str, str]:
    default = {"https": ":443", "http": ":80"}.get(scheme.lower(), "")
    return scheme.lower(), netloc.lower().removesuffix(default)


def _manifest(job: Job, sender: Sender) -> PortalManifest:
    document = job.document
    return PortalManifest(
        signers=tuple(job.signers),
        sender=sender.organization_number,
        title=document.title,
        description=document.message,
        documents=(ManifestDocument(document.title, document.file_name, document.file_type.value),),
        required_authentication=job.authentication_level,
    )


def _request(job: Job, sender: Sender) -> bytes:
    return PortalJobRequest(reference=job.reference, polling_queue=sender.polling_queue.name or None).to_xml()


def _multipart(request: bytes, package: bytes) -> tuple[str, bytes]:
    """The content type and body of a create request: multipart/mixed (RFC 2046)."""
    boundary = secrets.token_hex(16)
    parts = [(XML, request), (BINARY, package)]
    head = [f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() for kind, _ in parts]
    content = b"".join(b"".join((start, body, b"\r\n")) for start, (_, body) in zip(head, parts, strict=True))
    return f"multipart/mixed; boundary={boundary}", content + f"--{boundary}--\r\n".encode()
