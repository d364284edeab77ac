"""The service of today's version in this process, on a folder and a database, for those who use it from outside.

Senders call the API, signers open the pages and read their messages. The time is pinned: it is `NOW` whenever the code
runs, so that a database kept long ago is as it was when its release ended, and the throw-away keys beside it are valid.
Only the business clock moves, as in any sandbox.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.http.response import HttpResponseBase
from django.test import Client, override_settings
from django.utils import timezone

import django_environment  # importing it sets Django up; the documents are encrypted under its master key
from api_answers import assert_valid
from configured import configured
from segl.core.certificates import TrustAnchors
from segl.core.keys import PrivateKey
from segl.service import clock, configuration, due, throttling
from segl.service.config import wiring
from segl.service.configuration import Configuration, ConfiguredOrganization, KeyFiles
from segl.service.notifications import contact_register
from segl.service.notifications.contact_register import ContactDetails
from segl.service.sealing import sealer
from segl.service.sender_api import authentication
from segl.service.store import documents
from segl.service.store.models import Due, Signer
from segl.service.work.kinds import WORK
from segl.service.work.perform import perform

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
PKI = Path(__file__).parent / "pki"
PUBLIC, PRIVATE, BROKER = "123456789", "310248711", "318602352"
ORGANIZATIONS = (
    ConfiguredOrganization(PUBLIC, "Nordvik kommune", "public"),
    ConfiguredOrganization(PRIVATE, "Bryggen Bil AS", "private"),
    ConfiguredOrganization(BROKER, "Formidler AS", "private", broker_for=(PUBLIC,)),
)


@cache  # Reading an RSA key takes long.
def organization_key(number: str) -> PrivateKey:
    """The key that an organization calls and signs with."""
    files = _key_files(f"organization-{number}")
    return PrivateKey.from_pem(files.certificate.read_bytes(), files.private_key.read_bytes())


def trust() -> TrustAnchors:
    """What the results are verified against."""
    return TrustAnchors.from_pem((PKI / "root.pem").read_bytes())


class Register(dict[str, ContactDetails]):
    """A contact register that knows these people by number, and does not answer when it is asked about others."""

    def look_up(self, personal_identification_number: str) -> ContactDetails:
        if personal_identification_number not in self:
            raise contact_register.RemoteError("The contact register is away.")
        return self[personal_identification_number]


@dataclass(frozen=True)
class Service:
    """A running one. Its documents lie in `folder`; `register` is what it looks people up in."""

    folder: Path
    register: Register = field(default_factory=Register)

    def call(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        content_type: str = "application/octet-stream",
        *,
        by: str,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponseBase:
        """What the API answers when the organization `by` calls, at the pinned time."""
        scope = {
            "segl.listener": "api",
            "segl.peer_certificate": organization_key(by).certificate.public_bytes(Encoding.DER),
            "segl.received_at": NOW,
            "segl.body": memoryview(body),
        }
        path = url.removeprefix("https://127.0.0.1:8443")
        request: dict[str, Any] = {"asgi.scope": scope, "HTTP_HOST": "127.0.0.1:8443", "headers": headers}
        answer = Client(raise_request_exception=False).generic(method, path, body, content_type, **request)
        if answer.get("Content-Type") == "application/xml" and not answer.streaming:
            assert_valid(answer.content)
        return answer

    def messages_to(self, address: str) -> list[str]:
        """The texts of all that was sent there, the oldest first."""
        sent = json.loads(Client().get("/outbox", headers={"Accept": "application/json"}).content)
        return [each["text"] for each in sent if each["to"] == address]

    def work(self, job_id: int, *kinds: type[Due]) -> bool:
        """Do all that is due of one job, of these kinds or of any; whether all of it was done."""
        done: list[bool] = []
        while rows := [row for kind in kinds or WORK for row in self.claim(job_id, kind)]:
            done += [perform(row) for row in rows]
        return all(done)

    def claim(self, job_id: int, kind: type[Due]) -> list[Due]:
        """Claim what is due of one job, of this kind."""
        if "job" in {each.name for each in kind._meta.fields}:
            return due.claim(kind, limit=10, job=job_id)
        signers = Signer.objects.filter(job=job_id).values_list("pk", flat=True)
        return [row for signer in signers for row in due.claim(kind, limit=10, signer=signer)]

    @contextmanager
    def without_keys(self) -> Iterator[None]:
        """Meanwhile nothing can be signed or sealed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sealer, "_current", None)
            yield

    @contextmanager
    def without_mail(self) -> Iterator[None]:
        """Meanwhile no mail can be sent."""
        with override_settings(EMAIL_BACKEND="no.such.Backend"):
            yield

    @contextmanager
    def with_damaged_documents(self) -> Iterator[None]:
        """Meanwhile every stored document is cut short; a store that is away would only postpone work."""
        kept, whole = self.folder / "documents", self.folder / "documents-whole"
        shutil.copytree(kept, whole)
        for path in kept.iterdir():
            os.truncate(path, 10)
        yield
        shutil.rmtree(kept)
        whole.rename(kept)


@contextmanager
def running(folder: Path, database_url: str, organizations: Sequence[ConfiguredOrganization] = ()) -> Iterator[Service]:
    """The service on this database, which is brought up to date, and on the documents in `folder`."""
    chosen = _configuration(folder, organizations)
    service = Service(folder)
    with (
        pytest.MonkeyPatch.context() as patch,
        django_environment.use_database(database_url),
        configured(chosen),
        override_settings(EMAIL_BACKEND="segl.sandbox.stand_ins.outbox.EmailBackend"),
        _forgetting(),
    ):
        patch.setattr(clock, "wall", lambda: NOW)
        patch.setattr(timezone, "now", lambda: NOW)  # of sessions
        patch.setattr(sealer, "_current", None)
        patch.setattr(contact_register, "_current", service.register)
        wiring.give_keys(replace(chosen, contact_register=None))  # which is here already
        wiring.prepare_database(chosen)
        wiring.release_leases()  # Those that work was claimed with before.
        yield service


def _configuration(folder: Path, organizations: Sequence[ConfiguredOrganization]) -> Configuration:
    return replace(
        configuration.current(),
        folder=folder,
        documents="documents",
        trust_anchors=(PKI / "root.pem",),
        intermediates=(PKI / "intermediates.pem",),
        seal=_key_files("seal"),
        seal_root=PKI / "root.pem",
        signer_ca=_key_files("signer-ca"),
        organizations=tuple(organizations),
        poll_interval=timedelta(),
        calls_per_second=1000,
    )


def _key_files(name: str) -> KeyFiles:
    return KeyFiles(PKI / f"{name}.pem", PKI / f"{name}-key.pem")


@contextmanager
def _forgetting() -> Iterator[None]:
    """What the process remembers of another service's configuration is forgotten, before and after."""
    memories = [documents._store, authentication.trust, authentication._organization, throttling.throttle]
    for each in memories:
        each.cache_clear()
    yield
    for each in memories:
        each.cache_clear()
