"""The only room that holds signing keys: bytes in, signed bytes out."""

from segl.service.sealing.sealer import Sealer, configure, current

__all__ = ["Sealer", "configure", "current"]
