"""The pages of a job's documents as they are shown to signers and sealed.

They are made when the job is created. Jobs of releases that did not keep them have them made whenever they are needed.
"""

from segl.service import rendering
from segl.service.jobs.finding import made_from
from segl.service.rendering import PageContent
from segl.service.store.documents import read
from segl.service.store.models import Document, DocumentKind


def laid_out(original: Document) -> bytes:
    """The laid-out PDF of an original."""
    made = made_from(original=original)
    if kept := made.get(DocumentKind.LAID_OUT):
        return read(kept)
    return rendering.lay_out(read(made.get(DocumentKind.TYPESET, original)))


def contents(original: Document) -> list[PageContent]:
    """The pages of an original as laid out."""
    kept = made_from(original=original).get(DocumentKind.PAGES)
    return rendering.read_contents(read(kept) if kept else rendering.read_pages(laid_out(original)))
