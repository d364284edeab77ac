"""Reaching people: e-mail by Django's mail back end, text messages by a gateway, and the contact register."""

from segl.service.notifications import mail, sms
from segl.service.store.models import Channel


def send_first_notification(
    *, channel: Channel, to: str, sender_name: str, nonsensitive_title: str, link: str, code: str | None
) -> None:
    """Send one message; `code` is given with a unique link, absent for those who log in with an eID.

    Raises:
        OSError, smtplib.SMTPException: The mail server or the SMS gateway did not take the message.
    """
    by = {Channel.EMAIL: mail, Channel.SMS: sms}[channel]
    by.send_first_notification(
        to=to, sender_name=sender_name, nonsensitive_title=nonsensitive_title, link=link, code=code
    )
