"""Which certificates the API admits, as a proxy passes them on, and accepts in a package's signature."""

from base64 import b64encode
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from api_answers import error
from builders import everything, manifest
from certificates import NOW, Authority, subject
from configured import configured
from segl.core import asice
from segl.core.asice import PackageFile
from segl.core.keys import PrivateKey
from segl.core.protocol import PortalJobRequest
from segl.service import clock
from segl.service.configuration import Clients
from segl.service.http.proxies import HEADERS, certificate_in
from segl.service.sender_api import authentication

NUMBER = "123456789"
POLICY = x509.ObjectIdentifier("2.16.578.1.26.1.3.2")
ROOT = Authority.root()
LISTED, OTHER = ROOT.intermediate("Listed Issuer"), ROOT.intermediate("Other Issuer")
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
NOT_FOR_CLIENTS = "its extended key usage lacks clientAuth"
NO_NUMBER = "names no organization number where it counts"
# Each with the reason why it is refused, if it is.
PURPOSES: dict[tuple[x509.ObjectIdentifier, ...], str] = {
    (): "",
    (CLIENT, ExtendedKeyUsageOID.EMAIL_PROTECTION): "",
    (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,): "",
    (ExtendedKeyUsageOID.SERVER_AUTH,): NOT_FOR_CLIENTS,
    (ExtendedKeyUsageOID.EMAIL_PROTECTION,): NOT_FOR_CLIENTS,
    (ExtendedKeyUsageOID.CODE_SIGNING,): NOT_FOR_CLIENTS,
}
SUBJECTS = {
    subject("Virksomhet", organization_identifier=f"NTRNO-{NUMBER}"): "",
    subject("Virksomhet", serial_number=NUMBER): "",
    subject("Virksomhet", organization_identifier=NUMBER): NO_NUMBER,
    subject(f"www.{NUMBER}.no"): NO_NUMBER,
}
ISSUERS = {LISTED.key.certificate.subject: "", OTHER.key.certificate.subject: "do not count here: use an organization"}


def issued(
    purposes: tuple[x509.ObjectIdentifier, ...] = (CLIENT,),
    name: x509.Name = next(iter(SUBJECTS)),  # noqa: B008 - never changed
    issuer: x509.Name = LISTED.key.certificate.subject,
    policy: x509.ObjectIdentifier = POLICY,
    **uses: bool,
) -> PrivateKey:
    extensions: list[x509.ExtensionType] = [x509.CertificatePolicies([x509.PolicyInformation(policy, None)])]
    if purposes:
        extensions.append(x509.ExtendedKeyUsage(purposes))
    by = next(each for each in (LISTED, OTHER) if each.key.certificate.subject == issuer)
    return by.issue(name, kind="P-256", extensions=extensions, **uses)  # type: ignore[arg-type]  # flags by name


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[Path, ...]]:
    """The settings that name the root, and the other issuer as an intermediate; the listed one is not among them."""
    for authority, name in ((ROOT, "root"), (LISTED, "listed"), (OTHER, "other")):
        (tmp_path / name).write_bytes(authority.key.certificate.public_bytes(Encoding.PEM))
    return {"trust_anchors": (tmp_path / "root",), "intermediates": (tmp_path / "other",)}


@pytest.fixture
def api(api: Any, files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The API of a service that lists an issuer and a policy."""
    monkeypatch.setattr(clock, "wall", lambda: NOW)
    with configured(**files, clients=Clients((tmp_path / "listed",), (POLICY,))):
        _forget()
        yield api


def _forget() -> None:
    for each in (authentication.trust, authentication.policy, authentication._organization):
        each.cache_clear()


def admitted(api: Any, key: PrivateKey, header: str = "Client-Cert") -> str:
    """Who the client is, or why it is refused, if a proxy passes on its certificate in this header."""
    der, pem = (key.certificate.public_bytes(encoding) for encoding in (Encoding.DER, Encoding.PEM))
    value = f":{b64encode(der).decode()}:" if header == "Client-Cert" else quote(pem)
    answer = type(api)(certificate_in([(header.lower().encode(), value.encode())], header)).get(f"/api/{NUMBER}")
    if answer.status_code == 200:
        return str(answer.content.decode())
    status, code, message = error(answer)
    assert (status, code) == (403, "NOT_AUTHORIZED")
    return message


@pytest.mark.parametrize("header", HEADERS)
def test_a_client_is_admitted_by_purpose_number_and_issuer(api: Any, header: str) -> None:
    for (purposes, why), (name, why_not), (issuer, why_neither) in product(
        PURPOSES.items(), SUBJECTS.items(), ISSUERS.items()
    ):
        message = admitted(api, issued(purposes, name, issuer), header)
        reason = why or why_neither or why_not or f"You are {NUMBER}"
        assert reason in message, (purposes, name, issuer)
        assert message.startswith("You are" if reason not in {why, why_neither, why_not} else "The client certificate")


def test_a_client_is_admitted_by_its_certificate_policy(api: Any) -> None:
    other = x509.ObjectIdentifier("2.16.578.1.26.1.3.3")
    assert admitted(api, issued()) == f"You are {NUMBER}"
    assert f"certificate policies {other.dotted_string}, which do not count" in admitted(api, issued(policy=other))


def test_a_certificate_for_seals_is_not_admitted_as_tls_does_not_either(api: Any) -> None:
    assert "is not for connections: its key usage lacks digitalSignature" in admitted(
        api, issued((), digital_signature=False)
    )


def test_a_number_in_the_common_name_counts_where_the_operator_allows_it(api: Any) -> None:
    with configured(clients=Clients(number_in_common_name=True)):
        _forget()
        key = issued(name=subject(f"VIRKSOMHET AS {NUMBER}"), issuer=OTHER.key.certificate.subject)
        assert admitted(api, key) == f"You are {NUMBER}"


def sent(api: Any, key: PrivateKey) -> tuple[int, str, str]:
    """What a client with a good certificate is answered to a package that is signed with this key."""
    document = PackageFile("0001_dokument.pdf", "application/pdf", b"%PDF-1.7")
    packed = asice.build(manifest=manifest().to_xml(), documents=[document], key=key, signing_time=NOW)
    parts = (("application/xml", PortalJobRequest("ref").to_xml()), ("application/octet-stream", packed))
    body = b"".join(f"--b\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for kind, part in parts)
    jobs = f"/api/{NUMBER}/portal/signature-jobs"
    client = type(api)(issued().certificate)
    return error(client.post(jobs, body + b"--b--\r\n", "multipart/mixed; boundary=b"))


def test_a_packages_signature_is_judged_as_its_sender_is(api: Any) -> None:
    before = everything()
    for key, reason in (
        (issued((ExtendedKeyUsageOID.SERVER_AUTH,)), NOT_FOR_CLIENTS),
        (issued((ExtendedKeyUsageOID.EMAIL_PROTECTION,)), NOT_FOR_CLIENTS),
        (issued(name=subject(f"www.{NUMBER}.no")), NO_NUMBER),
        (issued(issuer=OTHER.key.certificate.subject), "do not count here"),
        (issued(policy=x509.ObjectIdentifier("2.16.578.1.26.1.3.3")), "do not count here"),
    ):
        status, code, message = sent(api, key)
        assert (status, code) == (400, "ASICE_VALIDATION_FAILED")
        assert reason in message
    assert everything() == before
    assert sent(api, issued())[1] == "INVALID_DOCUMENT"  # the signature is not what is wrong with it
