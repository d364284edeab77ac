"""Writes files that are either complete or absent, however the process ends."""

import errno
import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write `content` to `path`, replacing an existing file and creating the folder if it is missing.

    A kill leaves the old file or the new one, and at most a `.part` file that the next attempt overwrites.
    Two writers must not write the same path at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def check_writable(path: Path) -> None:
    """Check that `write_atomically` can write `path`, without touching an existing file.

    Raises:
        OSError: It cannot.
    """
    # First: a folder such as "." or "/" has no name to derive others from.
    if path.is_dir() or path.with_name(f"{path.name}.part").is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    write_atomically(probe := path.with_name(f"{path.name}.{secrets.token_hex(4)}"), b"")
    probe.unlink()
