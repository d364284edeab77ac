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

    Threads may share it; close it after use (or use `with`). Calls raise the errors drawn in `segl.sdk.errors`. What is
    safe to repeat is repeated when the service is out of reach or overloaded (`ClientConfiguration.retries`).
    """

    def __init__(self, configuration: ClientConfiguration) -> None:
        super().__init__(configuration, PortalOperations)

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

    def cancel(self, reference: CancellationReference) -> None:
        """Cancel a job; its signers are told. JobNotCancellableError when it has ended already."""
        run(self._http, self._calls.cancel(reference))


class AsyncPortalClient(AsyncJobsClient[PortalOperations]):
    """`PortalClient` for asyncio: the same calls, awaited. Close it after use (or `async with`).

    It belongs to the event loop that it is first used in: each `asyncio.run` needs one of its own.
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
