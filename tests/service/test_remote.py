"""Services that answer too slowly, too much or nonsense hold up no caller for long."""

import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from configured import configured
from dripping_server import ENDLESS, HEAD, SLOW, SLOW_TLS, SOON, Answer, dripping_server, says
from segl.core.keys import PrivateKey
from segl.sandbox.pki import SandboxPki
from segl.service import remote
from segl.service.configuration import Sms
from segl.service.notifications.contact_register import HttpContactRegister
from segl.service.notifications.maskinporten import Maskinporten
from segl.service.notifications.sms import HttpSmsGateway
from segl.service.remote import HTTP, Http, LateError, RemoteError

LATE = rf"^The register did not answer completely within {SOON} s\.$"
fetch = partial(Http(SOON).fetch, "GET", service="The register")


def answering(body: bytes, head: bytes = HEAD) -> Answer:
    return says(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_an_answer_that_drips_ends_with_the_time(answer: Answer) -> None:
    with dripping_server(answer) as server:
        with pytest.raises(LateError, match=LATE):
            fetch(server.url)
        server.assert_hung_up()


@pytest.mark.parametrize("answer", SLOW_TLS.values(), ids=SLOW_TLS)
def test_a_tls_handshake_that_drips_ends_with_the_time(answer: Answer) -> None:
    with dripping_server(answer) as server:
        with pytest.raises(LateError, match=LATE):
            fetch(server.url.replace("http:", "https:"))
        server.assert_hung_up()


@pytest.mark.parametrize("name", ["header", "body"])
def test_an_answer_that_drips_through_tls_does_too(name: str, server_tls: ssl.SSLContext, pki: SandboxPki) -> None:
    trust = ssl.create_default_context(cafile=pki.trust_anchors)
    http = Http(5 * SOON, client=lambda: httpx.AsyncClient(verify=trust, timeout=None))
    with dripping_server(SLOW[name], tls=server_tls) as server:
        with pytest.raises(LateError):
            http.fetch("GET", server.url.replace("http:", "https:"), service="The register")
        server.assert_hung_up()


def test_a_proxy_that_drips_does_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping_server(SLOW["header"]) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        with pytest.raises(LateError, match=LATE):
            fetch("https://register.example")
        server.assert_hung_up()


@pytest.fixture
def silent_name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    answered, waits = threading.Event(), []

    def wait(*_: object, **__: object) -> None:
        waits.append(answered.wait(10))
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    yield
    assert waits == []  # the one thread still waits
    answered.set()


@pytest.mark.usefixtures("silent_name_server")
def test_the_time_limit_holds_for_a_name_server_that_does_not_answer() -> None:
    with pytest.raises(LateError, match=LATE):
        fetch("http://register.example")


def test_a_delivery_succeeds_whatever_happens_to_the_answers_body() -> None:
    with dripping_server(SLOW["body"]) as server:
        HTTP.deliver(server.url, service="The gateway", json={})
        server.assert_hung_up()


class TestNotificationServices:
    @pytest.mark.parametrize("name", ["header", "body"])
    def test_contact_register(self, name: str) -> None:
        with dripping_server(SLOW[name]) as server:
            register = HttpContactRegister(server.url, maskinporten=_Tokens(), http=Http(SOON))  # type: ignore[arg-type]
            with pytest.raises(LateError, match=r"^The contact register did not answer"):
                register.look_up("01017012345")
            server.assert_hung_up()

    @pytest.mark.parametrize("name", ["header", "body"])
    def test_token_server(self, name: str, pki: SandboxPki) -> None:
        key = PrivateKey.from_pem(pki.server.certificate.read_bytes(), pki.server.private_key.read_bytes())
        with dripping_server(SLOW[name]) as server:
            tokens = Maskinporten(
                token_endpoint=server.url, issuer="issuer", client_id="segl", scope="scope", key=key, http=Http(SOON)
            )
            with pytest.raises(LateError, match=r"^The token server did not answer"):
                tokens.token()
            server.assert_hung_up()

    def test_sms_gateway(self) -> None:
        with dripping_server(SLOW["header"]) as server, configured(sms=Sms(url=server.url)):
            with pytest.raises(LateError, match=r"^The SMS gateway did not answer"):
                HttpSmsGateway(Http(SOON)).send("99999999", "Hei")
            server.assert_hung_up()

    def test_sms_gateway_whose_body_drips(self) -> None:
        """It accepted the message: another attempt would send a second one."""
        with dripping_server(SLOW["body"]) as server, configured(sms=Sms(url=server.url)):
            HttpSmsGateway().send("99999999", "Hei")
            server.assert_hung_up()


class _Tokens:
    """Replaces the token server."""

    def token(self) -> str:
        return "token"

    def forget(self, token: str) -> None:
        pass


@pytest.mark.parametrize(
    "answer",
    [
        ENDLESS,
        answering(bytes(remote.MOST_BYTES + 1)),
    ],
    ids=["endless", "too large"],
)
def test_too_large_an_answer_is_not_read_to_its_end(answer: Answer) -> None:
    with (
        dripping_server(answer) as server,
        pytest.raises(RemoteError, match=rf"^The register answered with more than {remote.MOST_BYTES} bytes\.$"),
    ):
        HTTP.fetch("GET", server.url, service="The register")


def test_an_answer_in_an_encoding_that_was_not_requested_is_an_error() -> None:
    """A few compressed bytes could become any number."""
    compressed = answering(gzip.compress(bytes(50 * remote.MOST_BYTES)), HEAD + b"Content-Encoding: gzip\r\n")
    with dripping_server(compressed) as server, pytest.raises(RemoteError, match="unrequested Content-Encoding, gzip"):
        HTTP.fetch("GET", server.url, service="The register")


def test_an_answer_may_be_as_large_as_the_limit() -> None:
    with dripping_server(answering(b"12345")) as server:
        assert HTTP.fetch("GET", server.url, service="The register", most_bytes=5) == b"12345"
        with pytest.raises(RemoteError, match="more than 4 bytes"):
            HTTP.fetch("GET", server.url, service="The register", most_bytes=4)


def test_redirects_are_not_followed() -> None:
    with dripping_server(SLOW["silent"]) as elsewhere:
        head = b"HTTP/1.1 302 Found\r\nLocation: %s\r\n" % elsewhere.url.encode()
        with dripping_server(answering(b"", head)) as server, pytest.raises(RemoteError) as error:
            HTTP.fetch("GET", server.url, service="The register")
    assert str(error.value) == "The register answered with HTTP status 302 (Found)."
    assert error.value.status == 302


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1", r"ConnectionRefusedError: .*127\.0\.0\.1.*"),
        ("http://localhost:1", "ConnectionRefusedError: .*"),
        ("http://127.0.0.1:99999", ".*"),
        ("http://nowhere.invalid", "gaierror: .*"),
        ("http://xn--", ".*"),
        ("http://[::1", "InvalidURL: .*"),
        ("ftp://127.0.0.1", "UnsupportedProtocol: .*"),
    ],
)
def test_the_error_without_an_answer_says_why(url: str, reason: str) -> None:
    with pytest.raises(RemoteError, match=f"^The register did not answer: {reason}$") as error:
        HTTP.fetch("GET", url, service="The register")
    assert not isinstance(error.value, LateError)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(b""), "RemoteProtocolError: Server disconnected"),
        (says(b"SSH-2.0-OpenSSH\r\n\r\n"), "RemoteProtocolError"),
        (says(HEAD + b"Content-Length: 9\r\n\r\n1"), "RemoteProtocolError: peer closed connection"),
    ],
)
def test_an_invalid_answer_counts_as_no_answer(answer: Answer, reason: str) -> None:
    with (
        dripping_server(answer) as server,
        pytest.raises(RemoteError, match=f"^The register did not answer: {reason}"),
    ):
        HTTP.fetch("GET", server.url, service="The register")


def test_a_server_that_is_not_trusted_is_no_answer(server_tls: ssl.SSLContext) -> None:
    with (
        dripping_server(SLOW["silent"], tls=server_tls) as server,
        pytest.raises(RemoteError, match=r"^The register did not answer: SSLCertVerificationError: "),
    ):
        HTTP.fetch("GET", server.url.replace("http:", "https:"), service="The register")


def test_json_is_read() -> None:
    with dripping_server(answering(b'{"a": 1}')) as server:
        assert HTTP.fetch_json("GET", server.url, service="The register") == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xfe{}", b"[" * 200_000, b"9" * 10_000])
def test_an_answer_that_is_not_json_is_an_error(content: bytes) -> None:
    with (
        dripping_server(answering(content)) as server,
        pytest.raises(RemoteError, match=r"^The register answered with something other than JSON\.$"),
    ):
        HTTP.fetch_json("GET", server.url, service="The register")
