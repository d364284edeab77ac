"""Reads the files that a program names by path."""

import os
import re
from pathlib import Path

from segl.core.errors import InvalidInput

_LONGEST_PATH = 1000  # characters


def read_file(path: str | os.PathLike[str], error: type[InvalidInput] = InvalidInput, hint: str = "") -> bytes:
    """Return a file's content; raise `error` if it cannot be read, with a hint where the file may come from.

    A path that looks like a content, which may be a private key, is not shown.
    """
    try:
        return Path(path).read_bytes()
    except OSError as failed:
        reason = failed.strerror
    except ValueError as failed:  # a NUL in the path
        reason = str(failed)
    shown = os.fsdecode(path)
    if len(shown) > _LONGEST_PATH or re.search(r"-----BEGIN|[\r\n]", shown):
        raise error("The file's path looks like its content: give content as bytes, for instance text.encode().")
    raise error(f"Cannot read {shown!r}: {reason}.{hint}")
