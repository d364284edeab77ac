"""The signing keys, as far as they can be used now."""

from datetime import datetime

from segl.core.errors import UntrustedCertificate
from segl.service import sealing
from segl.service.outages import OutageError
from segl.service.sealing import Sealer


def valid_sealer(at: datetime) -> Sealer:
    """Return the keys of this process, which sign at that time.

    Raises:
        OutageError: A certificate has expired: signatures wait until it is replaced.
    """
    sealer = sealing.current()
    try:
        sealer.check_validity(at)
    except UntrustedCertificate as error:
        raise OutageError(f"nothing can be signed: {error}") from error
    return sealer
