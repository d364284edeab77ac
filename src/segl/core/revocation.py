"""Whether a certificate was revoked: what OCSP responders (RFC 6960) and CRLs (RFC 5280) say, judged without a network.

An answer counts when it is fresh, covers the certificate, and is signed by the certificate's issuer or, for OCSP, by a
responder that this issuer authorized. Anything else counts as no answer, with the reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from segl.core.certificates import UNREADABLE

SKEW = timedelta(minutes=5)
"""How far the clock of who answers may be from ours."""

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True, slots=True)
class Good:
    """Not revoked. `until` is when a newer answer is to be had: the next update, or that of an answer without one."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """Revoked since then; the reason where one is given. A certificate on hold counts as revoked."""

    since: datetime
    reason: x509.ReasonFlags | None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """It is not known; `reason` is a clause that says why."""

    reason: str


Status = Good | Revoked | NoAnswer


class _UnusableError(Exception):
    """Nothing usable was answered; `reason` is a clause."""


def ocsp_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """The HTTP addresses of the OCSP responders that a certificate names."""
    access = _extension(certificate, x509.AuthorityInformationAccess)
    responders = [each for each in access or () if each.access_method == AuthorityInformationAccessOID.OCSP]
    return _http_urls([each.access_location for each in responders])


def crl_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """The HTTP addresses of the CRLs that a certificate names."""
    return _http_urls(list(_crl_names(certificate)))


def ocsp_request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """What to send to an OCSP responder (DER). Without a nonce: most answers are made in advance (RFC 5019)."""
    return _request(certificate, issuer).public_bytes(Encoding.DER)


def _or_no_answer(judge: Callable[_Arguments, Status]) -> Callable[_Arguments, Status]:
    @wraps(judge)
    def judged(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> Status:
        try:
            return judge(*arguments, **named)
        except _UnusableError as error:
            return NoAnswer(str(error))
        except (*UNREADABLE, UnsupportedAlgorithm) as error:
            return NoAnswer(f"the answer cannot be read ({error})")

    return judged


@_or_no_answer
def judge_ocsp(data: bytes, *, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Status:
    """What an OCSP answer (DER) says at that time about a certificate of this issuer.

    An authorized responder is trusted as long as its certificate is valid: whether that was revoked is not asked.
    """
    answer = ocsp.load_der_ocsp_response(data)
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _UnusableError(f"the responder answers {answer.response_status.name}")
    _check_responder(answer, issuer, at)
    single = _about(answer, certificate, issuer)
    until = single.next_update_utc or single.this_update_utc
    _check_fresh(single.this_update_utc, until, at)
    if since := single.revocation_time_utc:
        return Revoked(since, single.revocation_reason)
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        raise _UnusableError("the responder does not know the certificate")
    return Good(until)


@_or_no_answer
def judge_crl(data: bytes, *, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Status:
    """What a complete CRL (DER) says at that time about a certificate of this issuer."""
    crl = x509.load_der_x509_crl(data)
    _check_crl_signer(crl, issuer)
    until = crl.next_update_utc
    if until is None:
        raise _UnusableError("the CRL does not say when the next one comes")
    _check_fresh(crl.last_update_utc, until, at)
    _check_coverage(crl, certificate)
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        return Good(until)
    given = _extension(entry, x509.CRLReason)
    if given and given.reason is x509.ReasonFlags.remove_from_crl:
        return Good(until)
    return Revoked(entry.revocation_date_utc, given.reason if given else None)


def _request(certificate: x509.Certificate, issuer: x509.Certificate) -> ocsp.OCSPRequest:
    # SHA-1 names the certificate and protects nothing; it is what every responder knows (RFC 5019, 2.1.1).
    return ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()  # noqa: S303


def _about(
    answer: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    """The part of the answer that is about the certificate that was asked for."""
    asked = _identity(_request(certificate, issuer))
    for each in answer.responses:
        if _identity(each) == asked:
            return each
    raise _UnusableError("the answer is about another certificate")


def _identity(asked: ocsp.OCSPRequest | ocsp.OCSPSingleResponse) -> tuple[str, bytes, bytes, int]:
    return asked.hash_algorithm.name, asked.issuer_name_hash, asked.issuer_key_hash, asked.serial_number


def _check_responder(answer: ocsp.OCSPResponse, issuer: x509.Certificate, at: datetime) -> None:
    """The issuer signed the answer, or one that it authorized (RFC 6960, 4.2.2.2)."""
    _check_hash(answer.signature_hash_algorithm)
    signers = [each for each in (issuer, *answer.certificates) if _is_signed(answer, each)]
    if not signers:
        raise _UnusableError("the answer is signed neither by the issuer nor by a certificate in it")
    if not any(each == issuer or _is_authorized(each, issuer, at) for each in signers):
        raise _UnusableError(
            f"the answer is signed by {signers[0].subject.rfc4514_string()}, which the issuer has not authorized to "
            "answer now"
        )


def _is_signed(answer: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, algorithm = signer.public_key(), answer.signature_hash_algorithm
    if algorithm is None:
        return False
    try:
        match key:
            case rsa.RSAPublicKey():
                key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), algorithm)
            case ec.EllipticCurvePublicKey():
                key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _is_authorized(responder: x509.Certificate, issuer: x509.Certificate, at: datetime) -> bool:
    _check_hash(responder.signature_hash_algorithm)
    try:
        responder.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    uses = _extension(responder, x509.ExtendedKeyUsage)
    valid = responder.not_valid_before_utc - SKEW <= at <= responder.not_valid_after_utc
    return valid and uses is not None and ExtendedKeyUsageOID.OCSP_SIGNING in uses


def _check_crl_signer(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    if crl.issuer != issuer.subject:
        raise _UnusableError(f"the CRL is issued by {crl.issuer.rfc4514_string()}")
    usage = _extension(issuer, x509.KeyUsage)
    if usage and not usage.crl_sign:
        raise _UnusableError(f"the CRL is issued by {crl.issuer.rfc4514_string()}, which may not sign CRLs")
    _check_hash(crl.signature_hash_algorithm)
    key = issuer.public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or not crl.is_signature_valid(key):
        raise _UnusableError("the CRL is not signed by the issuer")


def _check_hash(algorithm: hashes.HashAlgorithm | None) -> None:
    if not isinstance(algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        raise _UnusableError(f"the signature uses {algorithm.name if algorithm else 'no hash'}, not SHA-256 or better")


def _check_fresh(this_update: datetime, until: datetime, at: datetime) -> None:
    if this_update > at + SKEW:
        raise _UnusableError(f"the answer is dated {this_update:%Y-%m-%d %H:%M:%S %Z}, which is yet to come")
    if until < at - SKEW:
        raise _UnusableError(f"the answer was valid until {until:%Y-%m-%d %H:%M:%S %Z} only")


def _check_coverage(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    """The CRL is complete for this certificate: no delta, and not a part that holds others (RFC 5280, 6.3.3)."""
    for extension in crl.extensions:
        match extension.value:
            case x509.IssuingDistributionPoint() as scope:
                covers = _is_within(scope, certificate)
            case x509.DeltaCRLIndicator():
                covers = False
            case _:
                covers = not extension.critical
        if not covers:
            raise _UnusableError(f"the CRL need not list the certificate (extension {extension.oid.dotted_string})")


def _is_within(scope: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    is_ca = constraints is not None and constraints.ca
    of_others = scope.only_contains_user_certs if is_ca else scope.only_contains_ca_certs
    in_part = scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs
    elsewhere = scope.relative_name or (scope.full_name and not set(scope.full_name) & set(_crl_names(certificate)))
    return not (of_others or in_part or elsewhere)


def _crl_names(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    """Where the certificate's issuer publishes CRLs of its own for all reasons."""
    for point in _extension(certificate, x509.CRLDistributionPoints) or ():
        if not point.reasons and not point.crl_issuer:
            yield from point.full_name or ()


def _http_urls(names: list[x509.GeneralName]) -> tuple[str, ...]:
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return tuple(url for url in urls if urlsplit(url).scheme in {"http", "https"})


def _extension(of: x509.Certificate | x509.RevokedCertificate, kind: type[_Extension]) -> _Extension | None:
    """An extension; None when it is not there or cannot be read, which never makes an answer count."""
    try:
        return of.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None
