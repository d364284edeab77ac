"""A relay in front of a sandbox that records what its clients send: it terminates TLS, and reconnects by TLS."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx

from running_sandbox import Sandbox
from segl.core.keys import PrivateKey
from segl.sdk import ClientConfiguration
from segl.sdk.tls import client_context
from tls_service import Service, reply, serving

KEPT = ("Accept", "Content-Type", "Idempotency-Key")


@dataclass(frozen=True)
class RecordedRequest:
    """A create request that the sandbox accepted: its two parts, by their media types as sent."""

    message: bytes
    package: bytes

    @classmethod
    def of(cls, headers: dict[str, str], body: bytes) -> "RecordedRequest":
        """Read by another multipart parser than ours."""
        multipart = message_from_bytes(
            f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=policy.HTTP
        )
        parts = {part.get_content_type(): part.get_payload(decode=True) for part in multipart.iter_parts()}
        assert multipart.get_content_type() == "multipart/mixed"
        return cls(parts["application/xml"], parts["application/octet-stream"])


@dataclass(frozen=True)
class Relay:
    """The sandbox as its clients see it through the relay; `anchors` are the roots it trusts (PEM)."""

    sandbox: Sandbox
    service: Service
    anchors: Path

    def last(self) -> RecordedRequest:
        """The request that came last."""
        _, _, headers, body = self.service.requests[-1]
        return RecordedRequest.of(headers, body)


@dataclass(frozen=True)
class _Roots:
    """What a sandbox trusts."""

    path: Path

    def pem(self) -> bytes:
        return self.path.read_bytes()


@contextmanager
def recording_relay(sandbox: Sandbox, organization: str, folder: Path) -> Iterator[Relay]:
    """A relay for one organization's calls, with the sandbox's own certificate."""
    anchors = Path(sandbox.ready["server"]["trust_anchors"])
    certificate, key = (anchors.with_name(name).read_bytes() for name in ("server.pem", "server-key.pem"))
    configuration = ClientConfiguration.sandbox(sandbox.ready_file, organization)
    trust = client_context(
        anchors=configuration.environment.anchors(),
        organization_number=configuration.environment.organization_number,
        key=configuration.certificate,
    )
    with (
        serving(PrivateKey.from_pem(certificate, key), _Roots(anchors), folder) as service,
        httpx.Client(verify=trust, trust_env=False, timeout=30) as http,
    ):

        def forward(handler: BaseHTTPRequestHandler) -> None:
            method, path, headers, body = service.requests[-1]
            kept = {name: headers[name] for name in KEPT if name in headers}
            url = sandbox.ready["api_root"].removesuffix("/api") + path
            answer = http.request(method, url, headers=kept, content=body)
            reply(handler, answer.status_code, answer.content, Content_Type=answer.headers.get("Content-Type", ""))

        service.answer = forward
        ready, ready_file = {**sandbox.ready, "api_root": service.api_root}, folder / "ready.json"
        ready_file.write_text(json.dumps(ready))
        yield Relay(replace(sandbox, ready_file=ready_file, ready=ready), service, anchors)
