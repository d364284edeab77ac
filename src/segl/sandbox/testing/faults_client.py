"""Requests faults from a running sandbox, in a test or any other program on the same machine."""

import json
import os
from pathlib import Path
from typing import Self, get_args

import httpx

from segl.core.errors import InvalidInput
from segl.sandbox.faults.pending import ApiFault, Calls, Fault, Kind


class FaultsClient:
    """Requests faults; as a context manager it takes back those that have not happened when it exits.

        with FaultsClient.sandbox(".segl/ready.json", "123456789") as faults:
            faults.ask("drop-after", calls="create")

    With an organization number, faults of the API apply only to calls for this sender, so that tests with different
    senders can run side by side. Every method raises httpx.HTTPError when the sandbox does not respond.
    """

    def __init__(self, url: str, organization_number: str | None = None) -> None:
        self._url = url
        self._organization = organization_number
        self._requested: list[str] = []
        self._http = httpx.Client(trust_env=False)

    @classmethod
    def sandbox(cls, ready_file: str | os.PathLike[str], organization_number: str | None = None) -> Self:
        """Return a client of the sandbox that wrote this ready file."""
        try:
            url = json.loads(Path(ready_file).read_bytes())["faults"]
        except (OSError, ValueError, LookupError, TypeError):
            raise InvalidInput(
                f"{os.fspath(ready_file)!r} is not the ready file of a running sandbox; "
                "`segl sandbox --ready-file FILE` writes one."
            ) from None
        return cls(url, organization_number)

    def ask(
        self, fault: Kind, *, times: int | None = None, calls: Calls | None = None, seconds: float | None = None
    ) -> None:
        """Request a fault. Without `times`, faults of the API happen once, others until they are taken back.

        Raises:
            InvalidInput: There is no such fault.
        """
        organization = self._organization if fault in get_args(ApiFault) else None
        wanted = {"fault": fault, "times": times, "calls": calls, "organization": organization, "seconds": seconds}
        answer = self._http.post(self._url, json=wanted)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise InvalidInput(answer.text.strip())
        self._requested.append(answer.raise_for_status().json()["id"])

    def pending(self) -> list[Fault]:
        """Return the faults requested by this client that are still to happen."""
        pending = self._http.get(self._url).raise_for_status().json()
        return [Fault(**each) for each in pending if each["id"] in self._requested]

    def take_back(self) -> None:
        """Take back all faults requested by this client."""
        for each in self._requested:
            self._http.delete(f"{self._url}/{each}").raise_for_status()
        self._requested.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.take_back()
        finally:
            self._http.close()
