"""The receipt: what was signed, when, by whom, what happens next, the results to download, and the end of the link."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from segl.core.statuses import JobStatus, SignerStatus
from segl.service.identity import log_ins
from segl.service.jobs import security_codes
from segl.service.jobs.finding import document_of, originals
from segl.service.signer_portal import ends
from segl.service.signer_portal.access import for_the_signer, forget_pictures, signer_url, stay
from segl.service.signer_portal.situation import Situation, situation_of
from segl.service.signer_portal.views.reading import download
from segl.service.store.models import DocumentKind, Job, Signer


@dataclass(frozen=True, slots=True)
class Progress:
    """A job's progress: who has signed, how many have not, and whether the sealed PDF exists."""

    signed: tuple[Signer, ...]
    waiting: int
    is_sealed: bool
    is_deleted: bool
    has_failed: bool

    @classmethod
    def of(cls, job: Job) -> "Progress":
        signers = list(job.signers.order_by("number"))
        signed = tuple(each for each in signers if each.status == SignerStatus.SIGNED)
        return cls(
            signed=signed,
            waiting=len(signers) - len(signed),
            is_sealed=job.status == JobStatus.COMPLETED_SUCCESSFULLY,
            is_deleted=job.documents_deleted_at is not None,
            has_failed=job.status == JobStatus.FAILED,
        )


@require_safe
@for_the_signer
def receipt(request: HttpRequest, signer: Signer) -> HttpResponse:
    """Show the receipt of a signer who has signed or rejected; it reloads itself until the results exist."""
    stay(request)
    situation = situation_of(signer)
    if not situation.is_acted:
        return redirect(signer_url("signer", signer))
    progress = Progress.of(signer.job)
    being_sealed = not progress.waiting and not progress.is_sealed
    context = {
        "signer": signer,
        "documents": originals(job=signer.job),
        "progress": progress,
        "is_signing": situation is Situation.SIGNING,
        "is_rejected": situation is Situation.REJECTED,
        "reload": situation is Situation.SIGNING or being_sealed,
        "agreement": {} if situation is Situation.REJECTED else signer.signing.agreement,
    }
    return render(request, "signer_portal/receipt.html", context)


@require_safe
@for_the_signer
def signed_pdf(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """Download the sealed PDF with everyone's signatures."""
    signed = _("signert")
    return _result(signer, DocumentKind.PADES, 1, f"{signer.job.title} – {signed}.pdf")


@require_safe
@for_the_signer
def xades(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """Download the signer's own signature."""
    return _result(signer, DocumentKind.XADES, signer.number, "")


@require_http_methods(["GET", "HEAD", "POST"])
@for_the_signer
def end_link(request: HttpRequest, signer: Signer) -> HttpResponse:
    """Ask for confirmation; then end the signer's links and log out."""
    if not signer.is_addressed_by_contact_information:
        raise Http404("This signer has no link.")
    if situation_of(signer) not in {Situation.SIGNED, Situation.REJECTED}:
        return redirect(signer_url("signer", signer))
    if request.method != "POST":
        return render(request, "signer_portal/end_link.html", {"signer": signer})
    security_codes.end_links(job_id=signer.job_id, number=signer.number)
    log_ins.log_out(request)
    return forget_pictures(ends.link_ended(request, signer))


def _result(signer: Signer, kind: DocumentKind, number: int, name: str) -> HttpResponseBase:
    document = document_of(job=signer.job, kind=kind, number=number)
    if document is None or signer.status != SignerStatus.SIGNED:
        raise Http404("This result does not exist yet.")
    return download(document, name)
