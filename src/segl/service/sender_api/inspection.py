"""Inspects each of a sender's PDFs once: many senders send the same document to many people, in a job for each.

Results are cached per sender. In a shared cache, response times would reveal what other senders send, and a PDF that
takes over a rendering child could falsify the results for other senders' PDFs.
"""

from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from time import monotonic

from segl.service import rendering
from segl.service.rendering import Inspected

MOST_REMEMBERED = 64 * 1024 * 1024
"""In bytes, of what was made of the PDFs."""
LONGEST_SECONDS = 1
"""PDFs that take longer are inspected every time, so that known ones together are not too much for the sealing."""

_known: dict[tuple[str, bytes], Inspected] = {}
_lock = Lock()


def inspect(sender: str, pdfs: Mapping[str, bytes | memoryview]) -> list[Inspected]:
    """Return what `segl.service.rendering.inspect` does, and call it only for PDFs the sender has not sent lately.

    Raises:
        InvalidDocument: As `segl.service.rendering.inspect`.
    """
    keys = {name: (sender, sha256(pdf).digest()) for name, pdf in pdfs.items()}
    found = {name: _known.get(key) for name, key in keys.items()}
    new = [name for name, inspected in found.items() if inspected is None]
    if new:
        began = monotonic()
        found |= zip(new, rendering.inspect({name: pdfs[name] for name in new}), strict=True)
        if monotonic() - began < LONGEST_SECONDS:
            _remember({keys[name]: inspected for name in new if (inspected := found[name])})
    return [inspected for inspected in found.values() if inspected]


def _remember(found: Mapping[tuple[str, bytes], Inspected]) -> None:
    with _lock:
        _known.update(found)
        size = sum(len(each.laid_out) + len(each.pages) for each in _known.values())
        for oldest, each in list(_known.items()):
            if size <= MOST_REMEMBERED:
                break
            del _known[oldest]
            size -= len(each.laid_out) + len(each.pages)
