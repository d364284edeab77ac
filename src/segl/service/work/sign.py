"""Makes the signature that a signer agreed to."""

from segl.service import clock
from segl.service.due import LeaseLostError
from segl.service.jobs import signing as jobs
from segl.service.store import documents
from segl.service.store.models import Signing
from segl.service.work.keys import valid_sealer


def sign(signing: Signing) -> None:
    """Make one signature that was agreed to, and record it.

    Raises:
        LeaseLostError: Another worker has taken over; nothing was recorded.
        OutageError: The keys or the document store cannot be used for now.
    """
    task = jobs.begin_signature(signing)
    if task is None:
        return
    now = clock.now()
    xades = valid_sealer(now).sign(
        signature_type=task.signature_type,
        documents=task.documents,
        evidence=task.evidence,
        signing_time=now,
    )
    stored = documents.put(task.key, xades)
    try:
        counts = jobs.complete_signature(signing, stored)
    except LeaseLostError:
        documents.discard([stored])
        raise
    if not counts:
        documents.discard([stored])
