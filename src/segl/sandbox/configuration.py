"""The configuration file of a sandbox's service, written at each start; the keys stay those of the first start."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segl.sandbox.files import write_atomically
from segl.sandbox.pki import OrganizationFiles, SandboxPki
from segl.service.configuration import KeyFiles

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is decided at a start; `api_port` and `web_port` are the ports that API and pages listen on.

    A sender that makes more than `calls_per_second` (0: no limit) is blocked for a while; a client that polled an
    empty queue is asked to wait `poll_seconds`.
    """

    folder: Path
    pki: SandboxPki
    api_port: int
    web_port: int
    database_url: str
    calls_per_second: int
    poll_seconds: int

    @property
    def web_root(self) -> str:
        return f"http://{HOST}:{self.web_port}"


def write_configuration(start: Start) -> Path:
    """Write the file, and the master key at the first start; return the file's path."""
    master_key, path = start.folder / "master-key", start.folder / "segl.toml"
    if not master_key.exists():
        write_atomically(master_key, secrets.token_hex(32).encode(), mode=0o600)
    lines = ["# Written by `segl sandbox` at each start.", *_lines(_service(start, master_key))]
    for name, table in (_listeners(start) | _keys(start.pki) | _stand_ins(start)).items():
        lines += [f"[{name}]", *_lines(table)]
    for files in start.pki.organizations:
        lines += ["[[organizations]]", *_lines(_organization(files))]
    write_atomically(path, "\n".join([*lines, ""]).encode())
    return path


def _lines(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield settings as TOML, whose basic strings, numbers and arrays are written as in JSON."""
    for name, value in settings.items():
        yield f"{name} = {json.dumps(value, ensure_ascii=False, default=str)}"


def _service(start: Start, master_key: Path) -> Mapping[str, Any]:
    return {
        "sandbox": True,
        "api_root": f"https://{HOST}:{start.api_port}/api",
        "web_root": start.web_root,
        "database": start.database_url,
        "documents": "documents",
        "master_key_file": master_key.name,
        "calls_per_second": start.calls_per_second,
        "poll_interval_seconds": start.poll_seconds,
        "trust_anchors": [start.pki.trust_anchors],
        "intermediates": [start.pki.intermediates],
    }


def _listeners(start: Start) -> dict[str, Mapping[str, Any]]:
    return {
        "api": {"listen": f"{HOST}:{start.api_port}", **_files(start.pki.server)},
        "web": {"listen": f"{HOST}:{start.web_port}"},
    }


def _keys(pki: SandboxPki) -> dict[str, Mapping[str, Any]]:
    return {
        "seal": {**_files(pki.seal), "root": pki.trust_anchors},
        "signer_ca": _files(pki.signer_ca),
        # The throw-away certificates name no responder: addresses change from start to start.
        "revocation": {"policy": "off"},
    }


def _stand_ins(start: Start) -> dict[str, Mapping[str, Any]]:
    return {
        "mail": {
            "sender": "Segl sandbox <sandbox@example.com>",
            "backend": "segl.sandbox.stand_ins.outbox.EmailBackend",
        },
        "contact_register": {
            "url": f"{start.web_root}/contact-register",
            "token_endpoint": f"{start.web_root}/maskinporten/token",
            "issuer": f"{start.web_root}/maskinporten/",
            "client_id": "segl-sandbox",
            **_files(start.pki.server),
        },
        "sms": {"gateway": "segl.sandbox.stand_ins.outbox.SmsGateway"},
    }


def _organization(files: OrganizationFiles) -> Mapping[str, Any]:
    organization = files.organization
    return {
        "number": organization.number,
        "name": organization.name,
        "sector": organization.sector,
        "broker_for": organization.broker_for,
    }


def _files(key: KeyFiles) -> Mapping[str, Any]:
    return {"certificate": key.certificate, "private_key": key.private_key}
