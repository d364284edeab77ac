"""What the clients of all flows share, sync and async: the connections, and the calls that every flow has."""

import os
from typing import Generic, Self, TypeVar

import httpx

from segl.core.certificates import organization_number
from segl.core.type_checks import check_kind
from segl.sdk.configuration import ClientConfiguration
from segl.sdk.connection import connection, pace
from segl.sdk.download import AsyncDownload, Download
from segl.sdk.operations import Operations
from segl.sdk.references import ConfirmationReference, DeleteDocumentsReference, PadesReference, XadesReference
from segl.sdk.senders import Sender
from segl.sdk.transport import run, run_async

Calls = TypeVar("Calls", bound=Operations)


class Client(Generic[Calls]):
    """The connections for one organization certificate, to be closed after use."""

    def __init__(self, configuration: ClientConfiguration, calls: type[Calls]) -> None:
        self._calls = _operations(configuration, calls)
        self._configuration = configuration
        self._open()

    def _open(self) -> None:
        self._opened, self._process = httpx.Client(**connection(self._configuration)), os.getpid()

    @property
    def _http(self) -> httpx.Client:
        """The connections of this process: after a fork, the open ones belong to the parent."""
        if self._process != os.getpid():
            self._open()
        return self._opened

    def who_am_i(self, sender: Sender | None = None) -> str:
        """Return how the service sees us, as a sentence: a cheap test of certificate and authorization."""
        return run(self._http, self._calls.who_am_i(sender))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class JobsClient(Client[Calls]):
    """A client of a flow with jobs: the calls for a job that was created, the same in every flow."""

    def confirm(self, reference: ConfirmationReference) -> None:
        """Confirm that a change has been handled, so that it is not delivered again."""
        run(self._http, self._calls.confirm(reference))

    def delete_documents(self, reference: DeleteDocumentsReference) -> None:
        """Delete a job's documents, the signed ones too, before their time."""
        run(self._http, self._calls.delete_documents(reference))

    def get_xades(self, reference: XadesReference) -> Download:
        """One signer's XAdES; fetched when the download is read."""
        return Download(self._http, self._calls.xades(reference))

    def get_pades(self, reference: PadesReference) -> Download:
        """The signed PDF; fetched when the download is read."""
        return Download(self._http, self._calls.pades(reference))


class AsyncClient(Generic[Calls]):
    """`Client` for asyncio; it belongs to the event loop that it is first used in."""

    def __init__(self, configuration: ClientConfiguration, calls: type[Calls]) -> None:
        self._calls = _operations(configuration, calls)
        self._http = httpx.AsyncClient(**connection(configuration))

    async def who_am_i(self, sender: Sender | None = None) -> str:
        """Return how the service sees us, as a sentence: a cheap test of certificate and authorization."""
        return await run_async(self._http, self._calls.who_am_i(sender))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncJobsClient(AsyncClient[Calls]):
    """`JobsClient` for asyncio."""

    async def confirm(self, reference: ConfirmationReference) -> None:
        """Confirm that a change has been handled, so that it is not delivered again."""
        await run_async(self._http, self._calls.confirm(reference))

    async def delete_documents(self, reference: DeleteDocumentsReference) -> None:
        """Delete a job's documents, the signed ones too, before their time."""
        await run_async(self._http, self._calls.delete_documents(reference))

    def get_xades(self, reference: XadesReference) -> AsyncDownload:
        """One signer's XAdES; fetched when the download is read, which is awaited, unlike this call."""
        return AsyncDownload(self._http, self._calls.xades(reference))

    def get_pades(self, reference: PadesReference) -> AsyncDownload:
        """The signed PDF; fetched when the download is read, which is awaited, unlike this call."""
        return AsyncDownload(self._http, self._calls.pades(reference))


def _operations(configuration: ClientConfiguration, kind: type[Calls]) -> Calls:
    check_kind("What a client is made from", configuration, ClientConfiguration, write="ClientConfiguration(…)")
    number = organization_number(configuration.certificate.certificate)
    return kind(
        api_root=configuration.environment.api_root.rstrip("/"),
        key=configuration.certificate,
        sender=configuration.sender,
        create_wait=configuration.timeouts.create,
        download_wait=configuration.timeouts.download,
        retries=configuration.retries,
        keeps_idempotency_keys=configuration.environment.keeps_idempotency_keys,
        see_package=configuration.see_package,
        pace=pace(configuration.environment.api_root, number, configuration.calls_per_second),
    )
