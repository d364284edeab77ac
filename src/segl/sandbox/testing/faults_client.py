"""Asks a running sandbox for faults, from a test or any program beside it."""

import json
import os
from pathlib import Path
from typing import Self, get_args

import httpx

from segl.core.errors import InvalidInput
from segl.sandbox.faults.pending import ApiFault, Calls, Fault, Kind


class FaultsClient:
    """Asks for faults; as a context it takes back at its end those it asked for that have not happened.

        with FaultsClient.sandbox(".segl/ready.json", "123456789") as faults:
            faults.ask("drop-after", calls="create")

    With an organization number, faults of the API befall the calls for this sender alone, so that tests of several
    senders may run side by side. Every call raises httpx.HTTPError when the sandbox does not answer.
    """

    def __init__(self, url: str, organization_number: str | None = None) -> None:
        self._url = url
        self._organization = organization_number
        self._asked: list[str] = []
        self._http = httpx.Client(trust_env=False)

    @classmethod
    def sandbox(cls, ready_file: str | os.PathLike[str], organization_number: str | None = None) -> Self:
        """For the sandbox that wrote this ready file."""
        try:
            url = json.loads(Path(ready_file).read_bytes())["faults"]
        except (OSError, ValueError, LookupError, TypeError):
            raise InvalidInput(
                f"{os.fspath(ready_file)!r} is no ready file of a running sandbox; "
                "`segl sandbox --ready-file FILE` writes one."
            ) from None
        return cls(url, organization_number)

    def ask(
        self, fault: Kind, *, times: int | None = None, calls: Calls | None = None, seconds: float | None = None
    ) -> None:
        """Have a fault happen: `times` is 1 without, and for those beside the API until it is taken back.

        Raises:
            InvalidInput: There is no such fault.
        """
        organization = self._organization if fault in get_args(ApiFault) else None
        wanted = {"fault": fault, "times": times, "calls": calls, "organization": organization, "seconds": seconds}
        answer = self._http.post(self._url, json=wanted)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise InvalidInput(answer.text.strip())
        self._asked.append(answer.raise_for_status().json()["id"])

    def pending(self) -> list[Fault]:
        """Those this client asked for that are still to happen."""
        told = self._http.get(self._url).raise_for_status().json()
        return [Fault(**each) for each in told if each["id"] in self._asked]

    def take_back(self) -> None:
        """Have none of those happen any more that this client asked for."""
        for each in self._asked:
            self._http.delete(f"{self._url}/{each}").raise_for_status()
        self._asked.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.take_back()
        finally:
            self._http.close()
