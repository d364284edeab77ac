"""The SMTP back end: Django's, which also reaches addresses whose local part is not ASCII (RFC 6531)."""

from email import message_from_bytes, policy
from smtplib import SMTPNotSupportedError

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

from segl.core.errors import SeglError


class NotDeliverableError(SeglError):
    """The mail server cannot deliver the message."""


class EmailBackend(smtp.EmailBackend):
    """Sends by SMTPUTF8 what needs it. Django writes such an address as an encoded word, which is nobody's address."""

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
