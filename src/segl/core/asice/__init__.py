"""The document package (ASiC-E): a job's documents and manifest, signed by the organization that sends them."""

from segl.core.asice.archive import ArchiveLimits
from segl.core.asice.building import PackageFile, build, build_pieces
from segl.core.asice.opening import SIGNING_TIME_TOLERANCE, Package, misnamed, open_package

__all__ = [
    "SIGNING_TIME_TOLERANCE",
    "ArchiveLimits",
    "Package",
    "PackageFile",
    "build",
    "build_pieces",
    "misnamed",
    "open_package",
]
