"""The portal API's calls as operations: what is sent, and what is made of the answers."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from segl.core.errors import InvalidDocument, InvalidInput
from segl.core.keys import SigningKey
from segl.core.protocol import (
    MOST_DOCUMENT_BYTES,
    Availability,
    ManifestDocument,
    PortalJobRequest,
    PortalJobResponse,
    PortalManifest,
    PortalStatusChange,
)
from segl.core.type_checks import check_kind
from segl.sdk.errors import ForeignUrlError, JobNotCancellableError
from segl.sdk.exchange import Operation, Request, Response, clock_lead, poll_time, require, sent, understand
from segl.sdk.functions import check_done
from segl.sdk.pacing import Pace
from segl.sdk.portal.changes import JobResponse, JobStatusChange
from segl.sdk.portal.jobs import Job
from segl.sdk.references import (
    CancellationReference,
    ConfirmationReference,
    DeleteDocumentsReference,
    PadesReference,
    XadesReference,
)
from segl.sdk.senders import Sender

XML = "application/xml"
BINARY = "application/octet-stream"
_FRESH = timedelta(seconds=4)
"""How old a package's signature may be to be taken; the service says 5 s."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PortalOperations:
    """The calls below one API root (without a slash at its end), for one organization certificate.

    retries:
        How often what is safe to repeat is repeated.
    keeps_idempotency_keys:
        Whether the service makes one job of creations with one Idempotency-Key, so that these are safe too.
    see_package:
        Called with each package before it is sent.
    pace:
        Spreads the calls.
    """

    api_root: str
    key: SigningKey
    sender: Sender | None = None
    download_wait: float | None = None
    retries: int = 0
    keeps_idempotency_keys: bool = False
    see_package: Callable[[Any, bytes], object] | None = None
    pace: Pace | None = None

    def who_am_i(self, sender: Sender | None) -> Operation[str]:
        response = yield from self._sent(Request("GET", self._organization(sender), {}))
        require(response, 200)
        return response.content.decode("utf-8", errors="replace")

    def create(self, job: Job) -> Operation[JobResponse]:
        check_kind("What is created", job, Job, write="Job(document, [Signer(…), …])")
        key = secrets.token_urlsafe(16) if self.keeps_idempotency_keys else None
        for _ in range(self.retries + 1):
            creation = _Creation(lambda signed_at: self._creation(job, key, signed_at), same=key is not None)
            response = yield from sent(creation, self.retries, self.pace)
            if response.status != 400 or creation.age < _FRESH:
                break
            # Waited for a connection, or was repeated, until its signature was too old: so no job was made of it.
        require(response, 200)
        created = understand(response, PortalJobResponse.from_xml)
        return JobResponse(created.signature_job_id, created.reference, CancellationReference(created.cancellation_url))

    def get_status_change(self, sender: Sender | None) -> Operation[JobStatusChange]:
        response = yield from self._sent(Request("GET", self._queue(self._sender(sender)), {"Accept": XML}))
        require(response, 200, 204)
        told = understand(response, PortalStatusChange.from_xml) if response.status == 200 else None
        return JobStatusChange(poll_time(response) or datetime.now(UTC), told, clock_lead(response))

    def confirm(self, reference: ConfirmationReference) -> Operation[None]:
        check_kind("The reference", reference, ConfirmationReference, write="a change's confirmation_reference")
        response = yield from self._sent(Request("POST", self._own(reference.url), {"Accept": XML}))
        if not (response.repeated and response.status == 404):  # then the first time did it
            require(response)

    def cancel(self, reference: CancellationReference) -> Operation[None]:
        write = "the cancellation_reference of a created job or of a change"
        check_kind("The reference", reference, CancellationReference, write=write)
        response = yield from self._sent(Request("POST", self._own(reference.url), {"Accept": XML}))
        require(response, kinds={409: JobNotCancellableError})

    def delete_documents(self, reference: DeleteDocumentsReference) -> Operation[None]:
        write = "a change's delete_documents_reference"
        check_kind("The reference", reference, DeleteDocumentsReference, write=write)
        response = yield from self._sent(Request("DELETE", self._own(reference.url), {"Accept": XML}))
        if not (response.repeated and response.status == 404):  # as for `confirm`
            require(response)

    def xades(self, reference: XadesReference) -> Callable[[], Operation[Response]]:
        check_kind("The reference", reference, XadesReference, write="a signature's xades_reference")
        request = Request("GET", self._own(reference.url), {"Accept": XML}, wait=self.download_wait)
        return lambda: self._downloaded(request)

    def pades(self, reference: PadesReference) -> Callable[[], Operation[Response]]:
        check_kind("The reference", reference, PadesReference, write="a change's pades_reference")
        accepted = {"Accept": f"{BINARY}, {XML}"}
        request = Request("GET", self._own(reference.url), accepted, wait=self.download_wait)
        return lambda: self._downloaded(request)

    def _downloaded(self, request: Request) -> Operation[Response]:
        response = yield from self._sent(request)
        require(response, 200)
        return response

    def _sent(self, request: Request) -> Operation[Response]:
        return sent(lambda: request, self.retries, self.pace)

    def _creation(self, job: Job, key: str | None, signing_time: datetime) -> Request:
        sender = self._sender(job.sender)
        package = self._package(job, sender, signing_time)
        if self.see_package:
            check_done(self.see_package(job, b"".join(package)), "see_package")
        content_type, content = _multipart(_request(job, sender), package)
        headers = {"Accept": XML, "Content-Type": content_type}
        if key:
            headers["Idempotency-Key"] = f'"{key}"'
        return Request("POST", self._jobs(sender), headers, content=content, repeatable=key is not None)

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
        try:
            root, asked = urlsplit(self.api_root), urlsplit(url)
        except ValueError:
            raise ForeignUrlError(f"{url!r} is no URL; nothing was sent there.") from None
        path = unquote(asked.path)
        below = path.startswith(f"{root.path}/") and not {".", ".."} & set(path.split("/")) and "\\" not in path
        if _origin(root.scheme, root.netloc) != _origin(asked.scheme, asked.netloc) or not below:
            raise ForeignUrlError(f"{url!r} does not lie below the API root {self.api_root!r}; nothing was sent there.")
        return url

    def _package(self, job: Job, sender: Sender, signing_time: datetime) -> list[bytes]:
        from segl.core.asice import PackageFile, build_pieces  # a program that sends no jobs does without

        manifest = _manifest(job, sender)
        files = [
            PackageFile(entry.href, entry.media_type, document.read())
            for entry, document in zip(manifest.documents, job.documents, strict=True)
        ]
        if (size := sum(len(each.content) for each in files)) > MOST_DOCUMENT_BYTES:
            raise InvalidDocument(
                f"The documents are {size} bytes together; at most {MOST_DOCUMENT_BYTES} are accepted."
            )
        return build_pieces(manifest=manifest.to_xml(), documents=files, key=self.key, signing_time=signing_time)


class _Creation:
    """Builds the request of a creation, signed now: anew each time, or once where a repeated one has to be the same."""

    def __init__(self, build: Callable[[datetime], Request], *, same: bool) -> None:
        self._build, self._same = build, same
        self._signed_at = datetime.now(UTC)
        self._built: Request | None = None

    def __call__(self) -> Request:
        if self._built is None or not self._same:
            self._signed_at = datetime.now(UTC)
            self._built = self._build(self._signed_at)
        return self._built

    @property
    def age(self) -> timedelta:
        """Of the signature that was sent last."""
        return datetime.now(UTC) - self._signed_at


def _origin(scheme: str, netloc: str) -> tuple[str, str]:
    default = {"https": ":443", "http": ":80"}.get(scheme.lower(), "")
    return scheme.lower(), netloc.lower().removesuffix(default)


def _manifest(job: Job, sender: Sender) -> PortalManifest:
    names, [first, *_] = job.file_names, job.documents
    return PortalManifest(
        signers=tuple(job.signers),
        sender=sender.organization_number,
        title=first.title if job.title is None else job.title,
        documents=tuple(
            ManifestDocument(document.title, name, document.file_type.value)
            for name, document in zip(names, job.documents, strict=True)
        ),
        nonsensitive_title=job.non_sensitive_title,
        description=first.message or None if job.description is None else job.description,
        required_authentication=job.authentication_level,
        availability=_availability(job),
        identifier_in_signed_documents=job.identifier_in_signed_documents,
    )


def _availability(job: Job) -> Availability | None:
    if job.activation_time is None and job.available is None:
        return None
    seconds = None if job.available is None else job.available // timedelta(seconds=1)
    return Availability(job.activation_time, seconds)


def _request(job: Job, sender: Sender) -> bytes:
    return PortalJobRequest(reference=job.reference, polling_queue=sender.polling_queue.name or None).to_xml()


def _multipart(request: bytes, package: Sequence[bytes]) -> tuple[str, list[bytes]]:
    """The content type and the body's pieces of a create request: multipart/mixed (RFC 2046)."""
    boundary = secrets.token_hex(16)
    first, second = (f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() for kind in (XML, BINARY))
    last = f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/mixed; boundary={boundary}", [first, request, b"\r\n", second, *package, last]
