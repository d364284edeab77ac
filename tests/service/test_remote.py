"""Services that answer too slowly, too much or nonsense: none holds up a caller for long."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from segl.sandbox.pki import SandboxPki
from segl.service import remote
from segl.service.remote import RemoteError

SOON = 0.6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Answering = Callable[[socket.socket], None]


@pytest.fixture
def serving() -> Iterator[Callable[[Answering], str]]:
    """Starts a service that does this with each connection, and answers its URL."""
    listening = []

    def serve(answer: Answering) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def accept() -> None:
            while True:
                try:
                    accepted, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=attend, args=[accepted], daemon=True).start()

        def attend(accepted: socket.socket) -> None:
            with accepted, suppress(OSError):  # the client may be gone
                answer(accepted)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield serve
    for each in listening:
        each.shutdown(socket.SHUT_RDWR)
        each.close()


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SECONDS", SOON)


def take_request(connection: socket.socket) -> None:
    """Take it whole: closing with bytes unread would reset the connection before the answer is read."""
    taken = b""
    while not taken.endswith(b"{}"):
        taken += connection.recv(65536)


def dripping(before: bytes, piece: bytes = b" ") -> Answering:
    """Says this at once, and then such a piece every now and then, without an end."""

    def answer(connection: socket.socket) -> None:
        take_request(connection)
        connection.sendall(before)
        while True:
            time.sleep(SOON / 10)
            connection.sendall(piece)

    return answer


def saying(content: bytes) -> Answering:
    def answer(connection: socket.socket) -> None:
        take_request(connection)
        connection.sendall(content)

    return answer


def asked(url: str, http: httpx.Client | None = None) -> object:
    with remote.posted(http or remote.client(), url, whom="The register", json={}) as answer:
        return remote.read_json(answer, whom="The register")


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize(
    ("before", "piece"),
    [
        (b"", b""),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "body", "chunks", "headers", "informational"],
)
def test_an_answer_that_drips_is_waited_for_no_longer_than_told(
    serving: Callable[[Answering], str], before: bytes, piece: bytes
) -> None:
    url = serving(dripping(before, piece))
    began = time.monotonic()
    with pytest.raises(RemoteError, match=rf"^The register did not answer: not all was there after {SOON} s$"):
        asked(url)
    assert SOON <= time.monotonic() - began < 3 * SOON


@pytest.mark.usefixtures("_soon")
def test_one_that_drips_through_tls_too(serving: Callable[[Answering], str], pki: SandboxPki) -> None:
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(pki.server.certificate, pki.server.private_key)

    def answer(connection: socket.socket) -> None:
        with server_context.wrap_socket(connection, server_side=True) as wrapped:
            dripping(HEAD + b"Content-Length: 1000\r\n\r\n")(wrapped)

    url = serving(answer).replace("http:", "https:")
    began = time.monotonic()
    with httpx.Client(verify=False) as http, pytest.raises(RemoteError, match="not all was there"):
        asked(url, http)
    assert time.monotonic() - began < 3 * SOON


@pytest.mark.usefixtures("_soon")
def test_one_whose_body_nobody_reads_is_not_waited_for(serving: Callable[[Answering], str]) -> None:
    url = serving(dripping(HEAD + b"Content-Length: 1000\r\n\r\n"))
    began = time.monotonic()
    with remote.posted(remote.client(), url, whom="The gateway", json={}):
        pass
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("content", [b" " * (remote.MOST_BYTES + 1), gzip.compress(b" " * 50 * remote.MOST_BYTES)])
def test_too_large_an_answer_is_not_read_to_its_end(serving: Callable[[Answering], str], content: bytes) -> None:
    encoding = b"Content-Encoding: gzip\r\n" if content.startswith(b"\x1f") else b""
    url = serving(saying(HEAD + encoding + b"Content-Length: %d\r\n\r\n" % len(content) + content))
    with pytest.raises(RemoteError, match=rf"^The register answered with more than {remote.MOST_BYTES} bytes\.$"):
        asked(url)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xfe{}", b"[" * 200_000, b"9" * 10_000])
def test_what_is_no_json_is_told(serving: Callable[[Answering], str], content: bytes) -> None:
    url = serving(saying(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content))
    with pytest.raises(RemoteError, match=r"^The register answered with something else than JSON\.$"):
        asked(url)
