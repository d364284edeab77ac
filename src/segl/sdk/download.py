"""A result that is fetched when it is read: iterate over its bytes, `read()` them or `save()` them.

Nothing stays open in between; each time it is read, a new request is sent.
"""

import errno
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

import httpx

from segl.sdk.exchange import Operation, Response
from segl.sdk.transport import stream, stream_async


class Download:
    """A result, from a client."""

    def __init__(self, http: httpx.Client, operation: Callable[[], Operation[Response]]) -> None:
        self._http, self._operation = http, operation

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they come. Only if the iteration ends without an error, they are the whole result."""
        return stream(self._http, self._operation())

    def read(self) -> bytes:
        """Return the whole result."""
        whole = BytesIO()
        whole.writelines(self)
        return whole.getvalue()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a file, atomically: it is there whole or not at all."""
        with _whole_file(path) as file:
            for chunk in self:
                file.write(chunk)
        return Path(path)


class AsyncDownload:
    """A result, from a client for asyncio."""

    def __init__(self, http: httpx.AsyncClient, operation: Callable[[], Operation[Response]]) -> None:
        self._http, self._operation = http, operation

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes as they come. Only if the iteration ends without an error, they are the whole result."""
        return stream_async(self._http, self._operation())

    async def read(self) -> bytes:
        """Return the whole result."""
        whole = BytesIO()
        async for chunk in self:
            whole.write(chunk)
        return whole.getvalue()

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a file, atomically: it is there whole or not at all."""
        with _whole_file(path) as file:
            async for chunk in self:
                file.write(chunk)
        return Path(path)


def _opened(partial: Path, target: Path) -> IO[bytes]:
    try:
        return partial.open("xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from None  # the name that the caller knows


@contextmanager
def _whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file that gets its name once everything has been written to it."""
    target = Path(path)
    if not target.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with _opened(partial, target) as file:
            yield file
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
