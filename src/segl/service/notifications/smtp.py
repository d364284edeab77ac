"""The SMTP back end: Django's, with one time limit for a whole SMTP session.

It also reaches addresses whose local part is not ASCII (RFC 6531).
"""

import re
import smtplib
import ssl
from collections.abc import Callable
from email import message_from_bytes, policy
from functools import partial
from io import BufferedReader, RawIOBase
from smtplib import SMTPNotSupportedError
from socket import socket
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

from segl.core.errors import SeglError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SECONDS = 60.0
"""For all replies of the mail server together, from its greeting to its acceptance of the message."""
_PERMANENT = 500
_ENHANCED_CODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")
# The first class that matches counts.
_FAULTS: tuple[tuple[type[OSError], str], ...] = (
    (smtplib.SMTPRecipientsRefused, "refuses the recipient"),
    (smtplib.SMTPSenderRefused, "refuses the sender in `mail.sender`"),
    (smtplib.SMTPDataError, "refuses the message"),
    (smtplib.SMTPAuthenticationError, "refuses the log-in with `mail.user`"),
    (smtplib.SMTPNotSupportedError, "does not offer the encryption or the log-in that the settings ask for"),
    (smtplib.SMTPServerDisconnected, "ended the connection or took too long to reply"),
    (TimeoutError, "ended the connection or took too long to reply"),
    (smtplib.SMTPException, "does not accept the conversation"),
    (ssl.SSLCertVerificationError, "has a certificate that is not trusted"),
    (ssl.SSLError, "cannot be reached with TLS"),
    (OSError, "cannot be reached"),
)
_SHORTEST = 0.001  # 0 would make the socket non-blocking


class NotDeliverableError(SeglError):
    """The mail server cannot deliver the message."""


class EmailBackend(smtp.EmailBackend):
    """Uses SMTPUTF8 for addresses that need it. Django would write those as encoded words, which are no addresses.

    `timeout` limits each piece that the mail server sends or receives, `seconds` all that it sends.
    """

    def __init__(self, *arguments: Any, seconds: float = SECONDS, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._seconds = seconds

    @property
    def connection_class(self) -> Callable[..., smtplib.SMTP]:  # type: ignore[override]  # all that it is for
        return partial(_TimedTls if self.use_ssl else _Timed, seconds=self._seconds)

    def _send(self, email_message: EmailMessage) -> bool:
        recipients = email_message.recipients()
        if all(each.rpartition("@")[0].isascii() for each in recipients) or self.connection is None:
            return super()._send(email_message)  # type: ignore[misc,no-any-return]  # not in Django's stubs
        message = message_from_bytes(email_message.message().as_bytes(), policy=policy.SMTPUTF8)
        message.replace_header("To", ", ".join(email_message.to))
        try:
            self.connection.send_message(message, to_addrs=recipients)
        except SMTPNotSupportedError as error:
            raise NotDeliverableError(
                f"The mail server {self.host} does not offer SMTPUTF8, without which no mail reaches an address whose "
                "part before the @ is not ASCII: use a mail server that offers it."
            ) from error
        return True


def is_refusal(error: OSError) -> bool:
    """Whether the mail server refused this very message for good."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            return any(code >= _PERMANENT for code, _ in error.recipients.values())
        case smtplib.SMTPDataError():
            return error.smtp_code >= _PERMANENT
    return False


def described(error: OSError) -> str:
    """What went wrong with the mail server, for the operator.

    Of its reply only the codes are shown (RFC 5321, 4.2; RFC 3463): its text may repeat addresses, links or user names.
    """
    what = next(words for kind, words in _FAULTS if isinstance(error, kind))
    detail = _detail(error)
    return f"The mail server {settings.EMAIL_HOST}:{settings.EMAIL_PORT} {what}{f' ({detail})' if detail else ''}."


def _detail(error: OSError) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return _codes(*next(iter(error.recipients.values())))
        case smtplib.SMTPResponseException():
            return _codes(error.smtp_code, error.smtp_error)
        case smtplib.SMTPException() | TimeoutError():
            return ""
        case ssl.SSLCertVerificationError():
            return error.verify_message
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or type(error).__name__


def _codes(code: int, text: bytes | str) -> str:
    reply = text.decode(errors="replace") if isinstance(text, bytes) else text
    enhanced = _ENHANCED_CODE.match(reply)
    return f"{code} {enhanced[0]}" if enhanced else str(code)


class _Timed(smtplib.SMTP):
    """A session in which all replies must come within `seconds`; those of smtplib may drip in for ever."""

    def __init__(self, *arguments: Any, seconds: float, **more: Any) -> None:
        self._ends_at = monotonic() + seconds
        super().__init__(*arguments, **more)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock:  # a new connection, or encrypted from now on
            self.file = BufferedReader(_Replies(self.sock, self._ends_at))
        return super().getreply()


class _TimedTls(_Timed, smtplib.SMTP_SSL):
    """The same, encrypted from the start."""


class _Replies(RawIOBase):
    """The mail server's replies until `ends_at`, each piece within the connection's own time limit."""

    def __init__(self, connection: socket, ends_at: float) -> None:
        self._connection = connection
        self._ends_at = ends_at
        self._longest = connection.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        left = max(self._ends_at - monotonic(), _SHORTEST)
        self._connection.settimeout(left if self._longest is None else min(left, self._longest))
        return self._connection.recv_into(buffer)
