"""Looks signers up in the contact register."""

import logging

from segl.service.jobs import looking_up as jobs
from segl.service.notifications import contact_register
from segl.service.remote import RemoteError
from segl.service.store.models import Lookup

logger = logging.getLogger(__name__)


def look_up(row: Lookup) -> None:
    """Look one signer up and record the answer, or that none came.

    Raises:
        LeaseLostError: Another worker has taken over.
    """
    task = jobs.begin_lookup(row)
    if task is None:
        return
    try:
        found = contact_register.current().look_up(task.personal_identification_number)
    except RemoteError as error:
        logger.warning("lookup %s got no answer (attempt %s): %s", row.pk, row.attempts, error)
        jobs.postpone_lookup(row, str(error))
    else:
        jobs.complete_lookup(row, is_reserved=found.is_reserved, email=found.email, mobile=found.mobile)
