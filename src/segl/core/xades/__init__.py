"""XAdES: the signature of one signer over the documents' digests and the evidence of the act."""

from segl.core.evidence import Evidence
from segl.core.xades.signing import sign
from segl.core.xades.verifying import verify
from segl.core.xmldsig import SignedFile as SignedDocument

__all__ = ["Evidence", "SignedDocument", "sign", "verify"]
