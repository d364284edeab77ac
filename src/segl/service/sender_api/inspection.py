"""Inspects a sender's PDFs, each once: many send the same document to many people, a job for each.

What was found is remembered for the sender alone. Otherwise one could learn by the time an answer takes what others
send, and one whose PDF takes a rendering child over could have others' PDFs found to be what they are not.
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
"""What took longer is inspected again each time, so that known ones are not too much for the sealing together."""

_known: dict[tuple[str, bytes], PdfFacts] = {}
_lock = Lock()


def inspect(sender: str, pdfs: Mapping[str, bytes | memoryview]) -> list[PdfFacts]:
    """`segl.service.rendering.inspect`, of what this sender has not sent lately.

    Raises:
        InvalidDocument: As that does.
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
