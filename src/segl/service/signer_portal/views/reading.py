"""The signing page: the sender, the documents page by page, and the form to sign."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from segl.core.errors import InvalidDocument
from segl.core.pades import fonts
from segl.service import rendering
from segl.service.identity import log_ins
from segl.service.jobs import deliveries
from segl.service.jobs.finding import originals
from segl.service.jobs.persons import shown_identity
from segl.service.layout import contents, laid_out
from segl.service.rendering import PageContent
from segl.service.signer_portal import access, ends, words
from segl.service.signer_portal.access import for_the_signer
from segl.service.signer_portal.situation import Situation, situation_of
from segl.service.store.documents import stream
from segl.service.store.models import Document, Signer

# Pixels: for a phone, for a phone or column on a high-density display, for a wide column on one.
WIDTHS = (480, 960, 1440)
LARGE = 4320
"""Pixels: of a picture to open by itself, of a page that is coarse in the widest of the others."""
COARSE = 100
"""Pixels per inch of the original page."""


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page: its number, its text, and its pictures.

    `pictures` has each of `WIDTHS` with the width that the picture for it really has, which differs for long pages;
    `width` and `height` are those of the widest.
    """

    number: int
    text: str
    pictures: Sequence[tuple[int, int]]
    width: int
    height: int
    has_large_picture: bool


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document and its pages as shown; `version` differs from that of any other document."""

    document: Document
    version: str
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
    shown = [ShownDocument(each, _version(each), _pages(each)) for each in originals(job=signer.job)]
    context = {"signer": signer, "documents": shown, "default": WIDTHS[1], "large": LARGE, "changed": changed}
    context |= _act(request, signer, len(shown))
    status = HTTPStatus.CONFLICT if changed else HTTPStatus.OK
    return render(request, "signer_portal/signing.html", context, status=status)


@require_safe
@for_the_signer
def page_image(request: HttpRequest, signer: Signer, document: int, page: int) -> HttpResponse:
    """Return a page of a document as a picture, `w` pixels wide, and record that.

    The signer's browser may keep the picture for as long as a session lasts, also over a log-in: its URL is neither
    another signer's nor, if `v` is right, another document's.
    """
    width = request.GET.get("w", "")
    found = _readable(signer, document)
    if width not in {str(each) for each in (*WIDTHS, LARGE)} or not 1 <= page <= found.pages:
        raise Http404(f"There is no page {page} with this width.")
    version = _version(found)
    tag = f'"{version}-{page}-{width}"'
    response = get_conditional_response(request, etag=tag)
    if response is None:
        response = _picture(found, page, int(width))
        if request.method == "GET":
            deliveries.record(signer, document=document, page=page, width=int(width))
    response.headers["ETag"] = tag
    if request.GET.get("v") == version:
        response.headers["Cache-Control"] = f"private, max-age={settings.SESSION_COOKIE_AGE}, immutable"
    request.session.accessed = False  # else the response would vary with the session's cookie, which a log-in changes
    return response


def _picture(document: Document, page: int, width: int) -> HttpResponse:
    try:
        picture = rendering.page_image(laid_out(document), page=page, width=width)
    except InvalidDocument as error:
        raise Http404(f"Page {page} cannot be drawn.") from error
    return HttpResponse(picture, content_type="image/webp" if picture.startswith(b"RIFF") else "image/jpeg")


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


def _version(document: Document) -> str:
    return bytes(document.sha256).hex()[:16]


def _pages(document: Document) -> Sequence[ShownPage]:
    return [_page(number, each) for number, each in enumerate(contents(document), 1)]


def _page(number: int, content: PageContent) -> ShownPage:
    pictures = [(each, rendering.picture_size(content, width=each)[0]) for each in WIDTHS]
    widest, height = rendering.picture_size(content, width=WIDTHS[-1])
    is_coarse = widest * 72 * content.scale / content.width < COARSE
    has_large_picture = is_coarse and rendering.picture_size(content, width=LARGE)[0] > widest
    return ShownPage(number, _printable(content.text), pictures, widest, height, has_large_picture)


def _printable(text: str) -> str:
    """Remove the control characters that a PDF's text may contain and HTML may not."""
    return "".join(each for each in text if each.isprintable() or each == "\n").strip()
