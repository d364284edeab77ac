"""The signing page: the sender, the documents page by page, and the form to sign."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from segl.core.errors import InvalidDocument
from segl.core.pades import fonts
from segl.service import rendering
from segl.service.identity import log_ins
from segl.service.jobs.finding import originals, shown
from segl.service.jobs.persons import shown_identity
from segl.service.signer_portal import access, ends, words
from segl.service.signer_portal.access import for_the_signer
from segl.service.signer_portal.situation import Situation, situation_of
from segl.service.store.documents import read, stream
from segl.service.store.models import Document, Signer

# Pixels: for a phone, for a phone or column on a high-density display, for a wide column on one.
WIDTHS = (480, 960, 1440)
_A4_HEIGHT = round(WIDTHS[-1] * 297 / 210)


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page: its number, its text, and its height in pixels at the widest of `WIDTHS`."""

    number: int
    text: str
    height: int


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document and its pages as shown."""

    document: Document
    pages: Sequence[ShownPage]


@require_safe
@for_the_signer
def signing_page(request: HttpRequest, signer: Signer) -> HttpResponse:
    """Show the page where a signer reads, signs or rejects, or the reason why that is not possible now."""
    return show(request, signer)


def show(request: HttpRequest, signer: Signer, *, changed: bool = False) -> HttpResponse:
    """Return the signing page; `changed` warns that the log-in has changed since the page was shown."""
    access.stay(request)
    situation = situation_of(signer)
    if situation.is_acted:
        return redirect(access.signer_url("receipt", signer))
    if situation is not Situation.OPEN:
        return ends.not_open(request, signer, situation)
    shown = [ShownDocument(each, _pages(each)) for each in originals(job=signer.job)]
    context = {"signer": signer, "documents": shown, "widths": WIDTHS, "changed": changed}
    context |= _act(request, signer, len(shown))
    status = HTTPStatus.CONFLICT if changed else HTTPStatus.OK
    return render(request, "signer_portal/signing.html", context, status=status)


@require_safe
@for_the_signer
def page_image(request: HttpRequest, signer: Signer, document: int, page: int) -> HttpResponse:
    """Return a page of a document as a picture, `w` pixels wide."""
    width = request.GET.get("w", "")
    found = _readable(signer, document)
    if width not in {str(each) for each in WIDTHS} or not 1 <= page <= found.pages:
        raise Http404(f"There is no page {page} with this width.")
    try:
        picture = rendering.page_image(read(shown(original=found)), page=page, width=int(width))
    except InvalidDocument as error:
        raise Http404(f"Page {page} cannot be drawn.") from error
    return HttpResponse(picture, content_type="image/jpeg")


@require_safe
@for_the_signer
def original(request: HttpRequest, signer: Signer, document: int) -> HttpResponseBase:
    """Download a document as the sender sent it."""
    return download(_readable(signer, document))


def download(document: Document, name: str = "") -> StreamingHttpResponse:
    """Return a document as a file to save, in pieces: clients may be slow, and many."""
    safe = "".join(each if each.isprintable() and each not in "/\\" else "-" for each in name or document.name)
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=safe) or "attachment",
        "Content-Length": str(document.size),
    }
    chunks = stream(document)
    return StreamingHttpResponse(chain([next(chunks)], chunks), content_type=document.media_type, headers=headers)


def _act(request: HttpRequest, signer: Signer, documents: int) -> dict[str, Any]:
    """Return the form's context: the sentence to agree to, and the person as the signed document will name them."""
    person = log_ins.identity_of(request)
    language = get_language()
    return {
        "person": person,
        "may_sign": person is not None and person.level >= signer.job.required_authentication,
        "printed_name": fonts.printable(person.name) if person and fonts.missing(person.name) else "",
        "shown_identity": person and shown_identity(signer, person),
        "sentence": words.agreement(documents, language),
        "language": language,
    }


def _readable(signer: Signer, number: int) -> Document:
    """Return a document, for a signer who may sign or has signed."""
    if situation_of(signer) not in {Situation.OPEN, Situation.SIGNING, Situation.SIGNED}:
        raise Http404("The documents are not open to this signer.")
    for document in originals(job=signer.job):
        if document.number == number:
            return document
    raise Http404(f"There is no document {number}.")


def _pages(document: Document) -> Sequence[ShownPage]:
    try:
        contents = rendering.read_pages(read(shown(original=document)))
    except InvalidDocument:
        # It was accepted, but is too large to read at once; its pages can still be rendered one by one.
        return [ShownPage(number, "", _A4_HEIGHT) for number in range(1, document.pages + 1)]
    return [
        ShownPage(number, _printable(each.text), round(WIDTHS[-1] * each.height / each.width))
        for number, each in enumerate(contents, 1)
    ]


def _printable(text: str) -> str:
    """Remove the control characters that a PDF's text may contain and HTML may not."""
    return "".join(each for each in text if each.isprintable() or each == "\n").strip()
