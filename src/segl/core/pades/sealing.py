"""The seal: a PAdES certification signature after which no change is allowed (ISO 32000-1, 12.8; ETSI EN 319 142-1)."""

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from io import BytesIO
from typing import Any

from asn1crypto import cms, crl, ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, Signer
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from segl.core.keys import RevocationData, RevocationValues, SigningKey, TimestampAuthority

FIELD_NAME = "Seal"
DIGEST = "sha256"
# Room for the signature, its chain and a timestamp. Given beforehand, pyHanko need not sign twice to find out.
BYTES_RESERVED = 20_000


def seal(
    pdf: bytes,
    *,
    key: SigningKey,
    sealed_at: datetime,
    reason: str | None = None,
    timestamp_authority: TimestampAuthority | None = None,
    revocation: RevocationData | None = None,
) -> bytes:
    """The PDF, certified by `key` with no changes allowed. PAdES baseline B; with a timestamp authority baseline T.

    With `revocation`, the chain and its revocation data are added in a document security store. `sealed_at` is aware
    and the time that the seal claims. The PDF keeps its version.
    """
    field = SigFieldSpec(FIELD_NAME, on_page=0)
    timestamper = _Timestamper(timestamp_authority) if timestamp_authority else None
    signer = _CertifyingSigner(_metadata(reason), _HeldKeySigner(key), timestamper=timestamper, new_field_spec=field)
    signer.sealed_at = sealed_at
    sealed = BytesIO()
    _finish(signer.async_sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), bytes_reserved=BYTES_RESERVED, output=sealed))
    if revocation:
        chain = (key.certificate, *key.chain)
        _add_validation_data(sealed, chain, revocation.for_chain(chain))
    return sealed.getvalue()


def _metadata(reason: str | None) -> PdfSignatureMetadata:
    return PdfSignatureMetadata(
        field_name=FIELD_NAME,
        md_algorithm=DIGEST,
        reason=reason,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        subfilter=SigSeedSubFilter.PADES,
    )


class _HeldKeySigner(Signer):
    """Signs with a `SigningKey`. pyHanko's own signer would parse the private key again for each signature."""

    def __init__(self, key: SigningKey) -> None:
        super().__init__(signing_cert=_asn1(key.certificate))
        self.cert_registry.register_multiple([_asn1(each) for each in key.chain])
        self.key = key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        if digest_algorithm != DIGEST:
            raise ValueError(f"a seal is made with {DIGEST}, not {digest_algorithm}")
        return self.key.sign(data)


class _CertifyingSigner(PdfSigner):
    sealed_at: datetime

    def register_extensions(self, pdf_out: BasePdfFileWriter, *, md_algorithm: str) -> None:
        """Declare PAdES alone: for P-256 pyHanko would declare ISO/TS 32002 too, and raise the file to PDF 2.0."""
        pdf_out.register_extension(ESIC_EXTENSION_1)

    def init_signing_session(self, pdf_out: BasePdfFileWriter, existing_fields_only: bool = False) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self.sealed_at
        return session


class _Timestamper(TimeStamper):
    def __init__(self, authority: TimestampAuthority) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # pyHanko has types in part only
        self.authority = authority

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        if md_algorithm != DIGEST:
            raise ValueError(f"a seal is timestamped over {DIGEST}, not {md_algorithm}")
        return cms.ContentInfo.load(self.authority.timestamp(message_digest))


class _ValidationDataWriter(IncrementalPdfFileWriter):
    def _update_meta(self) -> None:
        """Leave the document's Info as it was sealed: a later ModDate there would be a change that the seal forbids."""


def _add_validation_data(sealed: BytesIO, chain: Sequence[x509.Certificate], values: RevocationValues) -> None:
    writer = _ValidationDataWriter(sealed)
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=[_asn1(each) for each in chain],
        crls=[crl.CertificateList.load(each) for each in values.crls],
        ocsps=[ocsp.OCSPResponse.load(each) for each in values.ocsps],
    )
    writer.write_in_place()  # type: ignore[no-untyped-call]  # pyHanko has types in part only


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def _finish(signing: Coroutine[Any, Any, Any]) -> None:
    """Run pyHanko's coroutine to its end, also where the caller's thread runs an event loop already."""
    with ThreadPoolExecutor(max_workers=1) as elsewhere:
        elsewhere.submit(asyncio.run, signing).result()
