"""A process with two listeners around a small application: `listening_program.py PKI_FOLDER [impatient] [hasty]`.

Prints a line with the ports as JSON when it accepts calls, and one when it begins something slow.
"""

import hashlib
import json
import logging.config
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from segl.sandbox.pki import ensure_pki
from segl.service.config import logs
from segl.service.http import bodies, protocol, request_ids
from segl.service.http.asgi import Answer, Scope, plain
from segl.service.http.bodies import BodyLimits
from segl.service.http.servers import Listener, TlsFiles, serve

BODY_LIMIT = 3 * 1024 * 1024
ANSWER_BYTES = 64 * 1024 * 1024


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """`/slow` and `/long` take half a second, `/large` has a large answer; all others return what they saw."""
    if environ["PATH_INFO"] == "/large":
        start_response("200 OK", [("Content-Length", str(ANSWER_BYTES))])
        return (bytes(64 * 1024) for _ in range(ANSWER_BYTES // (64 * 1024)))
    if environ["PATH_INFO"] == "/failing":
        raise ValueError(environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/breaking":
        start_response("200 OK", [("Content-Length", "100001")])
        return broken()
    if environ["PATH_INFO"] in {"/slow", "/long"}:
        print("slow", flush=True)
        time.sleep(0.5)
    body = environ["wsgi.input"].read()
    scope = environ["asgi.scope"]
    seen = {
        "listener": scope["segl.listener"],
        "peer": hashlib.sha256(scope["segl.peer_certificate"] or b"").hexdigest(),
        "received_at": scope["segl.received_at"].isoformat(),
        "content_length": environ["CONTENT_LENGTH"],
        "body": hashlib.sha256(body).hexdigest(),
        "framing": environ.get("HTTP_TRANSFER_ENCODING", ""),
        "late": environ.get("HTTP_LATE", ""),
        "request_id": request_ids.current(),
        "admitted": scope.get("test.admitted", ""),
    }
    answer = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


def broken() -> Iterator[bytes]:
    """An answer that fails when some of it was sent."""
    yield bytes(100_000)
    raise ValueError


def admission(scope: Scope) -> Answer | None:
    """Refuse strangers."""
    scope["test.admitted"] = request_ids.current()
    return plain(HTTPStatus.FORBIDDEN, "You are a stranger.") if scope["path"] == "/strangers" else None


def refusal(listener: str, status: HTTPStatus, reason: str) -> Answer:
    """Says on which listener it refuses."""
    return replace(plain(status, reason), headers={"X-Refused": listener})


def main() -> None:
    logging.config.dictConfig(logs.logging_settings("text"))
    if "impatient" in sys.argv:
        protocol.HEAD_SECONDS = protocol.STALLED_SECONDS = bodies.STALLED_SECONDS = 1
    pki = ensure_pki(Path(sys.argv[1]))
    tls = TlsFiles(pki.server.certificate, pki.server.private_key, [pki.trust_anchors, pki.intermediates])
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in ("api", "pages")}
    listeners = [
        Listener(
            name,
            sockets[name],
            application,
            tls if name == "api" else None,
            threads=4,
            places=1,
            share=1,
            limits=BodyLimits(size=BODY_LIMIT),
            long_of=lambda scope: scope["path"] if scope["path"] == "/long" else None,
            admission=admission,
            error_answer=partial(refusal, name),
        )
        for name in sockets
    ]
    ports = {name: each.getsockname()[1] for name, each in sockets.items()}
    grace_seconds = 1 if "hasty" in sys.argv else 20
    serve(listeners, ready=lambda: print(json.dumps(ports), flush=True), grace_seconds=grace_seconds)


if __name__ == "__main__":
    main()
