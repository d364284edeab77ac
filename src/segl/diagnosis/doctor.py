"""Finds what is wrong with a client's set-up and how to fix it: from the certificate's file to the service's answer."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from segl.core.asice import SIGNING_TIME_TOLERANCE
from segl.core.callers import CallerPolicy, check_client_use, check_connecting_use
from segl.core.certificates import (
    TrustAnchors,
    check_signing_use,
    check_validity,
    issuers,
    load_der,
    organization_name,
    organization_number,
)
from segl.core.errors import InvalidInput, UntrustedCertificate
from segl.core.keys import PrivateKey, others_can_read
from segl.diagnosis.findings import NUMBER_ELSEWHERE, SKIPPED, Finding, State
from segl.sdk.configuration import (
    ClientCertificate,
    ClientConfiguration,
    Environment,
    Proxy,
    Source,
    Timeouts,
    read_certificates,
)
from segl.sdk.connection import connection
from segl.sdk.errors import (
    BrokerNotAuthorizedError,
    ClientCertificateError,
    ClientError,
    NoAnswerError,
    UnexpectedResponseError,
    UntrustedServerError,
)
from segl.sdk.exchange import Request, Response, clock_lead, require
from segl.sdk.senders import Sender
from segl.sdk.tls import OrganizationContext, WrongOrganization
from segl.sdk.transport import Outcome, do_async

CHECKS = (
    "certificate",
    "private-key",
    "key-usage",
    "validity",
    "chain",
    "network",
    "proxy",
    "server",
    "access",
    "sender",
    "clock",
)
"""In the order of the report. `network` is left out if there is a proxy, and `proxy` if there is none."""
EXPIRES_SOON = timedelta(days=30)
_LEAST_RSA_BITS = 2048
_PORTS = {"http": 80, "https": 443}
_OFFICIAL = {
    "production": Environment.PRODUCTION,
    "test": Environment.DIFITEST,  # whose trust anchors DIFIQA has too
}

_MOST_SECONDS = 20.0
"""The time limit of the whole call."""
_WHO_AM_I = "You are "
"""How the API's answer to the call begins."""
_ASK = "Ask those who run the service."
_REMEDIES = {
    403: "Ask those who run the service to let the certificate's organization in.",
    404: "Check the API root.",
    429: "Run this again after half a minute.",
}

Found = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """An organization certificate and its private key as files: one PKCS#12 file, or two PEM files."""

    certificate: Source
    private_key: Source | None = None
    """None: the certificate's file is a PKCS#12 file, which has both."""
    password: str | None = field(default=None, repr=False)


def examine(
    environment: Environment,
    certificate: ClientCertificate | CertificateFiles,
    sender: Sender | None = None,
    *,
    proxy: Proxy | None = None,
    timeouts: Timeouts | None = None,
) -> list[Finding]:
    """Examine a set-up: one finding for each of `CHECKS`. Calls the service once (who am I).

    Args:
        sender: on whose behalf jobs will be sent; by default the certificate's organization.

    Raises:
        InvalidInput: the environment's trust anchors cannot be read.
    """
    findings = _findings(environment, certificate, sender, proxy, timeouts or Timeouts())
    found = {each.check: each for each in findings}  # the last of each check: from the service's answer if it came
    chain = found.get("chain")
    if chain and chain.state is State.FAULT and "access" in found and found["access"].state is State.OK:
        # A service may accept clients that chain to other trust anchors than its own.
        found["chain"] = _warning("chain", f"{chain.sentence} This service accepted it all the same.")
    checks = [each for each in CHECKS if each != ("network" if proxy else "proxy")]
    return [found.get(each) or Finding(each, State.SKIPPED, SKIPPED) for each in checks]


def _findings(
    environment: Environment,
    files: ClientCertificate | CertificateFiles,
    sender: Sender | None,
    proxy: Proxy | None,
    timeouts: Timeouts,
) -> Found:
    anchors = environment.anchors()
    chain, key = yield from _read(files)
    own = organization_number(chain[0]) if chain else None
    yield from _certificate_findings(chain, anchors, environment, datetime.now(UTC)) if chain else ()
    sender = sender or (Sender(own) if own else None)
    if own and sender:
        yield _sender(own, sender.organization_number)
    network = _network(proxy, environment, timeouts)
    yield network
    if network.state is State.OK and key and own and sender:
        configuration = ClientConfiguration(environment, key, sender, timeouts, proxy=proxy)
        yield from _service_findings(configuration, own, sender.organization_number)


def _ok(check: str, sentence: str) -> Finding:
    return Finding(check, State.OK, sentence)


def _warning(check: str, sentence: str) -> Finding:
    return Finding(check, State.WARNING, sentence)


def _fault(check: str, sentence: str) -> Finding:
    return Finding(check, State.FAULT, sentence)


def _read(
    files: ClientCertificate | CertificateFiles,
) -> Generator[Finding, None, tuple[Sequence[x509.Certificate], ClientCertificate | None]]:
    """Yield the findings; return the certificate with its chain (empty if unreadable), and the same with its key."""
    chain: Sequence[x509.Certificate] = ()
    try:
        if isinstance(files, ClientCertificate):
            key = files
        elif files.private_key is None:
            key = ClientCertificate.from_pkcs12(files.certificate, files.password or "")
        else:
            # If a CA's certificate comes first, that is a fault of the key; the other findings are about our own.
            chain = sorted(read_certificates(files.certificate), key=_is_ca)
            key = ClientCertificate.from_pem(files.certificate, files.private_key, files.password)
    except InvalidInput as error:
        sentence = str(error)
        if isinstance(files, CertificateFiles) and files.password is None and "the password" in sentence:
            sentence += " No password was given: use --password-file or SEGL_PASSWORD."
        yield _fault("private-key" if chain else "certificate", sentence)
        return chain, None
    found = _key_type(key)
    yield _exposed(files, found) if isinstance(files, CertificateFiles) and found.state is State.OK else found
    return (key.certificate, *key.chain), key


def _is_ca(certificate: x509.Certificate) -> bool:
    return any(isinstance(each.value, x509.BasicConstraints) and each.value.ca for each in certificate.extensions)


def _key_type(key: PrivateKey) -> Finding:
    if not isinstance(key.key, rsa.RSAPrivateKey):
        return _fault(
            "private-key", "It is an elliptic-curve key, but the API accepts only RSA: order an RSA certificate."
        )
    if key.key.key_size < _LEAST_RSA_BITS:
        return _fault(
            "private-key",
            f"The RSA key has {key.key.key_size} bits, but at least {_LEAST_RSA_BITS} are needed: order a new one.",
        )
    return _ok("private-key", f"It belongs to the certificate and is RSA with {key.key.key_size} bits.")


def _exposed(files: CertificateFiles, found: Finding) -> Finding:
    """Add to what was found that others can read the key, if they can and it needs no password."""
    source = files.private_key or files.certificate
    if files.password or isinstance(source, bytes) or not others_can_read(source):
        return found
    path = os.fsdecode(source)
    return _warning(
        found.check, f"{found.sentence} But every user of this machine can read {path}: run `chmod o= {path}`."
    )


def _certificate_findings(
    chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], environment: Environment, now: datetime
) -> Found:
    certificate = chain[0]
    yield _organization(certificate)
    yield _key_usage(certificate)
    yield _validity(certificate, now)
    # The finding before says whether it is valid now.
    at = min(max(now, certificate.not_valid_before_utc), certificate.not_valid_after_utc)
    yield _chain(chain, TrustAnchors.of(anchors), environment, at)


def _organization(certificate: x509.Certificate) -> Finding:
    name, number = organization_name(certificate), organization_number(certificate)
    if number is None:
        return _fault(
            "certificate",
            f"It is not an organization certificate: its subject, {certificate.subject.rfc4514_string()}, has no "
            "organization number. Use an organization certificate (virksomhetssertifikat).",
        )
    if CallerPolicy().number(certificate) is None:
        return _warning("certificate", f"It belongs to {name}, organization number {number}. {NUMBER_ELSEWHERE}")
    return _ok("certificate", f"It belongs to {name}, organization number {number}.")


def _key_usage(certificate: x509.Certificate) -> Finding:
    for check, advice in (
        (check_client_use, ""),
        (check_signing_use, " Use an organization certificate for authentication."),
        (check_connecting_use, ""),
    ):
        try:
            check(certificate)
        except UntrustedCertificate as error:
            return _fault("key-usage", f"{error}{advice}")
    return _ok("key-usage", "It may be used for the TLS connection and for signing packages.")


def _validity(certificate: x509.Certificate, now: datetime) -> Finding:
    try:
        check_validity(certificate, now)
    except UntrustedCertificate as error:
        return _fault("validity", str(error))
    end, left = certificate.not_valid_after_utc, certificate.not_valid_after_utc - now
    if left < EXPIRES_SOON:
        return _warning("validity", f"It expires {end:%Y-%m-%d}, in {left.days} days: order a new one now.")
    return _ok("validity", f"It is valid until {end:%Y-%m-%d}.")


def _chain(chain: Sequence[x509.Certificate], trust: TrustAnchors, environment: Environment, at: datetime) -> Finding:
    root = _root(chain, trust._replace(intermediates=()), at)
    if root:
        return _ok("chain", f"It is complete, up to {root.subject.rfc4514_string()}.")
    above = issuers(chain[0], (*chain[1:], *trust.anchors, *trust.intermediates))
    for each in above:
        try:
            check_validity(each, at)
        except UntrustedCertificate as error:
            return _fault("chain", str(error))
    if _root(chain, trust, at):
        missing = (chain[0], *issuers(chain[0], chain[1:]))[-1].issuer.rfc4514_string()
        return _warning(
            "chain",
            f"It is incomplete: the certificate of {missing} is not in the file, so it works only if the service knows "
            "that certificate. Export your certificate with its whole chain.",
        )
    for name, official in _OFFICIAL.items():
        if _root(chain, TrustAnchors.of(official.anchors()), at):
            return _fault(
                "chain",
                f"Wrong environment: the certificate is for {name}, such as {official.api_root}, but not for "
                f"{environment.api_root}. Use that environment, or a certificate for this one.",
            )
    return _no_path(chain, above, trust, at)


def _no_path(
    chain: Sequence[x509.Certificate], above: Sequence[x509.Certificate], trust: TrustAnchors, at: datetime
) -> Finding:
    """Say why no path leads from the certificate to an anchor: `above` are its issuers, as far as they are known."""
    top = (chain[0], *above)[-1]
    if top in trust.anchors:
        try:
            trust.path(chain[0], extra=chain[1:], at=at)
        except UntrustedCertificate as error:
            return _fault("chain", str(error))
    issuer, of_that_name = top.issuer.rfc4514_string(), top.issuer in {each.subject for each in trust.anchors}
    unused = {*chain} - {chain[0], *above}
    if (top is chain[0] or unused) and top.issuer != top.subject and not of_that_name:
        return _fault(
            "chain",
            f"It is incomplete: the certificate of {issuer} is neither in the file nor among the environment's trust "
            "anchors. Add it after your own certificate, or use a certificate for this environment.",
        )
    return _fault(
        "chain",
        f"As of {at:%Y-%m-%d}, it does not lead to the environment's trust anchors, but to "
        f"{'another ' if of_that_name else ''}{issuer}. Use a certificate for this environment, or the environment "
        "that it is for.",
    )


def _root(chain: Sequence[x509.Certificate], trust: TrustAnchors, at: datetime) -> x509.Certificate | None:
    try:
        return trust.path(chain[0], extra=chain[1:], at=at)[-1]
    except UntrustedCertificate:
        return None


def _sender(own: str, sender: str) -> Finding:
    if own == sender:
        return _ok("sender", "The certificate is the sender's own.")
    return _warning(
        "sender",
        f"The certificate is {own}'s and the sender is {sender}, so {own} must be authorized as its broker; whether it "
        "is could not be checked.",
    )


def _network(proxy: Proxy | None, environment: Environment, timeouts: Timeouts) -> Finding:
    """Check whether the proxy, or the service if there is no proxy, accepts connections."""
    check, address = ("proxy", proxy.url) if proxy else ("network", environment.api_root)
    try:
        url = urlsplit(address)
        host, port = url.hostname or "", url.port or _PORTS[url.scheme]
        socket.create_connection((host, port), timeouts.connect).close()
    except (socket.gaierror, ValueError) as error:
        return _fault(
            check,
            f"The host of {address} is not found ({error.args[-1]}): check its spelling and this machine's DNS server.",
        )
    except TimeoutError:
        return _fault(
            check,
            f"{address} did not answer within {timeouts.connect:g} s: check the address, and whether a firewall blocks "
            "it or calls must go through a proxy.",
        )
    except OSError as error:
        return _fault(
            check, f"{address} accepts no connection ({error.strerror}): check the address, and that it is up."
        )
    return _ok(check, f"{host} accepts connections on port {port}.")


def _service_findings(configuration: ClientConfiguration, own: str, sender: str) -> Found:
    """What one call shows: who the server is, whether it accepts us, and what time it is there."""
    environment, through_proxy = configuration.environment, configuration.proxy is not None
    request = Request("GET", f"{environment.api_root.rstrip('/')}/{sender}", {})
    done: set[str] = set()
    try:
        answer = _outcome(connection(configuration), request, done)
    except ssl.SSLError as error:  # while preparing the connection, if OpenSSL finds the certificate too weak
        yield _fault("access", f"TLS on this machine rejects the certificate ({error.reason}): order a new one.")
        return
    if through_proxy and "proxy.start_tls.started" not in done and isinstance(answer, ClientError):
        yield _fault("proxy", f"It did not open a connection to the service. {_without_call(answer, request)}")
        return
    verified = f"{'proxy' if through_proxy else 'connection'}.start_tls.complete" in done
    if verified:
        yield _ok("server", f"It belongs to organization {environment.organization_number}, as it should.")
    if isinstance(answer, ClientCertificateError) and not verified:  # in TLS 1.2, this comes before the organization
        yield Finding("server", State.SKIPPED, "Not checked: it closed the connection before it identified itself.")
        yield _fault("access", _without_call(answer, request))
    elif isinstance(answer, UntrustedServerError):
        yield _fault("server", f"{_without_call(answer, request)}{_shown_issuer(configuration, request)}")
    elif isinstance(answer, ClientError):
        yield _fault("access" if verified else "server", _without_call(answer, request))
    elif answer is not None:
        yield from _admission(answer, environment, own, sender)
        yield _clock(answer)


def _without_call(error: ClientError, request: Request) -> str:
    return str(error).removeprefix(f"{request.method} {request.url}: ")


def _outcome(arguments: Mapping[str, Any], request: Request, steps: set[str] | None = None) -> Outcome:
    """Make the call, within the time limit, with a client made from these arguments; fill `steps` with its steps.

    It runs in a thread of its own, since an event loop may run in this one.
    """
    http, outcome = httpx.AsyncClient(**arguments), Future[Outcome]()

    def call() -> None:
        try:
            outcome.set_result(asyncio.run(_call(http, request, set() if steps is None else steps)))
        except Exception as error:  # raised in the thread that waits for the outcome
            outcome.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return outcome.result()


async def _call(http: httpx.AsyncClient, request: Request, steps: set[str]) -> Outcome:
    """The time limit is for the whole call: httpx has one for each read, which a server that drips bytes never hits."""

    async def trace(step: str, detail: Mapping[str, Any]) -> None:
        steps.add(step)
        if step.endswith(".connect_tcp.complete"):  # httpx leaves it open when the TLS handshake is cancelled
            connections.push_async_callback(detail["return_value"].aclose)

    async def hook(sent: httpx.Request) -> None:
        sent.extensions["trace"] = trace

    http.event_hooks = {"request": [hook]}
    try:
        async with AsyncExitStack() as connections, asyncio.timeout(_MOST_SECONDS), http:
            return await do_async(http, request)
    except TimeoutError:
        return NoAnswerError(
            f"No complete answer within {_MOST_SECONDS:g} s; check the API root, and what is in between."
        )


class _Onlooker(OrganizationContext):
    """Ends each handshake once the server, trusted or not, has shown its certificate (DER)."""

    shown = b""

    def check_peer(self, certificate: bytes | None) -> None:
        self.shown = certificate or b""
        raise WrongOrganization("It was only looked at")


def _shown_issuer(configuration: ClientConfiguration, request: Request) -> str:
    """Say who issued the certificate of an untrusted server; the error from ssl does not."""
    onlooker = _Onlooker(ssl.PROTOCOL_TLS_CLIENT)
    onlooker.check_hostname, onlooker.verify_mode = False, ssl.CERT_NONE
    _outcome(connection(configuration) | {"verify": onlooker}, request)
    try:
        return f" Its certificate was issued by {load_der(onlooker.shown).issuer.rfc4514_string()}."
    except InvalidInput:
        return ""


def _admission(answer: Response, environment: Environment, own: str, sender: str) -> Found:
    try:
        require(answer, 200)
    except BrokerNotAuthorizedError as error:
        yield _ok("access", "The service knows the certificate's organization.")
        yield _fault(
            "sender",
            f"{own} is not authorized as broker of {sender}: have {sender} authorize it, or send as {own}. "
            f"The service says: {error}",
        )
    except UnexpectedResponseError as error:
        yield _fault("access", f"{error} {_REMEDIES.get(error.status, _ASK)}")
    else:
        text = answer.content[:200].decode(errors="replace")
        if not text.startswith(_WHO_AM_I):
            yield _fault(
                "access", f"Something other than the API answers at {environment.api_root}: check the API root."
            )
            return
        yield _ok("access", f"The service says: {text}")
        if own != sender:
            yield _ok("sender", f"{own} is authorized as broker of {sender}.")


def _clock(answer: Response) -> Finding:
    if "date" not in answer.headers:
        return Finding("clock", State.SKIPPED, "Not checked: the service's answer has no date.")
    lead = clock_lead(answer)
    seconds, where = abs(lead.total_seconds()), "behind" if lead > timedelta() else "ahead of"
    if abs(lead) > SIGNING_TIME_TOLERANCE:
        return _fault(
            "clock",
            f"Our clock is {seconds:.0f} s {where} the service's, which refuses packages signed more than "
            f"{SIGNING_TIME_TOLERANCE.seconds} s from its time: synchronize this machine's clock with NTP.",
        )
    if lead:
        return _warning(
            "clock",
            f"Our clock is {seconds:.0f} s {where} the service's: synchronize it with NTP before it is "
            f"{SIGNING_TIME_TOLERANCE.seconds} s.",
        )
    return _ok("clock", "It agrees with the service's.")
