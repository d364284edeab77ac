"""Reads a job's stored results back and verifies them, with the verifier that `segl verify` uses."""

from collections.abc import Sequence
from datetime import datetime

from segl.core import pades
from segl.core.errors import InvalidDocument, SeglError
from segl.core.verification import SignatureReport, Verdict
from segl.service import rendering, sealing
from segl.service.jobs.sealing import SealTask
from segl.service.store import documents
from segl.service.store.documents import StoredDocument


class UnverifiedResultError(SeglError):
    """A stored result does not verify: the job must not be completed with it."""


def verify_results(task: SealTask, sealed: StoredDocument, *, shown: Sequence[bytes], at: datetime) -> None:
    """Make sure that the stored seal, every signer's XAdES, the documents' digests and the shown pages are right.

    `shown` are the laid-out PDFs.

    Raises:
        UnverifiedResultError: One of them is wrong; the message says which.
        DocumentDamagedError: The store returned something other than what was stored.
    """
    originals = {each.name: documents.read(each) for each in task.originals}
    pdf = documents.read_back(task.key, sealed)
    reports = pades.verify(pdf, trust=sealing.current().trust, documents=originals, at=at)
    _check_complete(task, reports)
    for report in reports:
        if report.verdict is not Verdict.PASSED:
            raise UnverifiedResultError(
                f"{report.name} of job {task.job.pk} is {report.verdict}: {' '.join(report.reasons)}"
            )
    _check_shown(task, pdf, shown)


def _check_shown(task: SealTask, pdf: bytes, shown: Sequence[bytes]) -> None:
    """Require the pages that were shown to the signers."""
    try:
        rendering.check_sealed(pdf, documents=shown)
    except InvalidDocument as error:
        raise UnverifiedResultError(f"The sealed PDF of job {task.job.pk}: {error}") from error


def _check_complete(task: SealTask, reports: tuple[SignatureReport, ...]) -> None:
    """Require one seal and, under the name of each signer's XAdES, a signature with that signer's evidence."""
    attached = {report.name: report.evidence for report in reports if report.kind == "XAdES"}
    for each in task.xades:
        evidence = attached.get(each.name)
        if evidence and (evidence.job_id, evidence.signer_number) != (task.job.pk, each.number):
            raise UnverifiedResultError(f"{each.name} in the sealed PDF of job {task.job.pk} is another signature.")
    if attached.keys() != {each.name for each in task.xades} or len(reports) != len(attached) + 1:
        raise UnverifiedResultError(
            f"The sealed PDF of job {task.job.pk} holds {len(reports)} signatures, not those of its signers."
        )
