"""Checks whether organization certificates were revoked, by OCSP, else by CRL; answers are kept for a while."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from threading import Lock
from time import monotonic
from typing import Any

from cryptography import x509

from segl.core import revocation
from segl.core.errors import SeglError, UntrustedCertificate
from segl.core.revocation import Good, NoAnswer, Revoked, Status
from segl.service import clock, configuration
from segl.service.remote import Http, LateError, RemoteError

logger = logging.getLogger(__name__)

MOST_ADDRESSES = 2
"""Of each kind per certificate; others are not asked, since the time limit is for each."""
MOST_OCSP_BYTES = 64 * 1024
MOST_CRL_BYTES = 32 * 1024 * 1024
ASK_AGAIN_AFTER = timedelta(seconds=60)
"""When nobody answered; never sooner."""
_SILENT_SECONDS = 10.0
"""How long an address that timed out is not called again, so that not every caller's thread waits for it."""
_questions_lock = Lock()
_silent_until: dict[str, float] = {}
"""By address; of `monotonic`."""


class RevocationUnknownError(SeglError):
    """There is no answer whether a certificate was revoked: it cannot be used until there is one."""


def check_revocation(chain: Sequence[x509.Certificate]) -> None:
    """Make sure that no certificate of a validated chain was revoked; the policy says whether an answer is required.

    It calls addresses named in the certificates: pass only chains that lead to our trust anchors. It may wait for the
    network: call it outside transactions.

    Raises:
        UntrustedCertificate: A certificate was revoked; or it names nobody to ask, and the policy is `hard-fail`.
        RevocationUnknownError: Nobody answered, and the policy is `hard-fail`.
    """
    policy = configuration.current().revocation.policy
    if policy == "off":
        return
    for certificate, issuer in pairwise(chain):
        match _question(certificate, issuer).status():
            case Revoked() as revoked:
                raise UntrustedCertificate(_description(certificate, revoked))
            case NoAnswer() if policy == "hard-fail" and not _sources(certificate):
                raise UntrustedCertificate(
                    f"The certificate {certificate.subject.rfc4514_string()} names no OCSP responder and no CRL at an "
                    "HTTP address, so nobody can say whether it was revoked: use one that does."
                )
            case NoAnswer(reason) if policy == "hard-fail":
                raise RevocationUnknownError(
                    "There is no answer whether the certificate "
                    f"{certificate.subject.rfc4514_string()} was revoked ({reason}): try again in a minute.",
                )


def forget() -> None:
    """Forget all answers, and which addresses timed out."""
    _known_question.cache_clear()
    _silent_until.clear()


def _description(certificate: x509.Certificate, revoked: Revoked) -> str:
    reason = f" ({revoked.reason.value})" if revoked.reason else ""
    return (
        f"The certificate {certificate.subject.rfc4514_string()} was revoked {revoked.since:%Y-%m-%d %H:%M:%S %Z} by "
        f"its issuer {certificate.issuer.rfc4514_string()}{reason}; use another one."
    )


class _Question:
    """Whether one certificate was revoked, and the last answer. One caller asks; others wait for its answer."""

    def __init__(self, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        self._certificate = certificate
        self._issuer = issuer
        self._lock = Lock()
        self._status: Status = NoAnswer("nobody was asked")
        self._answered_at = self._ask_again_at = datetime.min.replace(tzinfo=UTC)

    def status(self) -> Status:
        with self._lock:
            # An answer from the future is one from before the clock was set back.
            if not self._answered_at <= clock.wall() < self._ask_again_at:
                self._status = _ask(self._certificate, self._issuer)
                self._answered_at = clock.wall()
                self._ask_again_at = self._answered_at + _kept(self._status)
            return self._status


def _question(certificate: x509.Certificate, issuer: x509.Certificate) -> _Question:
    with _questions_lock:  # the cache alone would let two callers at once make two
        return _known_question(certificate, issuer)


@lru_cache(maxsize=4096)
def _known_question(certificate: x509.Certificate, issuer: x509.Certificate) -> _Question:
    return _Question(certificate, issuer)


def _kept(status: Status) -> timedelta:
    longest: timedelta = configuration.current().revocation.max_age
    match status:
        case Good(until):
            return min(max(until - clock.wall(), ASK_AGAIN_AFTER), longest)
        case Revoked():
            return longest
    return ASK_AGAIN_AFTER


def _ask(certificate: x509.Certificate, issuer: x509.Certificate) -> Status:
    """The first definite answer: of the OCSP responders, then of the CRLs."""
    reasons = []
    for ask, url in _sources(certificate):
        status = ask(url, certificate, issuer)
        if not isinstance(status, NoAnswer):
            return status
        reasons.append(f"{url}: {status.reason.removesuffix('.')}")
    reason = "; ".join(reasons) or "it names no OCSP responder and no CRL at an HTTP address"
    logger.warning(
        "No answer whether the certificate %x of %s was revoked; with the policy %s it is %s: %s",
        certificate.serial_number,
        certificate.issuer.rfc4514_string(),
        configuration.current().revocation.policy,
        "refused" if configuration.current().revocation.policy == "hard-fail" else "accepted",
        reason,
    )
    return NoAnswer(reason)


def _sources(certificate: x509.Certificate) -> list[tuple[Callable[..., Status], str]]:
    """Whom to ask about a certificate, and how."""
    sources = [(_ask_ocsp, url) for url in revocation.ocsp_urls(certificate)[:MOST_ADDRESSES]]
    return sources + [(_ask_crl, url) for url in revocation.crl_urls(certificate)[:MOST_ADDRESSES]]


def _ask_ocsp(url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> Status:
    try:
        answer = _fetch(
            "POST",
            url,
            most_bytes=MOST_OCSP_BYTES,
            content=revocation.ocsp_request(certificate, issuer),
            headers={"Content-Type": "application/ocsp-request"},
        )
    except RemoteError as error:
        return NoAnswer(str(error))
    return revocation.judge_ocsp(answer, certificate=certificate, issuer=issuer, at=clock.wall())


def _ask_crl(url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> Status:
    try:
        crl = _fetch("GET", url, most_bytes=MOST_CRL_BYTES)
    except RemoteError as error:
        return NoAnswer(str(error))
    return revocation.judge_crl(crl, certificate=certificate, issuer=issuer, at=clock.wall())


def _fetch(method: str, url: str, **more: Any) -> bytes:
    """The body of an answer.

    Raises:
        RemoteError: There is no answer, it is too large or too late, or one was too late just before.
    """
    began = monotonic()
    if began < _silent_until.get(url, began):
        raise RemoteError("it timed out for another caller just now")
    http = Http(configuration.current().revocation.timeout.total_seconds())
    try:
        return http.fetch(method, url, service="it", **more)
    except LateError:
        _silent_until[url] = monotonic() + _SILENT_SECONDS
        raise
