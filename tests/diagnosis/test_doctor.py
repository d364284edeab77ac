"""What the doctor finds in set-ups with one fault each, over real TLS and a real proxy."""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import certificate, private_key, subject
from connect_proxy import connect_proxy
from dripping_server import SLOW, SLOW_TLS, Answer
from segl.core.keys import PrivateKey
from segl.diagnosis import doctor
from segl.diagnosis.doctor import CHECKS, CertificateFiles, examine
from segl.diagnosis.findings import Finding, State
from segl.sdk import ClientCertificate, Environment, InvalidInput, Proxy, Sender, Timeouts
from tls_service import CUSTOMER, SERVICE, Authority, Service, listening, reply, serving
from tls_service import pem_files as files

ROOT = Authority("Trusted Root")
STRANGER = Authority("Another Root")
OFFICIAL = Authority("Official Production Root")
NOW = datetime.now(UTC)
YEAR = (NOW - timedelta(days=30), NOW + timedelta(days=335))
INTERMEDIATE = subject("Intermediate")


def issued(
    *,
    by: Authority = ROOT,
    number: str | None = CUSTOMER,
    name: x509.Name | None = None,
    key: Any = None,
    dates: tuple[datetime, datetime] = YEAR,
    intermediate: bool = False,
    ca: bool = False,
    authentication: bool = True,
    purposes: list[x509.ObjectIdentifier] | None = None,
    chain: bool = True,
    root: bool = True,
) -> PrivateKey:
    """An organization's certificate, good except for these arguments; `chain` and `root` say what comes with it."""
    identifier = {"organization_identifier": f"NTRNO-{number}"} if number else {}
    key = key or private_key("customer")
    root_key = private_key(by.name, "P-256")
    issuer, issuer_key, above = subject(by.name), root_key, (by.root,)
    if intermediate:
        issuer_key = private_key("intermediate", "P-256")
        above = (certificate(INTERMEDIATE, issuer_key, issuer, root_key, True, True, *YEAR), by.root)
        issuer = INTERMEDIATE
    name = name or subject("Kunde", organization="Kunde AS", **identifier)
    usages = [x509.ExtendedKeyUsage(purposes)] if purposes else []
    signed = certificate(name, key, issuer, issuer_key, ca, authentication, *dates, extensions=usages)
    return PrivateKey(signed, (above if root else above[:-1]) if chain else (), key)


OWN = issued(intermediate=True).certificate


def above(
    key: str = "intermediate", issuer: Authority = ROOT, dates: tuple[datetime, datetime] = YEAR, *, ca: bool = True
) -> x509.Certificate:
    """The certificate that issued `OWN`, good except for these arguments."""
    issuer_key = private_key(issuer.name, "P-256")
    return certificate(INTERMEDIATE, private_key(key, "P-256"), subject(issuer.name), issuer_key, ca, True, *dates)


def pkcs12_file(key: PrivateKey, folder: Path) -> Path:
    """A PKCS#12 file whose password is `s3cret`."""
    file = folder / "organization.p12"
    encryption = BestAvailableEncryption(b"s3cret")
    file.write_bytes(pkcs12.serialize_key_and_certificates(b"o", key.key, key.certificate, key.chain, encryption))
    return file


def pem_files(key: PrivateKey, folder: Path, private: Any = None) -> CertificateFiles:
    """The certificate with its chain, and its private key or another one, as two PEM files."""
    certificates = b"".join(each.public_bytes(Encoding.PEM) for each in (key.certificate, *key.chain))
    (folder / "customer.pem").write_bytes(certificates)
    pem = (private or key.key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "customer.key").touch(0o600)
    (folder / "customer.key").write_bytes(pem)
    return CertificateFiles(folder / "customer.pem", folder / "customer.key")


@dataclass
class SetUp:
    """A set-up that is as it should be until a test changes it."""

    folder: Path
    service: Service
    environment: Environment
    certificate: ClientCertificate | CertificateFiles
    sender: Sender | None = None
    proxy: Proxy | None = None
    timeouts: Timeouts | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def examined(self) -> dict[str, Finding]:
        found = examine(self.environment, self.certificate, self.sender, proxy=self.proxy, timeouts=self.timeouts)
        return {each.check: each for each in found}

    def show(self, **unlike: Any) -> None:
        """Have a certificate of another kind."""
        self.certificate = pem_files(issued(**unlike), self.folder)

    def file(self, *certificates: x509.Certificate) -> None:
        """Have these in the certificate's file."""
        pem_files(PrivateKey(OWN, (), private_key("customer")), self.folder)
        (self.folder / "customer.pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))

    def api_root(self, api_root: str) -> None:
        self.environment = replace(self.environment, api_root=api_root)

    def serve(self, owner: Authority, number: str, clients: Authority) -> None:
        """Have another server."""
        self.service = self.stack.enter_context(serving(owner.organization(number), clients, self.folder))
        self.api_root(self.service.api_root)

    def answer(self, answer: Callable[[socket.socket], object]) -> None:
        """Have something else at the API root."""
        self.api_root(f"https://127.0.0.1:{self.stack.enter_context(listening(answer))}/api")

    def handshake(self, owner: Authority = STRANGER, ciphers: str = "DEFAULT:@SECLEVEL=0", **unlike: object) -> None:
        """Have a server there with OpenSSL's default settings, except for these."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files(owner.organization(SERVICE), self.folder))
        context.set_ciphers(ciphers)
        for name, value in unlike.items():
            setattr(context, name, value)

        def shake(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

        self.answer(shake)

    def refuse(self, status: int, code: str, message: str) -> None:
        """Have the service answer with an error."""
        body = (
            f'<error xmlns="http://signering.posten.no/schema/v1"><error-code>{code}</error-code>'
            f"<error-message>{message}</error-message><error-type>CLIENT</error-type></error>"
        ).encode()
        self.service.answer = lambda handler: reply(handler, status, body, Content_Type="application/xml")

    def clock(self, lead: timedelta) -> None:
        """Have the service's clock so far ahead of ours."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.date_time_string = lambda *_: format_datetime(datetime.now(UTC) + lead, usegmt=True)  # type: ignore[method-assign]
            reply(handler, 200, b"You are welcome")

        self.service.answer = answer

    def through_proxy(self, password: str = "s3cret") -> None:
        proxy = self.stack.enter_context(connect_proxy("segl:s3cret"))
        self.proxy = Proxy(proxy.url, "segl", password)

    def odd_proxy(self, answer: Callable[[socket.socket], object]) -> None:
        """Have calls go through something that is not a proxy."""
        self.proxy = Proxy(f"http://127.0.0.1:{self.stack.enter_context(listening(answer))}")


@pytest.fixture
def set_up(tmp_path: Path) -> Iterator[SetUp]:
    with serving(ROOT.organization(SERVICE), ROOT, tmp_path) as service:
        environment = Environment(service.api_root, ROOT.pem(), SERVICE)
        good = SetUp(tmp_path, service, environment, pem_files(issued(), tmp_path))
        with good.stack:
            yield good


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that is taken but on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def states(found: dict[str, Finding], state: State) -> set[str]:
    return {each.check for each in found.values() if each.state is state}


@pytest.mark.parametrize("form", ["PEM", "PKCS#12", "loaded", "through a proxy", "with intermediate"])
def test_a_good_set_up_has_no_faults(set_up: SetUp, form: str) -> None:
    if form == "PKCS#12":
        set_up.certificate = CertificateFiles(pkcs12_file(issued(), set_up.folder), password="s3cret")
    elif form == "loaded":
        set_up.certificate = ClientCertificate.from_pkcs12(pkcs12_file(issued(), set_up.folder), "s3cret")
    elif form == "through a proxy":
        set_up.through_proxy()
    elif form == "with intermediate":
        set_up.show(intermediate=True)

    found = set_up.examined()

    assert [*found] == [each for each in CHECKS if each != ("network" if set_up.proxy else "proxy")]
    assert states(found, State.OK) == {*found}, found
    assert found["certificate"].sentence == "It belongs to Kunde AS, organization number 123456789."
    assert found["access"].sentence == "The service says: You are welcome"
    assert len(set_up.service.requests) == 1


def _missing(set_up: SetUp) -> None:
    set_up.certificate = CertificateFiles(set_up.folder / "missing.p12")


def _no_pkcs12(set_up: SetUp) -> None:
    (set_up.folder / "odd.p12").write_bytes(b"%PDF-1.7")
    set_up.certificate = CertificateFiles(set_up.folder / "odd.p12")


def _wrong_password(set_up: SetUp) -> None:
    set_up.certificate = CertificateFiles(pkcs12_file(issued(), set_up.folder), password="wr0ng")


def _other_key(set_up: SetUp) -> None:
    set_up.certificate = pem_files(issued(), set_up.folder, private_key("somebody else"))


def _encrypted_key(set_up: SetUp) -> None:
    files = pem_files(issued(), set_up.folder)
    key, encryption = private_key("customer"), BestAvailableEncryption(b"s3cret")
    (set_up.folder / "customer.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    set_up.certificate = replace(files, password="wr0ng")


def _weak_key(set_up: SetUp) -> None:
    set_up.show(key=rsa.generate_private_key(65537, 1024))


def _unknown_organization(set_up: SetUp) -> None:
    set_up.refuse(
        403, "NOT_AUTHORIZED", "Organization 123456789, named in the client certificate, is not registered here."
    )


def _unauthorized_broker(set_up: SetUp) -> None:
    set_up.sender = Sender("987654321")
    set_up.refuse(403, "BROKER_NOT_AUTHORIZED", "No.")


def _no_api(set_up: SetUp) -> None:
    set_up.service.answer = lambda handler: reply(handler, 404, b"<html>")


def _silent(set_up: SetUp) -> None:
    set_up.service.answer = lambda handler: setattr(handler, "close_connection", True)


def _proxy_down(set_up: SetUp) -> None:
    set_up.proxy = Proxy("http://127.0.0.1:1")


def _plain_http(set_up: SetUp) -> None:
    """The proxy speaks HTTP, not TLS."""
    proxy = set_up.stack.enter_context(connect_proxy("segl:s3cret"))
    set_up.api_root(f"https://127.0.0.1:{proxy.port}/api")


TOMORROW = NOW + timedelta(days=1)
YESTERDAY = NOW - timedelta(days=1)
Break = Callable[[SetUp], object]
# What is broken; which check finds it, and how it says so.
FAULTS: dict[str, tuple[Break, str, str]] = {
    "no file": (_missing, "certificate", "Cannot read '.*missing.p12': No such file or directory"),
    "no PKCS#12": (_no_pkcs12, "certificate", "Could not deserialize PKCS12 data. Check the file and the password"),
    "wrong password": (_wrong_password, "certificate", "Invalid password .* Check the file and the password"),
    "no organization": (lambda it: it.show(number=None), "certificate", "has no organization number. Use an org"),
    "another's key": (_other_key, "private-key", "does not belong to the certificate .*; give the two"),
    "key encrypted": (_encrypted_key, "private-key", "Incorrect password, could not decrypt key"),
    "elliptic curve": (
        lambda it: it.show(key=private_key("customer's curve", "P-256")),
        "private-key",
        "the API accepts only RSA: order an RSA certificate",
    ),
    "weak key": (_weak_key, "private-key", "has 1024 bits, but at least 2048 are needed"),
    "for signing alone": (lambda it: it.show(authentication=False), "key-usage", "use the one for authentication"),
    "for servers": (
        lambda it: it.show(purposes=[ExtendedKeyUsageOID.SERVER_AUTH]),
        "key-usage",
        "extended key usage lacks clientAuth",
    ),
    "a CA's": (lambda it: it.show(ca=True), "key-usage", "is a CA certificate, .* Use an organization certificate"),
    "expired": (lambda it: it.show(dates=(YEAR[0], YESTERDAY)), "validity", r"expired \d{4}-.*; use a new one"),
    "not yet": (lambda it: it.show(dates=(TOMORROW, YEAR[1])), "validity", "is not valid before .*; the time is"),
    "from elsewhere": (lambda it: it.show(by=STRANGER), "chain", "does not lead to .* but to CN=Another Root"),
    "from elsewhere, without the root": (
        lambda it: it.show(by=STRANGER, intermediate=True, root=False),
        "chain",
        "does not lead to .* but to CN=Another Root",
    ),
    "chain left out": (
        lambda it: it.show(intermediate=True, chain=False),
        "chain",
        "incomplete: the certificate of CN=Intermediate is neither in the file nor among .* Add it after your own",
    ),
    "intermediate left out": (
        lambda it: it.file(OWN, ROOT.root),
        "chain",
        "incomplete: the certificate of CN=Intermediate is neither in .* Add it after your own certificate",
    ),
    "upper intermediate left out": (
        lambda it: it.file(OWN, above(issuer=Authority("Upper")), ROOT.root),
        "chain",
        "incomplete: the certificate of CN=Upper is neither",
    ),
    "intermediate of another key": (
        lambda it: it.file(OWN, above("somebody else"), ROOT.root),
        "chain",
        "incomplete: the certificate of CN=Intermediate is neither",
    ),
    "intermediate expired": (
        lambda it: it.file(OWN, above(dates=(YEAR[0], YESTERDAY)), ROOT.root),
        "chain",
        "The certificate CN=Intermediate expired .*; use a new one",
    ),
    "intermediate that may not issue": (
        lambda it: it.file(OWN, above(ca=False), ROOT.root),
        "chain",
        "issued by CN=Intermediate, does not chain to a trust anchor .*cA must be asserted",
    ),
    "intermediate first": (
        lambda it: it.file(above(), OWN, ROOT.root),
        "private-key",
        "CN=Intermediate comes before that in its file: put your own certificate first",
    ),
    "root first": (
        lambda it: it.file(ROOT.root, above(), OWN),
        "private-key",
        "CN=Trusted Root comes before that in its file: put your own certificate first",
    ),
    "no such host": (lambda it: it.api_root("https://nowhere.invalid/api"), "network", "host of .* is not found"),
    "nobody there": (lambda it: it.api_root("https://127.0.0.1:1/api"), "network", "accepts no connection .*refused"),
    "proxy down": (_proxy_down, "proxy", "http://127.0.0.1:1 accepts no connection .*refused"),
    "proxy refuses": (lambda it: it.through_proxy("wr0ng"), "proxy", "proxy refused .*407.*check the Proxy and its"),
    "server from elsewhere": (
        lambda it: it.serve(STRANGER, SERVICE, ROOT),
        "server",
        "does not chain to .* proxy that inspects TLS. Its certificate was issued by CN=Another Root",
    ),
    "TLS inspected": (
        lambda it: it.handshake(maximum_version=ssl.TLSVersion.TLSv1_2),
        "server",
        "does not chain to .* proxy that inspects TLS. Its certificate was issued by CN=Another Root",
    ),
    "server's certificate expired": (
        lambda it: it.serve(Authority(ROOT.name, (YEAR[0], YESTERDAY)), SERVICE, ROOT),
        "server",
        "not valid now .certificate has expired.* check this machine's clock first",
    ),
    "server's certificate not yet valid": (
        lambda it: it.serve(Authority(ROOT.name, (TOMORROW, YEAR[1])), SERVICE, ROOT),
        "server",
        "not valid now .certificate is not yet valid.* check this machine's clock first",
    ),
    "another's server": (
        lambda it: it.serve(ROOT, "999999999", ROOT),
        "server",
        "belongs to Organization 999999999, with the number 999999999, not 984661185",
    ),
    "no TLS": (_plain_http, "server", "does not speak TLS .*WRONG_VERSION_NUMBER.*check the"),
    "refused in TLS": (lambda it: it.serve(ROOT, SERVICE, STRANGER), "access", "ended the TLS connection .*complete"),
    "not let in": (_unknown_organization, "access", "not registered here. .*Ask those who run the service to let"),
    "not the API": (_no_api, "access", "404 without saying why. Check the API root"),
    "another site": (
        lambda it: setattr(it.service, "answer", lambda handler: reply(handler, 200, b"<html>Welcome to nginx!")),
        "access",
        "Something other than the API answers at https://127.0.0.1:[0-9]+/api: check the API root",
    ),
    "no answer": (_silent, "access", "No answer .*disconnected"),
    "broker": (_unauthorized_broker, "sender", "123456789 is not authorized as broker of 987654321: have 987654321"),
    "clock ahead": (lambda it: it.clock(timedelta(seconds=-60)), "clock", "[56][0-9] s ahead of .* clock with NTP"),
    "clock behind": (lambda it: it.clock(timedelta(seconds=60)), "clock", "[56][0-9] s behind .* clock with NTP"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(set_up: SetUp, name: str) -> None:
    damage, check, sentence = FAULTS[name]
    damage(set_up)

    found = set_up.examined()

    [first, *_] = [each for each in found.values() if each.state is State.FAULT]
    assert first.check == check, found
    assert_says(first, sentence)
    assert not re.search("s3cret|wr0ng", " ".join(each.sentence for each in found.values()))


def assert_says(finding: Finding, sentence: str) -> None:
    assert re.search(sentence, finding.sentence), finding.sentence


def test_what_depends_on_a_fault_is_skipped_and_all_else_is_checked(set_up: SetUp) -> None:
    _other_key(set_up)
    found = set_up.examined()
    assert states(found, State.FAULT) == {"private-key"}
    assert states(found, State.SKIPPED) == {"server", "access", "clock"}

    set_up.show()
    set_up.api_root("https://nowhere.invalid/api")
    set_up.sender = Sender("987654321")
    found = set_up.examined()
    assert states(found, State.SKIPPED) == {"server", "access", "clock"}
    assert states(found, State.WARNING) == {"sender"}
    assert_says(found["sender"], "123456789's and the sender is 987654321, .* whether it is could not be checked")


def test_several_faults_are_found_at_once(set_up: SetUp) -> None:
    set_up.show(by=STRANGER, number=None, dates=(YEAR[0], YESTERDAY), authentication=False)
    set_up.api_root("https://nowhere.invalid/api")

    assert states(set_up.examined(), State.FAULT) == {"certificate", "key-usage", "validity", "chain", "network"}


def test_a_certificate_that_tls_rejects_is_reported(set_up: SetUp) -> None:
    _weak_key(set_up)

    assert_says(set_up.examined()["access"], "TLS on this machine rejects the certificate .*KEY_TOO_SMALL")


def test_a_certificate_for_another_environment_is_called_that(set_up: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    production = replace(Environment.PRODUCTION, trust_anchors=OFFICIAL.pem())
    monkeypatch.setitem(doctor._OFFICIAL, "production", production)
    set_up.show(by=OFFICIAL)

    assert_says(
        set_up.examined()["chain"],
        "Wrong environment: the certificate is for production, such as https://api.signering.posten.no/api, but not "
        "for https://127.0.0.1:[0-9]+/api. Use",
    )


def test_a_root_is_not_known_by_its_name_alone(set_up: SetUp) -> None:
    name, key = subject(ROOT.name), private_key("somebody else", "P-256")
    own = certificate(OWN.subject, private_key("customer"), name, key, False, True, *YEAR)
    for chain in ((own,), (own, certificate(name, key, name, key, True, True, *YEAR))):
        set_up.file(*chain)
        assert_says(set_up.examined()["chain"], "trust anchors, but to another CN=Trusted Root")


def test_a_certificate_file_in_the_wrong_order_is_one_fault(set_up: SetUp) -> None:
    set_up.file(ROOT.root, above(), OWN)

    assert states(set_up.examined(), State.FAULT) == {"private-key"}


def test_an_intermediate_that_only_the_environment_has_is_a_warning(set_up: SetUp) -> None:
    [intermediate, _] = issued(intermediate=True).chain
    pem = ROOT.pem() + intermediate.public_bytes(Encoding.PEM)
    set_up.environment = replace(set_up.environment, trust_anchors=pem)
    set_up.show(intermediate=True, chain=False)

    assert_says(set_up.examined()["chain"], "incomplete: .* of CN=Intermediate .* works only if the service knows")
    assert set_up.examined()["chain"].state is State.WARNING


def test_a_chain_that_the_service_accepts_is_no_fault(set_up: SetUp) -> None:
    """The service's own certificate may chain to another root than those of its clients."""
    set_up.serve(ROOT, SERVICE, STRANGER)
    set_up.show(by=STRANGER)

    found = set_up.examined()

    assert states(found, State.WARNING) == {"chain"}
    assert states(found, State.FAULT) == set()
    assert_says(found["chain"], "does not lead to .* This service accepted it all the same.")


def test_a_certificate_that_expires_soon_is_a_warning(set_up: SetUp) -> None:
    set_up.show(dates=(YEAR[0], NOW + timedelta(days=29, hours=12)))

    found = set_up.examined()

    assert states(found, State.WARNING) == {"validity"}
    assert_says(found["validity"], "expires .*, in 29 days: order a new one now")


def test_a_private_key_that_others_can_read_is_a_warning(set_up: SetUp) -> None:
    (set_up.folder / "customer.key").chmod(0o644)

    found = set_up.examined()

    assert states(found, State.WARNING) == {"private-key"}
    assert_says(found["private-key"], "But every user of this machine can read .*customer.key: run `chmod o= .*key`[.]")

    set_up.certificate = CertificateFiles(pkcs12_file(issued(), set_up.folder), password="s3cret")
    assert states(set_up.examined(), State.WARNING) == set()


def test_a_number_in_the_common_name_alone_is_a_warning(set_up: SetUp) -> None:
    set_up.show(name=subject(f"KUNDE AS {CUSTOMER}", organization="KUNDE AS"))

    found = set_up.examined()

    assert states(found, State.WARNING) == {"certificate"}
    assert_says(
        found["certificate"], f"number {CUSTOMER}. The number is neither in .* nor in serialNumber, so a service"
    )


def _hang(connection: socket.socket) -> None:
    """Until the client goes."""
    while connection.recv(65536):
        pass


def _says(answer: bytes) -> Callable[[socket.socket], object]:
    return lambda connection: (connection.recv(65536), connection.sendall(answer))


# What is there instead of the service or the proxy; which check is a fault, and how it says so.
UNSEEN: dict[str, tuple[Break, str, str]] = {
    "server hangs": (lambda it: it.answer(_hang), "server", "No answer in time"),
    "server hangs up": (lambda it: it.answer(lambda _: None), "server", "No answer .*"),
    "TLS 1.1": (
        lambda it: it.handshake(maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1),
        "server",
        "does not speak TLS 1.2 or newer .*PROTOCOL_VERSION",
    ),
    "no cipher in common": (
        lambda it: it.handshake(maximum_version=ssl.TLSVersion.TLSv1_2, ciphers="AES128-SHA"),
        "access",
        "HANDSHAKE_FAILURE.* may also have no cipher in common",
    ),
    "refused in TLS 1.2": (
        lambda it: it.handshake(ROOT, maximum_version=ssl.TLSVersion.TLSv1_2, verify_mode=ssl.CERT_REQUIRED),
        "access",
        "ended the TLS connection .*check that our certificate",
    ),
    "proxy hangs": (lambda it: it.odd_proxy(_hang), "proxy", "did not open .*. No answer in time"),
    "proxy hangs up": (lambda it: it.odd_proxy(lambda _: None), "proxy", "did not open .*. No answer .*"),
    "not a proxy": (lambda it: it.odd_proxy(_says(b"SSH-2.0\r\n\r\n")), "proxy", "did not open .*. No answer .*SSH"),
    "proxy forbids": (
        lambda it: it.odd_proxy(_says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")),
        "proxy",
        r"not open .*. The proxy refused \(403 Forbidden\); check the API root, and that the proxy may connect to it",
    ),
    "no server behind the proxy": (
        lambda it: it.odd_proxy(_says(b"HTTP/1.1 200 OK\r\n\r\n")),
        "server",
        "No answer .*",
    ),
}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("name", UNSEEN)
def test_a_server_that_was_not_identified_is_not_called_good(set_up: SetUp, name: str) -> None:
    damage, check, sentence = UNSEEN[name]
    set_up.timeouts = Timeouts(connect=0.5, call=0.5)
    damage(set_up)

    found = set_up.examined()

    assert states(found, State.FAULT) == {check}, found
    assert states(found, State.SKIPPED) == {"server", "access", "clock"} - {check}
    assert_says(found[check], sentence)


@pytest.mark.parametrize("dates", [(YEAR[0], YESTERDAY), (TOMORROW, YEAR[1])])
def test_the_chain_of_a_certificate_is_checked_apart_from_its_validity(
    set_up: SetUp, dates: tuple[datetime, datetime]
) -> None:
    lasting = Authority(ROOT.name, YEAR)
    set_up.environment = replace(set_up.environment, trust_anchors=lasting.pem())
    set_up.show(by=lasting, dates=dates)

    found = set_up.examined()

    assert (found["validity"].state, found["chain"].state) == (State.FAULT, State.OK)


def test_an_authorized_broker_is_reported(set_up: SetUp) -> None:
    set_up.sender = Sender("987654321")

    found = set_up.examined()

    assert states(found, State.OK) == {*found}
    assert found["sender"].sentence == "123456789 is authorized as broker of 987654321."
    [(_, path, _, _)] = set_up.service.requests
    assert path == "/api/987654321"


def test_a_clock_that_drifts_is_a_warning(set_up: SetUp) -> None:
    set_up.clock(timedelta(seconds=-3))

    assert_says(set_up.examined()["clock"], "[34] s ahead of the service's: synchronize it with NTP before it is 5 s")
    assert set_up.examined()["clock"].state is State.WARNING


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call may take two seconds; each single read is in time."""
    monkeypatch.setattr(doctor, "_MOST_SECONDS", 2.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["header", "body", "chunks"])
def test_an_answer_that_drips_is_given_up(set_up: SetUp, name: str) -> None:
    ends: Queue[bool] = Queue()
    set_up.service.answer = lambda handler: ends.put(SLOW[name](handler.connection))

    found = set_up.examined()

    assert ends.get(timeout=10)  # we hung up
    assert states(found, State.FAULT) == {"access"}
    assert_says(found["access"], "No complete answer within 2 s; check the API root")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", SLOW_TLS.values(), ids=SLOW_TLS)
def test_a_tls_handshake_that_drips_is_given_up(set_up: SetUp, answer: Answer) -> None:
    ends: Queue[bool] = Queue()
    set_up.answer(lambda connection: ends.put(answer(connection)))

    found = set_up.examined()

    assert [ends.get(timeout=10) for _ in ("the network was looked at", "the call")] == [True, True]
    assert states(found, State.FAULT) == {"server"}
    assert_says(found["server"], "No complete answer within 2 s; check the API root")


@pytest.mark.usefixtures("impatient")
def test_a_proxy_that_drips_is_given_up(set_up: SetUp) -> None:
    ends: Queue[bool] = Queue()
    set_up.odd_proxy(lambda connection: ends.put(SLOW["header"](connection)))

    found = set_up.examined()

    assert [ends.get(timeout=10) for _ in ("the network was looked at", "the call")] == [True, True]
    assert states(found, State.FAULT) == {"proxy"}
    assert_says(found["proxy"], "did not open .*. No complete answer within 2 s")


def test_a_program_with_a_running_event_loop_can_call_the_doctor(set_up: SetUp) -> None:
    async def program() -> dict[str, Finding]:
        return set_up.examined()

    assert asyncio.run(program())["access"].state is State.OK


def test_the_clock_is_not_checked_if_the_answer_has_no_date(set_up: SetUp) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", "17")
        handler.end_headers()
        handler.wfile.write(b"You are 123456789")

    set_up.service.answer = answer

    assert states(set_up.examined(), State.SKIPPED) == {"clock"}


def test_a_network_that_swallows_everything_is_reported(set_up: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    def swallow(*_: object) -> socket.socket:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", swallow)

    assert_says(set_up.examined()["network"], "did not answer within 10 s: check the address, and whether a firewall")


def test_unreadable_trust_anchors_are_an_error(set_up: SetUp) -> None:
    set_up.environment = replace(set_up.environment, trust_anchors=b"nothing")

    with pytest.raises(InvalidInput, match="No certificates can be read"):
        set_up.examined()
