"""Revocation as a caller of the API meets it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from django.db import connection

from api_answers import assert_loop_survives, error
from builders import everything, manifest
from certificates import NOW, Authority
from configured import configured
from pdfs import pdf
from revocations import HOUR, REVOKED_TEXT, Sender, asks_at, revocation_server, sends
from segl.core import asice
from segl.core.asice import PackageFile
from segl.core.keys import PrivateKey
from segl.core.protocol import PortalJobRequest
from segl.service import clock, remote, revocation
from segl.service.configuration import Revocation
from segl.service.sender_api import authentication

NUMBER = "123456789"
JOBS = f"/api/{NUMBER}/portal/signature-jobs"
ROOT = Authority.root()
FOREIGN = Authority.root("Somebody Else")
REVOKED = ocsp.OCSPCertStatus.REVOKED


@pytest.fixture
def sender() -> Iterator[Sender]:
    with revocation_server() as server:
        yield Sender.of(server, ROOT, NUMBER)


@pytest.fixture
def api(sender: Sender, api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The API, called by the sender, whose root it trusts."""
    monkeypatch.setattr(clock, "wall", lambda: NOW)
    files = tmp_path / "root.pem", tmp_path / "issuer.pem"
    for file, authority in zip(files, (ROOT, sender.issuer), strict=True):
        file.write_bytes(authority.key.certificate.public_bytes(Encoding.PEM))
    with configured(trust_anchors=files[:1], intermediates=files[1:], revocation=Revocation("hard-fail", HOUR, HOUR)):
        forget()
        yield type(api)(sender.key.certificate)
    forget()


def forget() -> None:
    revocation.forget()
    authentication.trust.cache_clear()
    authentication._organization.cache_clear()


def create(api: Any, key: PrivateKey) -> Any:
    package = asice.build(
        manifest=manifest().to_xml(),
        documents=[PackageFile("0001_dokument.pdf", "application/pdf", pdf("Avtale"))],
        key=key,
        signing_time=NOW,
    )
    parts = [("application/xml", PortalJobRequest("ref").to_xml()), ("application/octet-stream", package)]
    body = b"".join(f"--b\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for kind, part in parts)
    return api.post(JOBS, body + b"--b--\r\n", "multipart/mixed; boundary=b")


def test_a_revoked_client_certificate_is_not_authorized(api: Any, sender: Sender) -> None:
    assert api.get(f"/api/{NUMBER}").status_code == 200
    sender.server.answers["/ocsp/issuer"] = sends(sender.ocsp(status=REVOKED))
    revocation.forget()
    status, code, message = error(api.get(f"/api/{NUMBER}"))
    assert (status, code) == (403, "NOT_AUTHORIZED")
    assert message.startswith("The client certificate is not trusted: The certificate")
    assert f"was revoked {REVOKED_TEXT}" in message


def test_while_nobody_answers_about_one_the_service_is_unavailable(api: Any, sender: Sender) -> None:
    for path in ("/ocsp/issuer", "/crl/issuer"):
        sender.server.answers[path] = sends(b"", status=503)
    answer = api.get(JOBS)
    status, code, message = error(answer)
    assert (status, code) == (503, "SERVICE_UNAVAILABLE")
    assert message.endswith("try again in a minute.")
    assert answer["Retry-After"] == "60"
    assert_loop_survives(answer)


def test_one_that_names_nobody_to_ask_is_not_authorized(api: Any, sender: Sender) -> None:
    """Which no waiting changes."""
    status, code, message = error(type(api)(sender.issuer.organization(NUMBER).certificate).get(JOBS))
    assert (status, code) == (403, "NOT_AUTHORIZED")
    assert message.endswith("use one that does.")


def test_nobody_is_asked_about_a_certificate_that_does_not_chain_to_us(api: Any, sender: Sender) -> None:
    addresses = asks_at(responder=sender.server.url("/ocsp/issuer"), crl=sender.server.url("/crl/issuer"))
    foreign = FOREIGN.organization(NUMBER, extensions=addresses).certificate
    assert error(type(api)(foreign).get(f"/api/{NUMBER}"))[:2] == (403, "NOT_AUTHORIZED")
    assert sender.asked() == []


def test_a_package_signed_with_the_connections_certificate_needs_no_second_question(api: Any, sender: Sender) -> None:
    assert create(api, sender.key).status_code == 200
    assert sender.asked() == ["/ocsp/issuer", "/crl/root"]


def test_a_package_signed_with_a_revoked_certificate_is_refused(api: Any, sender: Sender) -> None:
    older = sender.issuer.organization(NUMBER, extensions=asks_at(crl=sender.server.url("/crl/issuer")))
    sender.revoke(older.certificate)
    before = everything()
    status, code, message = error(create(api, older))
    assert (status, code) == (400, "ASICE_VALIDATION_FAILED")
    assert f"was revoked {REVOKED_TEXT}" in message
    assert everything() == before


def test_a_package_about_whose_certificate_nobody_answers_may_be_sent_again(api: Any, sender: Sender) -> None:
    older = sender.issuer.organization(NUMBER, extensions=asks_at(crl=sender.server.url("/crl/nowhere")))
    before = everything()
    status, code, message = error(create(api, older))
    assert (status, code) == (503, "SERVICE_UNAVAILABLE")
    assert "try again" in message
    assert everything() == before


def test_a_package_whose_certificate_names_nobody_to_ask_is_refused(api: Any, sender: Sender) -> None:
    before = everything()
    status, code, message = error(create(api, sender.issuer.organization(NUMBER)))
    assert (status, code) == (400, "ASICE_VALIDATION_FAILED")
    assert message.endswith("use one that does.")
    assert everything() == before


def test_the_network_is_asked_outside_of_transactions(
    api: Any, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = []
    fetch = remote.Http.fetch

    def watched(*arguments: Any, **more: Any) -> bytes:
        within.append(connection.in_atomic_block)
        return fetch(*arguments, **more)

    monkeypatch.setattr(remote.Http, "fetch", watched)
    assert create(api, sender.key).status_code == 200
    assert within == [False, False]
