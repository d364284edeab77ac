"""The ready file: JSON that says where everything in a sandbox is. It exists as long as the sandbox accepts calls."""

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
    """Yield a function that announces that the sandbox accepts calls.

    Until it is called there is no ready file, not even a left-over one from a sandbox that was killed.

    Raises:
        SandboxError: The file cannot be written, or it exists and is not a ready file.
    """

    def announce(places: Mapping[str, Any]) -> None:
        if ready_file:
            write_atomically(ready_file, json.dumps(places, indent=2).encode())
        on_ready(places)

    _check_usable(ready_file)
    _remove(ready_file)
    try:
        yield announce
    finally:
        _remove(ready_file)


def _check_usable(ready_file: Path | None) -> None:
    """Fail now rather than when everything else is running, and before a file of the user's is removed."""
    if ready_file is None:
        return
    try:
        check_writable(ready_file)
        replaceable = not ready_file.exists() or _is_ready_file(ready_file)
    except OSError as error:
        raise SandboxError(
            f"The ready file {ready_file} cannot be written ({error.strerror}): name another one with --ready-file."
        ) from None
    if not replaceable:
        raise SandboxError(f"{ready_file} exists and is not a ready file: name another one with --ready-file.")


def _is_ready_file(file: Path) -> bool:
    """Whether a sandbox wrote the file, or it is empty. A device or a pipe is not read: that might never end."""
    if not file.is_file():
        return False
    try:
        content = file.read_bytes()
        written = json.loads(content)
    except (ValueError, RecursionError):
        return not content
    return isinstance(written, dict) and {"api_root", "outbox"} <= written.keys()


def _remove(file: Path | None) -> None:
    if file:
        file.unlink(missing_ok=True)


def contents(configuration: Configuration, pki: SandboxPki) -> dict[str, object]:
    """Return where everything is, for users of the sandbox."""
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
