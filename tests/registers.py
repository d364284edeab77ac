"""The sandbox's contact register and token server over real HTTP; needs Django."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
from django.core.handlers.wsgi import WSGIHandler

from configured import configured
from segl.core.keys import PrivateKey
from segl.sandbox.pki import SandboxPki
from segl.service import remote
from segl.service.configuration import ContactRegister, KeyFiles
from segl.service.notifications.contact_register import HttpContactRegister
from segl.service.notifications.maskinporten import Maskinporten

SCOPE = "krr:global/kontaktinformasjon.read"


@dataclass
class RunningRegister:
    """The register at `root`, its registered client, and the URLs that client has requested."""

    root: str
    registered: ContactRegister
    asked: list[str] = field(default_factory=list)

    def edit(self, **changes: Any) -> None:
        httpx.post(f"{self.root}/contact-register", json=changes, trust_env=False).raise_for_status()

    def client(self) -> HttpContactRegister:
        """A client that has no token yet."""
        http = remote.Http(client=self._recording_client)
        maskinporten = Maskinporten(
            token_endpoint=self.registered.token_endpoint,
            issuer=self.registered.issuer,
            client_id=self.registered.client_id,
            scope=self.registered.scope,
            key=_key(self.registered.key),
            http=http,
        )
        return HttpContactRegister(self.registered.url, maskinporten=maskinporten, http=http)

    def _recording_client(self) -> httpx.AsyncClient:
        async def record(request: httpx.Request) -> None:
            self.asked.append(str(request.url))

        client = remote.client()
        client.event_hooks = {"request": [record]}
        return client


@cache
def _key(files: KeyFiles) -> PrivateKey:
    """Read once, since it is checked when it is read, which takes long."""
    return PrivateKey.from_pem(files.certificate.read_bytes(), files.private_key.read_bytes())


def registered(root: str, key: KeyFiles) -> ContactRegister:
    return ContactRegister(
        url=f"{root}/contact-register",
        token_endpoint=f"{root}/maskinporten/token",
        issuer=f"{root}/maskinporten/",
        client_id="segl",
        scope=SCOPE,
        key=key,
    )


@contextmanager
def running_register(folder: Path, pki: SandboxPki) -> Iterator[RunningRegister]:
    """A register whose people are in `folder`."""

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Handler(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with make_server("127.0.0.1", 0, WSGIHandler(), Server, Handler) as server:
        root = f"http://127.0.0.1:{server.server_port}"
        running = RunningRegister(root, registered(root, pki.server))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with configured(folder=folder, contact_register=running.registered, trust_anchors=(pki.trust_anchors,)):
                yield running
        finally:
            server.shutdown()
            thread.join()
