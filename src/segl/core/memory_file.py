"""Reading a view of bytes as a file, for libraries that take nothing else without a copy."""

import io
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


_COPIED = 1024 * 1024


def as_file(content: bytes | memoryview) -> BinaryIO:
    """A file to read with this content; a small one is copied, since libraries that seek much are quicker with it."""
    return io.BytesIO(content) if len(content) <= _COPIED else cast(BinaryIO, ViewFile(content))


class ViewFile(io.RawIOBase):
    """A file to read, whose content is a view; only what is read is copied."""

    def __init__(self, content: bytes | memoryview) -> None:
        self._content = memoryview(content)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._content)}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer).cast("B")
        read = self._content[self._position : self._position + len(target)]
        target[: len(read)] = read
        self._position += len(read)
        return len(read)
