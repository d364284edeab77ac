"""The first message to a signer, through a real mail server."""

import errno
import logging
import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings
from django.core.mail import EmailMessage as DjangoMessage
from django.test import override_settings

from builders import KARI, contact, create, organization, person
from dripping_server import SOON, Answer, DrippingServer, dripping_server, drips
from segl.core.protocol import Availability
from segl.sandbox.pki import SandboxPki
from segl.service import clock, due, notifications
from segl.service.jobs.security_codes import enter_code
from segl.service.notifications import UnavailableError, mail
from segl.service.notifications.smtp import EmailBackend
from segl.service.store.models import Channel, Notification
from segl.service.work.perform import perform


class Inbox:
    """Accepts every message, or gives these replies to the recipient or to the message."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.to_recipient = ""
        self.to_message = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.to_recipient:
            return f"{self.to_recipient}: {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.to_message:
            return self.to_message
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]  # of this policy
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"


class AnyPort(Controller):
    """Listens on any free port, and then knows which."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A mail server, which the service sends through."""
    yield from _serving(Inbox())


@pytest.fixture
def ascii_inbox() -> Iterator[Inbox]:
    """A mail server that does not offer SMTPUTF8."""
    yield from _serving(Inbox(), enable_SMTPUTF8=False)


def _serving(inbox: Inbox, **options: bool) -> Iterator[Inbox]:
    controller = AnyPort(inbox, hostname="127.0.0.1", port=0, **options)
    controller.start()
    smtp = "segl.service.notifications.smtp.EmailBackend"
    with override_settings(EMAIL_BACKEND=smtp, EMAIL_HOST="127.0.0.1", EMAIL_PORT=controller.port):
        yield inbox
    controller.stop()


def send(**changes: str | None) -> None:
    message: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "to": "kari@example.com",
        "sender_name": "Nordvik kommune",
        "nonsensitive_title": "",
        "link": "https://segl.example/s/token",
        "code": None,
    }
    notifications.send_first_notification(**(message | changes))


def text_of(message: EmailMessage) -> str:
    return str(message.get_content())


def test_a_signer_who_logs_in_gets_the_address_of_the_pages(inbox: Inbox) -> None:
    send()
    (message,) = inbox.messages
    assert inbox.recipients == [["kari@example.com"]]
    assert message["To"] == "kari@example.com"
    assert message["From"] == "Segl <segl@example.com>"
    assert message["Subject"] == "Nordvik kommune ber deg om å signere"
    for words in ("https://segl.example/s/token", "signere et dokument", "asks you to sign a document", "eID"):
        assert words in text_of(message)
    assert "None" not in text_of(message)


def test_a_signer_with_a_link_gets_the_code_too(inbox: Inbox) -> None:
    send(code="012345")
    text = text_of(inbox.messages[0])
    assert text.count("012345") == 2
    assert "https://segl.example/s/token" in text


def test_the_nonsensitive_title_is_in_the_message(inbox: Inbox) -> None:
    send(nonsensitive_title="Leie av båtplass")
    assert "signere «Leie av båtplass»" in text_of(inbox.messages[0])


@pytest.mark.parametrize(
    "name",
    [
        "Ond\r\nBcc: offer@example.com",
        "Ond\nBcc: offer@example.com",
        "Ond\rBcc: offer@example.com",
        "Ond\r\n\r\n<h1>",
        "Ond\u2028Bcc: offer@example.com",
        "Ond\x85Bcc: offer@example.com",
        "Ond\x0bBcc: offer@example.com",
        "Å" * 200,
        "{code} {link.__class__} %s",
    ],
)
def test_a_senders_name_adds_no_header(inbox: Inbox, name: str) -> None:
    send(sender_name=name)
    (message,) = inbox.messages
    assert inbox.recipients == [["kari@example.com"]]
    assert "Bcc" not in message
    assert sorted(message.keys()) == sorted(
        ["Content-Type", "MIME-Version", "Content-Transfer-Encoding", "Subject", "From", "To", "Date", "Message-ID"]
        + [each for each in ("X-Peer", "X-MailFrom", "X-RcptTo") if each in message]
    )
    assert str(message["Subject"]).endswith("ber deg om å signere")


@pytest.mark.parametrize("title", ["{code}", "{sender}", "%(code)s", "\r\n.\r\nRSET", "\n.\n"])
def test_a_title_is_text_and_nothing_else(inbox: Inbox, title: str) -> None:
    send(nonsensitive_title=title)
    (message,) = inbox.messages
    assert title.replace("\r\n", "\n") in text_of(message).replace("\r\n", "\n")
    assert "ignore this message" in text_of(message)


@pytest.mark.parametrize(
    "address", ["a@example.com, b@example.com", "a@example.com\nBcc: b@example.com", "", "a", "<>"]
)
def test_an_invalid_address_reaches_nobody_else(inbox: Inbox, address: str) -> None:
    try:
        send(to=address)
    except Exception:  # whatever the library says: the work is given back and parked in the end
        assert inbox.messages == []
    assert [each for each in inbox.recipients if "b@example.com" in each] == []


@pytest.mark.parametrize("address", ["kåre.ødegård@example.com", "kåre@blåbær.no"])
def test_an_address_beyond_ascii_gets_its_mail(inbox: Inbox, address: str) -> None:
    send(to=address)
    (message,) = inbox.messages
    assert inbox.recipients == [[address]]
    assert message["To"] == address
    assert message["Subject"] == "Nordvik kommune ber deg om å signere"
    assert "signere et dokument" in text_of(message)


def fail_long() -> None:
    """Fail to send until the last attempt before parking."""
    for _ in range(due.MAX_ATTEMPTS):
        assert not perform(due.claim(Notification)[0])
        clock.move(due.LONGEST_BACKOFF)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            smtplib.SMTPAuthenticationError(535, b"5.7.8 Wrong password of kari@example.com"),
            "refuses the log-in with `mail.user` (535 5.7.8)",
        ),
        (
            smtplib.SMTPSenderRefused(550, b"Not from you to kari@example.com", "segl@example.com"),
            "refuses the sender in `mail.sender` (550)",
        ),
        (smtplib.SMTPConnectError(554, b"kari@example.com"), "does not accept the conversation (554)"),
        (
            smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."),
            "does not offer the encryption or the log-in that the settings ask for",
        ),
        (
            smtplib.SMTPServerDisconnected("kari@example.com"),
            "ended the connection or took too long to reply",
        ),
        (TimeoutError("kari@example.com"), "ended the connection or took too long to reply"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "cannot be reached (Connection refused)"),
        (socket.gaierror(-2, "Name or service not known"), "cannot be reached (Name or service not known)"),
        (OSError("kari@example.com"), "cannot be reached (OSError)"),
    ],
)
def test_errors_that_the_message_did_not_cause_may_pass(
    error: OSError, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(mail.EmailMessage, "send", fail)
    with pytest.raises(UnavailableError) as unavailable:
        send()
    assert str(unavailable.value) == f"The mail server localhost:25 {reason}."


@pytest.mark.parametrize(
    ("encrypted", "reason"),
    [
        (True, r"has a certificate that is not trusted \(.*issuer certificate\)\.$"),
        (False, r"cannot be reached with TLS \([A-Z_]+\)\.$"),
    ],
)
def test_a_mail_server_with_which_tls_fails_is_reported(
    encrypted: bool, reason: str, server_tls: ssl.SSLContext
) -> None:
    smtp = "segl.service.notifications.smtp.EmailBackend"
    with (
        dripping_server(drips(b"220 Hello\r\n"), tls=server_tls if encrypted else None) as server,
        override_settings(EMAIL_BACKEND=smtp, EMAIL_HOST="127.0.0.1", EMAIL_PORT=server.port, EMAIL_USE_SSL=True),
        pytest.raises(UnavailableError, match=reason),
    ):
        send()


CONVERSATION = b"220 Hello\r\n250 Hello\r\n250 OK\r\n250 OK\r\n354 Go on\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        drips(),
        drips(b"220-", b"x"),
        drips(b"", b"220-Just a moment\r\n"),
        drips(CONVERSATION),
        drips(CONVERSATION + b"250-", b"x"),
    ],
    ids=["silent", "greeting", "lines", "message", "end"],
)
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_mail_server_that_drips_is_given_up(
    answer: Answer, encrypted: bool, server_tls: ssl.SSLContext, pki: SandboxPki
) -> None:
    with dripping_server(answer, tls=server_tls if encrypted else None) as server:
        assert_gives_up(server, pki, use_ssl=encrypted)


def test_a_mail_server_that_drips_after_starttls_is_given_up(server_tls: ssl.SSLContext, pki: SandboxPki) -> None:
    def answer(connection: socket.socket) -> bool:
        for reply in (b"220 Hello\r\n", b"250-Hello\r\n250 STARTTLS\r\n", b"220 Go on\r\n"):
            connection.sendall(reply)
            connection.recv(1024, socket.MSG_PEEK if reply.startswith(b"220 G") else 0)
        with server_tls.wrap_socket(connection, server_side=True) as encrypted:
            return drips(b"250-", b"x")(encrypted)

    with dripping_server(answer) as server:
        assert_gives_up(server, pki, seconds=5 * SOON, use_tls=True)


def assert_gives_up(server: DrippingServer, pki: SandboxPki, seconds: float = SOON, **encryption: bool) -> None:
    backend = EmailBackend(host="127.0.0.1", port=server.port, timeout=20, seconds=seconds, **encryption)
    backend.ssl_context = ssl.create_default_context(cafile=pki.trust_anchors)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        backend.send_messages([DjangoMessage("Hei", "Hei", to=["kari@example.com"])])
    server.assert_hung_up()


@pytest.mark.usefixtures("store")
class TestFromJobToInbox:
    def test_the_link_and_code_that_arrive_let_the_signer_in(self, inbox: Inbox) -> None:
        create(contact("ola@example.com"), title="Om din sykdom")
        assert perform(due.claim(Notification)[0])
        text = text_of(inbox.messages[0])
        token = text.split("/s/")[1].split()[0]
        code = text.split("sikkerhetskoden: ")[1].split()[0]
        assert enter_code(token=token, code=code).email == "ola@example.com"
        assert "sykdom" not in str(inbox.messages[0])

    def test_no_identity_number_is_sent_by_mail(self, inbox: Inbox) -> None:
        create(person(KARI, email="kari@example.com"), title="Om din sykdom", nonsensitive_title="Et brev")
        assert perform(due.claim(Notification)[0])
        whole = inbox.messages[0].as_string() + text_of(inbox.messages[0])
        assert KARI not in whole
        assert "sykdom" not in whole
        assert "Et brev" in text_of(inbox.messages[0])

    def test_a_refused_recipient_is_tried_again_and_nothing_shows_the_address(
        self, inbox: Inbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        inbox.to_recipient = "550 5.1.1 No such user"
        create(contact("ukjent@example.com"))
        with caplog.at_level(logging.DEBUG):
            assert not perform(due.claim(Notification)[0])
        logged = " ".join(each.getMessage() for each in caplog.records if each.name.startswith("segl"))
        row = Notification.objects.get()
        server = f"The mail server 127.0.0.1:{settings.EMAIL_PORT}"
        assert (row.last_error, row.sent_at) == (f"{server} refuses the recipient (550 5.1.1).", None)
        assert row.due_at is not None
        assert row.last_error in logged
        assert "ukjent" not in logged

    @pytest.mark.parametrize(
        ("to_recipient", "to_message", "error", "parked"),
        [
            ("550 No such user", "", "refuses the recipient (550)", True),
            ("450 4.2.0 Greylisted", "", "refuses the recipient (450 4.2.0)", False),
            ("421 Shutting down", "", "refuses the recipient (421)", False),
            ("", "554 5.7.1 Looks like spam", "refuses the message (554 5.7.1)", True),
            ("", "452 Disk full", "refuses the message (452)", False),
        ],
    )
    def test_only_what_is_refused_for_good_is_given_up(
        self, inbox: Inbox, to_recipient: str, to_message: str, error: str, parked: bool
    ) -> None:
        inbox.to_recipient, inbox.to_message = to_recipient, to_message
        create(contact("kari@example.com"))
        fail_long()
        row = Notification.objects.get()
        assert (row.last_error.endswith(f" {error}."), row.parked_at is not None) == (True, parked)
        inbox.to_recipient = inbox.to_message = ""
        assert [perform(each) for each in due.claim(Notification)] == [True] * (not parked)
        assert len(inbox.messages) == (not parked)

    def test_a_message_that_was_late_for_too_long_is_not_sent(self, inbox: Inbox) -> None:
        inbox.to_recipient = "450 Later"
        create(contact("kari@example.com"), availability=Availability(available_seconds=3600))
        assert not perform(due.claim(Notification)[0])
        inbox.to_recipient = ""
        clock.move(timedelta(seconds=3600))
        assert perform(due.claim(Notification)[0])
        assert (inbox.messages, due.claim(Notification)) == ([], [])

    def test_an_address_that_the_mail_server_cannot_reach_is_reported(
        self, ascii_inbox: Inbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        create(contact("kåre@example.com"))
        assert not perform(due.claim(Notification)[0])
        row = Notification.objects.get()
        assert row.last_error.startswith("The mail server 127.0.0.1 does not offer SMTPUTF8, without which")
        assert row.last_error in caplog.text
        assert (row.sent_at, ascii_inbox.messages) == (None, [])

    def test_a_mail_server_that_is_down_is_tried_until_it_is_back(self) -> None:
        with override_settings(
            EMAIL_BACKEND="segl.service.notifications.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=1
        ):
            create(contact())
            fail_long()
        row = Notification.objects.get()
        reason = "The mail server 127.0.0.1:1 cannot be reached (Connection refused)."
        assert (row.last_error, row.parked_at) == (reason, None)

    def test_two_signers_get_a_message_each(self, inbox: Inbox) -> None:
        create(contact("a@example.com"), contact("b@example.com"), sender=organization())
        for row in due.claim(Notification, limit=5):
            assert perform(row)
        assert inbox.recipients == [["a@example.com"], ["b@example.com"]]
