"""The ready file: JSON that says where everything of a sandbox is, and is there as long as it accepts calls."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segl.sandbox.errors import SandboxError
from segl.sandbox.files import check_writable, write_atomically
from segl.sandbox.pki import SERVER_NUMBER, SandboxPki
from segl.service.configuration import Configuration


@contextmanager
def announcing(
    ready_file: Path | None, on_ready: Callable[[Mapping[str, Any]], None]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Gives what says that the sandbox accepts calls; until then there is no ready file, not even one of a kill.

    Raises:
        SandboxError: The file cannot be written.
    """

    def announce(told: Mapping[str, Any]) -> None:
        if ready_file:
            write_atomically(ready_file, json.dumps(told, indent=2).encode())
        on_ready(told)

    _check_writable(ready_file)
    _remove(ready_file)
    try:
        yield announce
    finally:
        _remove(ready_file)


def _check_writable(ready_file: Path | None) -> None:
    """Better now than when everything else is running."""
    if ready_file is None:
        return
    try:
        check_writable(ready_file)
    except OSError as error:
        raise SandboxError(
            f"The ready file {ready_file} cannot be written ({error.strerror}): name another one with --ready-file."
        ) from None


def _remove(file: Path | None) -> None:
    if file:
        file.unlink(missing_ok=True)


def contents(configuration: Configuration, pki: SandboxPki) -> dict[str, object]:
    """Where everything is, for those who use the sandbox from outside."""
    return {
        "api_root": configuration.api_root,
        "web_root": configuration.web_root,
        "outbox": f"{configuration.web_root}/outbox",
        "new_organizations": f"{configuration.web_root}/sandbox/organizations",
        "contact_register": f"{configuration.web_root}/contact-register",
        "faults": f"{configuration.web_root}/sandbox/faults",
        "server": {"organization_number": SERVER_NUMBER, "trust_anchors": str(pki.trust_anchors)},
        "organizations": [files.describe() for files in pki.organizations],
    }
