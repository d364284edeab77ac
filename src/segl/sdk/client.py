"""The portal clients: PortalClient, and AsyncPortalClient for asyncio, with the same calls."""

import platform
from typing import Any, Self

import httpx

import segl
from segl.sdk.configuration import ClientConfiguration
from segl.sdk.download import AsyncDownload, Download
from segl.sdk.jobs import (
    ConfirmationReference,
    Job,
    JobResponse,
    JobStatusChange,
    PadesReference,
    Sender,
    XadesReference,
)
from segl.sdk.operations import PortalOperations
from segl.sdk.tls import client_context
from segl.sdk.transport import run, run_async


class PortalClient:
    """The portal API for one organization certificate.

    Threads may share it; close it after use (or use `with`). Calls raise the errors drawn in
    `segl.sdk.errors`; nothing is retried.
    """

    def __init__(self, configuration: ClientConfiguration) -> None:
        self._calls = _operations(configuration)
        self._http = httpx.Client(**_connection(configuration))

    def create(self, job: Job) -> JobResponse:
        """Send a job: its signers are notified and can sign. Each call that arrives makes one more job."""
        return run(self._http, self._calls.create(job))

    def get_status_change(self, sender: Sender | None = None) -> JobStatusChange:
        """The next change on the sender's queue, or `JobStatus.NO_CHANGES`; comes back unless confirmed.

        Raises TooEagerPollingError when called before `next_permitted_poll_time` of the call before.
        """
        return run(self._http, self._calls.get_status_change(sender))

    def confirm(self, reference: ConfirmationReference) -> None:
        """Say that a change has been handled, so that it is not told again."""
        run(self._http, self._calls.confirm(reference))

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
    """`PortalClient` for asyncio: the same calls, awaited. Close it after use (or `async with`)."""

    def __init__(self, configuration: ClientConfiguration) -> None:
        self._calls = _operations(configuration)
        self._http = httpx.AsyncClient(**_connection(configuration))

    async def create(self, job: Job) -> JobResponse:
        """See `PortalClient.create`."""
        return await run_async(self._http, self._calls.create(job))

    async def get_status_change(self, sender: Sender | None = None) -> JobStatusChange:
        """See `PortalClient.get_status_change`."""
        return await run_async(self._http, self._calls.get_status_change(sender))

    async def confirm(self, reference: ConfirmationReference) -> None:
        """See `PortalClient.confirm`."""
        await run_async(self._http, self._calls.confirm(reference))

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
    return PortalOperations(
        api_root=configuration.environment.api_root.rstrip("/"),
        key=configuration.certificate,
        sender=configuration.sender,
        download_wait=configuration.timeouts.download,
    )


def _connection(configuration: ClientConfiguration) -> dict[str, Any]:
    """What both httpx clients are made with; nothing is taken from the environment's variables."""
    environment, timeouts = configuration.environment, configuration.timeouts
    system = f"Python {platform.python_version()}; {platform.system()}"
    return {
        "verify": client_context(
            anchors=environment.anchors(),
            organization_number=environment.organization_number,
            key=configuration.certificate,
        ),
        "headers": {"User-Agent": f"segl-python/{segl.__version__} ({system})"},
        "timeout": httpx.Timeout(timeouts.read, connect=timeouts.connect),
        "trust_env": False,
        "follow_redirects": False,
    }
