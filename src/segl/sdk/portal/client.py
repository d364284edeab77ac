"""The portal clients: PortalClient, and AsyncPortalClient for asyncio, with the same calls."""

import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from segl.sdk.clients import AsyncJobsClient, JobsClient
from segl.sdk.configuration import ClientConfiguration
from segl.sdk.portal.changes import JobResponse, JobStatusChange
from segl.sdk.portal.jobs import Job
from segl.sdk.portal.operations import PortalOperations
from segl.sdk.references import CancellationReference
from segl.sdk.senders import Sender
from segl.sdk.transport import run, run_async

if TYPE_CHECKING:
    import asyncio


class PortalClient(JobsClient[PortalOperations]):
    """The portal API for one organization certificate.

    Threads may share it; close it after use (or use `with`). Calls raise the errors listed in `segl.sdk.errors`. Calls
    that are safe to repeat are repeated if the service is out of reach or overloaded (`ClientConfiguration.retries`).
    """

    def __init__(self, configuration: ClientConfiguration) -> None:
        super().__init__(configuration, PortalOperations)

    def create(self, job: Job) -> JobResponse:
        """Send a job: its signers are notified and can sign. Each call creates one more job.

        If NoAnswerError is raised, the job may exist; poll before you create it again. (If the service keeps
        Idempotency-Keys, or was not reached, the client has already retried.)
        """
        return run(self._http, self._calls.create(job))

    def get_status_change(self, sender: Sender | None = None) -> JobStatusChange:
        """Return the next change on the sender's queue, or `JobStatus.NO_CHANGES`; it comes back unless confirmed.

        Raises TooEagerPollingError if called before the `next_permitted_poll_time` of the previous call.
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

        A change is confirmed when its handler returns without an error. If it raises one, or the process is killed, the
        change is delivered again later (after 10 minutes): *each is handled at least once*, so a handler must cope with
        a change that it has seen before. Several processes may do this; no two get the same change at once.

        Polls when the service permits it, and waits while connections or the service fail. Raises what waiting does not
        fix: UntrustedServerError, ClientCertificateError, and UnexpectedResponseError with a status of 4xx.
        """
        from segl.sdk.handling import handle, handling  # a program that only sends never loads it

        handle(self._http, handling(self._calls, sender), handler, stop)

    def cancel(self, reference: CancellationReference) -> None:
        """Cancel a job; its signers are notified. Raises JobNotCancellableError if it has ended already."""
        run(self._http, self._calls.cancel(reference))


class AsyncPortalClient(AsyncJobsClient[PortalOperations]):
    """`PortalClient` for asyncio: the same calls, awaited. Close it after use (or `async with`).

    It belongs to the event loop that it is first used in: each `asyncio.run` needs its own client.
    """

    def __init__(self, configuration: ClientConfiguration) -> None:
        super().__init__(configuration, PortalOperations)

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

    async def cancel(self, reference: CancellationReference) -> None:
        """See `PortalClient.cancel`."""
        await run_async(self._http, self._calls.cancel(reference))
