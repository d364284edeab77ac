"""The signed PDF: front page and footers, assembly, the seal, and their verification.

The heavy libraries behind the functions (typst, pikepdf, pyHanko) are loaded when one is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from segl.core.pades.values import Attachment, FrontPage, FrontPageDocument, FrontPageSigner

if TYPE_CHECKING:
    from segl.core.pades.assembly import assemble
    from segl.core.pades.sealing import seal
    from segl.core.pades.verifying import verify

__all__ = [
    "Attachment",
    "FrontPage",
    "FrontPageDocument",
    "FrontPageSigner",
    "assemble",
    "seal",
    "verify",
]

_MODULES = {"assemble": "assembly", "seal": "sealing", "verify": "verifying"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
