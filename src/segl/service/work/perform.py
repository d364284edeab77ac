"""Does a claimed piece of work and ends the claim: with an outcome, a later retry, or nothing if the lease was lost."""

import logging
import traceback

from segl.core.errors import SeglError
from segl.service import due, outages
from segl.service.due import LeaseLostError
from segl.service.jobs import signing
from segl.service.jobs.persons import Identity
from segl.service.store.models import Due, Sealing
from segl.service.store.transactions import write
from segl.service.work.kinds import WORK

logger = logging.getLogger(__name__)


def perform(row: Due) -> bool:
    """Do what a claimed row asks for; returns whether it was done."""
    if row.attempts > due.MAX_ATTEMPTS:
        _give_back(row, SeglError("Each attempt ended without an outcome: the process died during it."))
        return False
    try:
        with due.kept(row):
            WORK[type(row)](row)
    except LeaseLostError as error:
        logger.warning("%s", error)
        return False
    except Exception as error:  # whatever went wrong, it is tried again and in the end may be parked for an operator
        _give_back(row, error)
        return False
    return True


def sign_now(*, job_id: int, number: int, identity: Identity, agreement: signing.Agreement) -> bool:
    """Record that a signer agrees and make the signature at once; seal the job too if it was the last signature.

    Returns whether the signature was made; if not, a worker makes it later.

    Raises:
        JobError: The signer may not sign, or not now; see `segl.service.jobs.signing.agree`.
    """
    done = perform(signing.agree(job_id=job_id, number=number, identity=identity, agreement=agreement))
    for sealing in due.claim(Sealing, job=job_id):
        perform(sealing)
    return done


def _give_back(row: Due, error: Exception) -> None:
    """Give a row back: after an outage for as often as it takes, else until it has failed too often."""
    outage = outages.reason(error)
    explained = outage or (str(error) if isinstance(error, SeglError) else None)
    # The text of errors that are not ours may hold anything, addresses and tokens too.
    description = explained or type(error).__name__
    where = "" if explained else "\n" + "".join(traceback.format_tb(error.__traceback__))
    logger.warning("%s %s failed (attempt %s): %s%s", row._meta.db_table, row.pk, row.attempts, description, where)
    give_back = due.postpone if outage else due.retry
    try:
        with write():
            give_back(row, description)
    except LeaseLostError as lost:
        logger.warning("%s", lost)
