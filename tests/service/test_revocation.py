"""Revocation checks over HTTP: OCSP first, then the CRL; answers are kept; without one the policy decides."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

import dripping_server
from builders import in_threads
from certificates import NOW, Authority
from configured import configured
from dripping_server import ENDLESS, SLOW, SOON
from revocations import (
    HOUR,
    REVOKED_TEXT,
    Answer,
    RevocationServer,
    Sender,
    asks_at,
    crl,
    ocsp_answer,
    revocation_server,
    sends,
)
from segl.core.errors import UntrustedCertificate
from segl.core.keys import PrivateKey
from segl.service import clock, configuration, revocation
from segl.service.config import loading
from segl.service.config.reading import ConfigurationError
from segl.service.configuration import Revocation
from segl.service.remote import Http
from segl.service.revocation import RevocationUnknownError, check_revocation

NUMBER = "123456789"
ROOT = Authority.root()
FOREIGN = Authority.root("Somebody Else")
REVOKED = ocsp.OCSPCertStatus.REVOKED
SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[RevocationServer]:
    with revocation_server() as server:
        yield server


@pytest.fixture
def sender(server: RevocationServer) -> Sender:
    return Sender.of(server, ROOT, NUMBER)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the wall clock, which does not advance."""

    def set_clock(time: datetime) -> None:
        monkeypatch.setattr(clock, "wall", lambda: time)

    set_clock(NOW)
    return set_clock


@pytest.fixture(autouse=True)
def _hard_fail(at: Callable[[datetime], None]) -> Iterator[None]:
    revocation.forget()
    with policy("hard-fail"):
        yield
    revocation.forget()


def policy(name: str, *, max_age: timedelta = HOUR, timeout: timedelta = HOUR) -> Any:
    return configured(revocation=Revocation(name, max_age, timeout))


@dataclass(frozen=True)
class Behaving:
    """Answers as a `dripping_server`; `ends` gets whether the client hung up."""

    answer: dripping_server.Answer
    ends: Queue[bool] = field(default_factory=Queue)

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        self.ends.put(self.answer(handler.connection))


@pytest.fixture(autouse=True)
def _impatient(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that never answer get no more than `SOON`."""

    class Impatient(Http):
        def fetch(self, method: str, url: str, **more: Any) -> bytes:
            answer = sender.server.answers.get(urlsplit(url).path)
            is_slow = isinstance(answer, Behaving) and answer.answer in SLOW.values()
            return (Http(SOON) if is_slow else super()).fetch(method, url, **more)

    monkeypatch.setattr(revocation, "Http", Impatient)


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_the_responder_is_asked_about_the_certificate_and_the_list_about_its_issuer(sender: Sender) -> None:
    check_revocation(sender.chain)
    assert sender.asked() == ["/ocsp/issuer", "/crl/root"]


def test_the_error_says_when_and_why_a_certificate_was_revoked(sender: Sender) -> None:
    revoked = sender.ocsp(status=REVOKED, reason=x509.ReasonFlags.key_compromise)
    sender.server.answers["/ocsp/issuer"] = sends(revoked)
    with pytest.raises(UntrustedCertificate) as refused:
        check_revocation(sender.chain)
    subject = sender.key.certificate.subject.rfc4514_string()
    assert str(refused.value) == (
        f"The certificate {subject} was revoked {REVOKED_TEXT} by its issuer CN=Test Issuer (keyCompromise); "
        "use another one."
    )
    assert sender.asked() == ["/ocsp/issuer"]


def _other_certificate(sender: Sender) -> bytes:
    return ocsp_answer(sender.issuer.organization("987654321").certificate, sender.issuer.key)


WITHOUT_ANSWER: dict[str, tuple[Callable[[Sender], Answer], str]] = {
    "unknown": (lambda sender: sends(sender.ocsp(status=ocsp.OCSPCertStatus.UNKNOWN)), "does not know the certificate"),
    "stale": (lambda sender: sends(sender.ocsp(next_update=NOW - HOUR / 2)), "was valid until 2026-11-24 11:30:00 UTC"),
    "foreign": (lambda sender: sends(sender.ocsp(signer=FOREIGN.key)), "not authorized to answer"),
    "another certificate": (lambda sender: sends(_other_certificate(sender)), "about another certificate"),
    "garbage": (lambda _: sends(b"garbage"), "cannot be read"),
    "nothing": (lambda _: sends(b""), "cannot be read"),
    "endless": (lambda _: Behaving(ENDLESS), "it answered with more than 65536 bytes"),
    "silent": (lambda _: Behaving(SLOW["silent"]), f"it did not answer completely within {SOON} s"),
    "dripping": (lambda _: Behaving(SLOW["header"]), f"it did not answer completely within {SOON} s"),
    "failing": (lambda _: sends(b"", status=500), "HTTP status 500"),
    "hanging up": (lambda _: lambda handler: handler.connection.close(), "disconnected"),
    "elsewhere": (lambda sender: sends(b"", status=302, Location=sender.server.url("/crl/root")), "HTTP status 302"),
}


@pytest.mark.parametrize("answer", [answer for answer, _ in WITHOUT_ANSWER.values()], ids=WITHOUT_ANSWER)
def test_without_an_answer_of_the_responder_the_list_counts(sender: Sender, answer: Callable[[Sender], Answer]) -> None:
    sender.server.answers["/ocsp/issuer"] = answer(sender)
    check_revocation(sender.chain)
    assert sender.asked() == ["/ocsp/issuer", "/crl/issuer", "/crl/root"]
    sender.revoke(sender.key.certificate)
    revocation.forget()
    with pytest.raises(UntrustedCertificate, match=f"was revoked {REVOKED_TEXT}"):
        check_revocation(sender.chain)


@pytest.mark.parametrize(("answer", "reason"), WITHOUT_ANSWER.values(), ids=WITHOUT_ANSWER)
def test_without_any_answer_the_certificate_is_refused_for_now(
    sender: Sender, answer: Callable[[Sender], Answer], reason: str
) -> None:
    sender.server.answers["/ocsp/issuer"] = answer(sender)
    sender.server.answers["/crl/issuer"] = sends(b"", status=404)
    with pytest.raises(RevocationUnknownError) as refused:
        check_revocation(sender.chain)
    message = str(refused.value)
    assert reason in message
    assert f"{sender.server.url('/crl/issuer')}: it answered with HTTP status 404 (Not Found)): try" in message
    assert message.endswith("try again in a minute.")


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_a_responder_that_drips_holds_up_no_caller(sender: Sender, answer: dripping_server.Answer) -> None:
    sender.server.answers["/ocsp/issuer"] = slow = Behaving(answer)
    assert in_threads(*[lambda: check_revocation(sender.chain)] * 3) == [None] * 3
    assert slow.ends.get(timeout=10)
    assert sender.asked() == ["/ocsp/issuer", "/crl/issuer", "/crl/root"]


def test_the_time_limit_is_the_configured_one(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "Http", Http)
    for path in ("/ocsp/issuer", "/crl/issuer"):
        sender.server.answers[path] = Behaving(SLOW["header"])
    late = f"it did not answer completely within {SOON} s"
    with (
        policy("hard-fail", timeout=SOON * SECOND),
        pytest.raises(RevocationUnknownError, match=f"{late}; .*{late}"),
    ):
        check_revocation(sender.chain)


@pytest.mark.parametrize("answer", [*map(Behaving, (ENDLESS, SLOW["silent"], SLOW["body"])), sends(b"garbage")])
def test_a_list_that_never_ends_or_begins_is_no_answer(
    sender: Sender, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "MOST_CRL_BYTES", 1_000_000)
    sender.server.answers["/crl/root"] = answer
    with pytest.raises(RevocationUnknownError, match="/crl/root"):
        check_revocation(sender.chain)


@pytest.mark.parametrize("answer", [Behaving(SLOW["silent"]), Behaving(SLOW["header"])])
def test_an_address_that_timed_out_is_not_asked_for_a_while(
    sender: Sender, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.server.answers["/ocsp/issuer"] = answer
    addresses = asks_at(responder=sender.server.url("/ocsp/issuer"), crl=sender.server.url("/crl/issuer"))
    keys = [sender.issuer.organization(NUMBER, extensions=addresses) for _ in range(3)]

    def check(key: PrivateKey) -> None:
        sender.server.expected["/ocsp/issuer"] = (key.certificate, sender.issuer.key.certificate)
        check_revocation((key.certificate, *sender.chain[1:]))

    for key in keys[:2]:
        check(key)
    assert sender.asked() == ["/ocsp/issuer", "/crl/issuer", "/crl/root", "/crl/issuer"]
    monkeypatch.setattr(revocation, "monotonic", lambda: time.monotonic() + 10)
    check(keys[2])
    assert sender.asked() == ["/ocsp/issuer", "/crl/issuer"]


def test_the_list_alone_is_enough(sender: Sender) -> None:
    key = sender.issuer.organization(NUMBER, extensions=asks_at(crl=sender.server.url("/crl/issuer")))
    check_revocation((key.certificate, *sender.chain[1:]))
    assert sender.asked() == ["/crl/issuer", "/crl/root"]
    sender.revoke(key.certificate)
    revocation.forget()
    with pytest.raises(UntrustedCertificate, match="was revoked"):
        check_revocation((key.certificate, *sender.chain[1:]))


def test_a_responder_that_is_down_is_no_answer(sender: Sender) -> None:
    down = f"http://127.0.0.1:{unused_port()}/"
    key = sender.issuer.organization(NUMBER, extensions=asks_at(responder=down, crl=sender.server.url("/crl/issuer")))
    check_revocation((key.certificate, *sender.chain[1:]))
    assert sender.asked() == ["/crl/issuer", "/crl/root"]


def test_a_certificate_that_names_no_address_is_refused(sender: Sender) -> None:
    key = sender.issuer.organization(NUMBER)
    with pytest.raises(UntrustedCertificate, match="names no OCSP responder and no CRL"):
        check_revocation((key.certificate, *sender.chain[1:]))


def test_the_certificates_of_a_revoked_issuer_are_refused(sender: Sender) -> None:
    sender.server.answers["/crl/root"] = sends(crl(ROOT.key, sender.issuer.key.certificate))
    with pytest.raises(UntrustedCertificate, match=r"^The certificate CN=Test Issuer was revoked"):
        check_revocation(sender.chain)


class TestKept:
    def test_an_answer_is_kept_until_there_is_a_newer_one(self, sender: Sender, at: Callable[[datetime], None]) -> None:
        sender.server.answers["/ocsp/issuer"] = sends(sender.ocsp(next_update=NOW + HOUR / 4))
        check_revocation(sender.chain)
        sender.asked()
        at(NOW + HOUR / 4 - SECOND)
        check_revocation(sender.chain)
        assert sender.asked() == []
        at(NOW + HOUR / 4)
        check_revocation(sender.chain)
        assert sender.asked() == ["/ocsp/issuer"]

    def test_no_answer_is_kept_longer_than_configured(self, sender: Sender, at: Callable[[datetime], None]) -> None:
        revoked = sender.ocsp(status=REVOKED)
        with policy("hard-fail", max_age=HOUR / 2):
            check_revocation(sender.chain)
            sender.server.answers["/ocsp/issuer"] = sends(revoked)
            at(NOW + HOUR / 2 - SECOND)
            check_revocation(sender.chain)
            at(NOW + HOUR / 2)
            with pytest.raises(UntrustedCertificate, match="was revoked"):
                check_revocation(sender.chain)

    def test_a_revoked_certificate_is_not_asked_about_again_at_once(self, sender: Sender) -> None:
        sender.server.answers["/ocsp/issuer"] = sends(sender.ocsp(status=REVOKED))
        for asked in (["/ocsp/issuer"], []):
            with pytest.raises(UntrustedCertificate, match="was revoked"):
                check_revocation(sender.chain)
            assert sender.asked() == asked

    def test_what_was_found_while_the_clock_was_ahead_is_not_kept(
        self, sender: Sender, at: Callable[[datetime], None]
    ) -> None:
        at(NOW + timedelta(days=1000))
        with pytest.raises(RevocationUnknownError):
            check_revocation(sender.chain)
        at(NOW)
        check_revocation(sender.chain)

    def test_an_address_that_did_not_answer_is_asked_again_after_a_minute(
        self, sender: Sender, at: Callable[[datetime], None]
    ) -> None:
        answers = dict(sender.server.answers)
        for path in ("/ocsp/issuer", "/crl/issuer"):
            sender.server.answers[path] = sends(b"", status=503)
        for asked in (["/ocsp/issuer", "/crl/issuer"], []):
            with pytest.raises(RevocationUnknownError, match="try again"):
                check_revocation(sender.chain)
            assert sender.asked() == asked
        sender.server.answers.update(answers)
        at(NOW + 60 * SECOND)
        check_revocation(sender.chain)
        assert sender.asked() == ["/ocsp/issuer", "/crl/root"]

    def test_callers_at_once_ask_once(self, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
        make = revocation._Question.__init__

        def slowly(*arguments: Any) -> None:
            time.sleep(0.05)
            make(*arguments)

        monkeypatch.setattr(revocation._Question, "__init__", slowly)
        good = sender.server.answers["/ocsp/issuer"]

        def late(handler: BaseHTTPRequestHandler) -> None:
            time.sleep(0.2)
            good(handler)

        sender.server.answers["/ocsp/issuer"] = late
        assert in_threads(*[lambda: check_revocation(sender.chain)] * 8) == [None] * 8
        assert sorted(sender.asked()) == ["/crl/root", "/ocsp/issuer"]

    def test_a_slow_answer_about_one_holds_up_no_other(self, sender: Sender) -> None:
        asked, answered = threading.Event(), threading.Event()
        good = sender.server.answers["/ocsp/issuer"]

        def late(handler: BaseHTTPRequestHandler) -> None:
            asked.set()
            answered.wait(10)
            good(handler)

        sender.server.answers["/ocsp/issuer"] = late
        slow = threading.Thread(target=check_revocation, args=[sender.chain])
        slow.start()
        assert asked.wait(10)
        other = sender.issuer.organization("987654321", extensions=asks_at(crl=sender.server.url("/crl/issuer")))
        check_revocation((other.certificate, *sender.chain[1:]))
        assert slow.is_alive()
        answered.set()
        slow.join(10)


class TestPolicy:
    @pytest.fixture(autouse=True)
    def _nobody_answers(self, sender: Sender) -> None:
        for path in sender.server.answers:
            sender.server.answers[path] = sends(b"", status=503)

    def test_soft_fail_accepts_and_warns_once_per_certificate_and_minute(
        self, sender: Sender, at: Callable[[datetime], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        with policy("soft-fail"):
            for later, warnings in ((0, 2), (59, 2), (60, 4)):
                at(NOW + later * SECOND)
                check_revocation(sender.chain)
                assert len(caplog.records) == warnings
        record = caplog.records[0]
        assert record.levelno == logging.WARNING
        message = record.getMessage()
        assert f"{sender.key.certificate.serial_number:x} of CN=Test Issuer" in message
        assert "it is accepted" in message
        assert "HTTP status 503" in message
        assert NUMBER not in message

    def test_soft_fail_refuses_what_is_revoked(self, sender: Sender) -> None:
        sender.revoke(sender.key.certificate)
        with policy("soft-fail"), pytest.raises(UntrustedCertificate, match="was revoked"):
            check_revocation(sender.chain)

    def test_off_asks_nobody(self, sender: Sender) -> None:
        with policy("off"):
            check_revocation(sender.chain)
        assert sender.asked() == []

    def test_it_is_configured_with_hard_fail_as_the_default(self, tmp_path: Path) -> None:
        assert self._configured(tmp_path, "") == Revocation("hard-fail", HOUR, 3 * SECOND)
        table = 'policy = "soft-fail"\nmax_age_seconds = 60\ntimeout_seconds = 0.5'
        assert self._configured(tmp_path, table) == Revocation("soft-fail", 60 * SECOND, 0.5 * SECOND)

    def test_an_unknown_policy_is_refused_and_the_known_ones_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"`revocation.policy` is .on.: write hard-fail or soft-fail"):
            self._configured(tmp_path, 'policy = "on"')

    def _configured(self, folder: Path, table: str) -> Revocation:
        plain = (configuration.current().folder / "segl.toml").read_text()
        (folder / "master-key").write_text("00" * 32)
        (folder / "segl.toml").write_text(plain.replace('[revocation]\npolicy = "off"', f"[revocation]\n{table}"))
        return loading.load(folder / "segl.toml").revocation
