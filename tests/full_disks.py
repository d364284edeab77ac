"""A disk that fills while a file is written, without root and without a disk."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """In the block, no file of this process grows beyond `size` bytes.

    A write that crosses the limit writes a part and succeeds, the next one fails, as on a full disk. Python ignores
    the signal SIGXFSZ, which would end the process.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
