"""The document package (ASiC-E): a job's documents and manifest, signed by the organization that sends them."""

from segl.core.asice.archive import Limits
from segl.core.asice.building import PackageFile, build, build_pieces
from segl.core.asice.opening import Package, open_package

__all__ = ["Limits", "Package", "PackageFile", "build", "build_pieces", "open_package"]
