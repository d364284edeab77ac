"""Inspects each of a sender's PDFs once: many senders send the same document to many people, in a job for each.

Results are cached per sender. In a shared cache, response times would reveal what other senders send, and a PDF that
takes over a rendering child could falsify the results for other senders' PDFs.
"""

from collections.abc import Mapping
from hashlib import sha256
from itertools import islice
from threading import Lock
from time import monotonic

from segl.service import rendering
from segl.service.rendering import PdfFacts

MOST_REMEMBERED = 4096
LONGEST_SECONDS = 1
"""PDFs that take longer are inspected every time, so that known ones together are not too much for the sealing."""

_known: dict[tuple[str, bytes], PdfFacts] = {}
_lock = Lock()


def inspect(sender: str, pdfs: Mapping[str, bytes | memoryview]) -> list[PdfFacts]:
    """Return what `segl.service.rendering.inspect` does, and call it only for PDFs the sender has not sent lately.

    Raises:
        InvalidDocument: As `segl.service.rendering.inspect`.
    """
    keys = {name: (sender, sha256(pdf).digest()) for name, pdf in pdfs.items()}
    found = {name: _known.get(key) for name, key in keys.items()}
    new = [name for name, facts in found.items() if facts is None]
    if new:
        began = monotonic()
        found |= zip(new, rendering.inspect({name: pdfs[name] for name in new}), strict=True)
        if monotonic() - began < LONGEST_SECONDS:
            _remember({keys[name]: facts for name in new if (facts := found[name])})
    return [facts for facts in found.values() if facts]


def _remember(found: Mapping[tuple[str, bytes], PdfFacts]) -> None:
    with _lock:
        _known.update(found)
        for oldest in list(islice(_known, max(0, len(_known) - MOST_REMEMBERED))):
            del _known[oldest]
