"""The API without a network: requests come with the certificate that TLS would have seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.http.response import HttpResponseBase
from django.test import Client

from api_answers import assert_valid
from builders import organization
from configured import configured
from segl.core.keys import PrivateKey
from segl.core.sector import Sector
from segl.sandbox.pki import SandboxPki
from segl.service import clock, configuration, throttling
from segl.service.sender_api import authentication

PUBLIC, PRIVATE, BROKER = "123456789", "310248711", "318602352"


@dataclass(frozen=True)
class Api:
    """Calls the API as the organization of a certificate; without one when it is None."""

    certificate: x509.Certificate | bytes | None

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str = "application/octet-stream",
        received_at: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponseBase:
        der = self.certificate
        if isinstance(der, x509.Certificate):
            der = der.public_bytes(Encoding.DER)
        scope = {
            "segl.listener": "api",
            "segl.peer_certificate": der,
            "segl.received_at": received_at or clock.wall(),
            "segl.body": memoryview(body),
        }
        extra: dict[str, Any] = {"asgi.scope": scope, "HTTP_HOST": "127.0.0.1:8443"}
        client = Client(raise_request_exception=False)
        response = client.generic(method, path, body, content_type, headers=headers, **extra)
        if response.get("Content-Type") == "application/xml" and not response.streaming:
            assert_valid(response.content)
        return response

    def get(self, path: str) -> HttpResponseBase:
        return self.call("GET", path)

    def post(self, path: str, body: bytes = b"", content_type: str = "application/octet-stream") -> HttpResponseBase:
        return self.call("POST", path, body, content_type)


@pytest.fixture(scope="session")
def keys(pki: SandboxPki) -> dict[str, PrivateKey]:
    """The organizations' keys by number; read once, since each is checked when it is read, which takes long."""
    return {
        files.organization.number: PrivateKey.from_pem(files.certificate.read_bytes(), files.private_key.read_bytes())
        for files in pki.organizations
    }


@pytest.fixture
def apis(pki: SandboxPki, keys: dict[str, PrivateKey], store: str) -> Iterator[dict[str, Api]]:
    """The API called by each of the sandbox's organizations, which are registered, by number."""
    broker = organization(BROKER, "Formidler AS", Sector.PRIVATE)
    organization(PUBLIC, brokers=[broker])
    organization(PRIVATE, "Bryggen Bil AS", Sector.PRIVATE)
    trusting = replace(configuration.current(), trust_anchors=(pki.trust_anchors,), intermediates=(pki.intermediates,))
    with configured(trusting):
        _forget()
        yield {number: Api(key.certificate) for number, key in keys.items()}
    _forget()


@pytest.fixture
def api(apis: dict[str, Api]) -> Api:
    """The API called by the public organization."""
    return apis[PUBLIC]


def _forget() -> None:
    authentication.trust.cache_clear()
    authentication.policy.cache_clear()
    authentication._organization.cache_clear()
    throttling.throttle.cache_clear()
