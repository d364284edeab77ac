"""Signs at once in a signer's place, without a browser: for tests of senders' programs, only in a sandbox.

`POST /web/portal/signature-jobs/{id}/devmodesign?signer={identity number}` on the API's host, over mutual TLS and with
an empty body (ARCHITECTURE.md, rule 7). Only the job's sender, and brokers that act for it, may call it.
"""

from http import HTTPStatus
from time import monotonic, sleep

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from segl.core.statuses import SignerStatus
from segl.service import clock
from segl.service.jobs.errors import NoSuchJobError, NotOpenError
from segl.service.jobs.finding import originals
from segl.service.jobs.persons import Identity
from segl.service.jobs.signing import Agreement, check_open
from segl.service.sender_api.authentication import caller
from segl.service.sender_api.errors import RefusedError, response_to
from segl.service.signer_portal import words
from segl.service.store.models import Job, Sealing, Signer
from segl.service.work.perform import sign_now

LONGEST_WAIT_SECONDS = 8
"""How long to wait for a worker to make the seal; the official clients wait for 10 seconds."""
_LOOKED_AFTER_SECONDS = 0.05
_NOBODY = "000000000"


def devmodesign(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Sign as the signer with this identity number, whose turn it must be.

    Returns 204 once the signature is made, and the seal if it was the last one; 202 when a worker will make them.
    """
    try:
        if request.method != "POST":
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Use POST.")
        job = _job(request, job_id)
        signer = _signer(job, request.GET.get("signer", ""))
        made = _sign(signer, request)
        if made:
            _check_signed(signer)
            made = _is_sealed(job)
    except NotOpenError as error:
        return response_to(RefusedError(HTTPStatus.CONFLICT, "SIGNER_CANNOT_SIGN", str(error)))
    except Exception as error:  # every error has a response
        return response_to(error)
    return HttpResponse(status=HTTPStatus.NO_CONTENT if made else HTTPStatus.ACCEPTED)


def _job(request: HttpRequest, job_id: int) -> Job:
    """Return the job. To other callers it does not exist."""
    job = Job.objects.filter(pk=job_id).first()
    try:
        caller(request, job.sender_id if job else _NOBODY)
    except RefusedError as error:
        if error.code != "BROKER_NOT_AUTHORIZED":
            raise
        job = None
    if job is None:
        raise NoSuchJobError(f"There is no job {job_id}.")
    return job


def _signer(job: Job, number: str) -> Signer:
    """Return the signer with this number; of several, the first who can sign now."""
    # Signers who are not addressed by number have an empty one, which is not asked for.
    signers = [each for each in job.signers.order_by("number") if number == each.personal_identification_number != ""]
    if not signers:
        raise RefusedError(
            HTTPStatus.NOT_FOUND,
            "SIGNER_NOT_FOUND",
            f"Job {job.pk} has no signer with this identity number: name a signer as ?signer=, with 11 digits.",
        )
    return next((each for each in signers if _can_sign(each)), signers[0])


def _can_sign(signer: Signer) -> bool:
    try:
        check_open(signer)
    except NotOpenError:
        return False
    return True


def _is_sealed(job: Job) -> bool:
    """Whether no seal is missing; if a worker has claimed the sealing, wait for it to finish."""
    until = monotonic() + LONGEST_WAIT_SECONDS
    while Sealing.objects.filter(job=job, due_at__isnull=False).exists():
        if monotonic() > until:
            return False
        sleep(_LOOKED_AFTER_SECONDS)
    return True


def _check_signed(signer: Signer) -> None:
    """Raise NotOpenError if the job ended while the signature was made, which discards the signature."""
    signer.refresh_from_db(fields=["status"])
    if signer.status != SignerStatus.SIGNED:
        raise NotOpenError(
            f"The job ended before the signature was made: the signer's status is {signer.status}.", "ended"
        )


def _sign(signer: Signer, request: HttpRequest) -> bool:
    person = Identity(
        personal_identification_number=signer.personal_identification_number,
        name="Test Testesen",
        method="TestID",
        provider="Segl sandbox",
        level=4,
        authenticated_at=clock.now(),
        reference="devmodesign",
    )
    agreement = Agreement(
        sentence=words.agreement(len(originals(job=signer.job)), "nb"),
        ip_address=request.META["REMOTE_ADDR"],
        user_agent="devmodesign",
        without_pictures=True,
    )
    return sign_now(job_id=signer.job_id, number=signer.number, identity=person, agreement=agreement)
