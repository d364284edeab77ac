"""The portal clients: PortalClient, and AsyncPortalClient for asyncio, with the same calls."""

import os
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self

import httpx

from segl.core.certificates import organization_number
from segl.core.type_checks import check_kind
from segl.sdk.configuration import ClientConfiguration
from segl.sdk.connection import connection, pace
from segl.sdk.download import AsyncDownload, Download
from segl.sdk.portal.changes import JobResponse, JobStatusChange
from segl.sdk.portal.jobs import Job
from segl.sdk.portal.operations import PortalOperations
from segl.sdk.references import (
    CancellationReference,
    ConfirmationReference,
    DeleteDocumentsReference,
    PadesReference,
    XadesReference,
)
from segl.sdk.senders import Sender
from segl.sdk.transport import run, run_async

if TYPE_CHECKING:
    import asyncio


class PortalClient:
    """The portal API for one organization certificate.

    Threads may share it; close it after use (or use `with`). Calls raise the errors drawn in `segl.sdk.errors`. What is
    safe to repeat is repeated when the service is out of reach or overloaded (`ClientConfiguration.retries`).
    """

    def __init__(self, configuration: ClientConfiguration) -> None:
        self._calls = _operations(configuration)
        self._configuration = configuration
        self._open()

    def _open(self) -> None:
        self._opened, self._process = httpx.Client(**connection(self._configuration)), os.getpid()

    @property
    def _http(self) -> httpx.Client:
        """Connections of this process: after a fork, those that there are belong to the parent."""
        if self._process != os.getpid():
            self._open()
        return self._opened

    def create(self, job: Job) -> JobResponse:
        """Send a job: its signers are notified and can sign. Each call makes one more job.

        When NoAnswerError is raised, the job may have been made; poll before you create it again. (A service that keeps
        Idempotency-Keys was asked again before, as one that was not reached is.)
        """
        return run(self._http, self._calls.create(job))

    def get_status_change(self, sender: Sender | None = None) -> JobStatusChange:
        """The next change on the sender's queue, or `JobStatus.NO_CHANGES`; comes back unless confirmed.

        Raises TooEagerPollingError when called before `next_permitted_poll_time` of the call before.
        """
        return run(self._http, self._calls.get_status_change(sender))

    def handle_status_changes(
        self,
        handler: Callable[[JobStatusChange], object],
        sender: Sender | None = None,
        *,
        stop: threading.Event | None = None,
    ) -> None:
        """Have the changes on the sender's queue handled, one by one, until `stop` is set or SIGINT or SIGTERM comes.

        A change is confirmed when its handler ends without an error. When it raises one, or the process is killed, the
        change is told again later (after 10 minutes): *each is handled at least once*, so a handler must take a change
        that it has seen before. Several processes may do this; no two get the same change at once.

        Waits as the service permits, and through lost connections and the service's failures. Raises what waiting
        does not mend: UntrustedServerError, ClientCertificateError, and UnexpectedResponseError with a status of 4xx.
        """
        from segl.sdk.handling import handle, handling  # a program that only sends does without

        handle(self._http, handling(self._calls, sender), handler, stop)

    def confirm(self, reference: ConfirmationReference) -> None:
        """Say that a change has been handled, so that it is not told again."""
        run(self._http, self._calls.confirm(reference))

    def cancel(self, reference: CancellationReference) -> None:
        """Cancel a job; its signers are told. JobNotCancellableError when it has ended already."""
        run(self._http, self._calls.cancel(reference))

    def delete_documents(self, reference: DeleteDocumentsReference) -> None:
        """Delete a job's documents, the signed ones too, before their time."""
        run(self._http, self._calls.delete_documents(reference))

    def get_xades(self, reference: XadesReference) -> Download:
        """One signer's XAdES; fetched when the download is read."""
        return Download(self._http, self._calls.xades(reference))

    def get_pades(self, reference: PadesReference) -> Download:
        """The signed PDF; fetched when the download is read."""
        return Download(self._http, self._calls.pades(reference))

    def who_am_i(self, sender: Sender | None = None) -> str:
        """How the service sees us, as a sentence: a cheap test of certificate and authorization."""
        return run(self._http, self._calls.who_am_i(sender))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncPortalClient:
    """`PortalClient` for asyncio: the same calls, awaited. Close it after use (or `async with`).

    It belongs to the event loop that it is first used in: each `asyncio.run` needs one of its own.
    """

    def __init__(self, configuration: ClientConfiguration) -> None:
        self._calls = _operations(configuration)
        self._http = httpx.AsyncClient(**connection(configuration))

    async def create(self, job: Job) -> JobResponse:
        """See `PortalClient.create`."""
        return await run_async(self._http, self._calls.create(job))

    async def get_status_change(self, sender: Sender | None = None) -> JobStatusChange:
        """See `PortalClient.get_status_change`."""
        return await run_async(self._http, self._calls.get_status_change(sender))

    async def handle_status_changes(
        self,
        handler: Callable[[JobStatusChange], Awaitable[object]],
        sender: Sender | None = None,
        *,
        stop: "asyncio.Event | None" = None,
    ) -> None:
        """See `PortalClient.handle_status_changes`; the handler is awaited."""
        from segl.sdk.handling import handle_async, handling  # as above

        await handle_async(self._http, handling(self._calls, sender), handler, stop)

    async def confirm(self, reference: ConfirmationReference) -> None:
        """See `PortalClient.confirm`."""
        await run_async(self._http, self._calls.confirm(reference))

    async def cancel(self, reference: CancellationReference) -> None:
        """See `PortalClient.cancel`."""
        await run_async(self._http, self._calls.cancel(reference))

    async def delete_documents(self, reference: DeleteDocumentsReference) -> None:
        """See `PortalClient.delete_documents`."""
        await run_async(self._http, self._calls.delete_documents(reference))

    def get_xades(self, reference: XadesReference) -> AsyncDownload:
        """See `PortalClient.get_xades`; the download is awaited, not this call."""
        return AsyncDownload(self._http, self._calls.xades(reference))

    def get_pades(self, reference: PadesReference) -> AsyncDownload:
        """See `PortalClient.get_pades`; the download is awaited, not this call."""
        return AsyncDownload(self._http, self._calls.pades(reference))

    async def who_am_i(self, sender: Sender | None = None) -> str:
        """See `PortalClient.who_am_i`."""
        return await run_async(self._http, self._calls.who_am_i(sender))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _operations(configuration: ClientConfiguration) -> PortalOperations:
    check_kind("What a client is made from", configuration, ClientConfiguration, write="ClientConfiguration(…)")
    number = organization_number(configuration.certificate.certificate)
    return PortalOperations(
        api_root=configuration.environment.api_root.rstrip("/"),
        key=configuration.certificate,
        sender=configuration.sender,
        download_wait=configuration.timeouts.download,
        retries=configuration.retries,
        keeps_idempotency_keys=configuration.environment.keeps_idempotency_keys,
        see_package=configuration.see_package,
        pace=pace(configuration.environment.api_root, number, configuration.calls_per_second),
    )
