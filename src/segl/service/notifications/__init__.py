"""Reaching people: e-mail through Django's mail back end, text messages through a gateway, and the contact register."""

from http import HTTPStatus
from smtplib import SMTPDataError, SMTPRecipientsRefused

from segl.core.errors import SeglError
from segl.service.notifications import mail, sms
from segl.service.outages import OutageError
from segl.service.remote import RemoteError
from segl.service.store.models import Channel

_REJECTED = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class UnavailableError(OutageError):
    """The mail server or SMS gateway accepts no messages for now, or not this one yet: retry until it does."""


def send_first_notification(
    *, channel: Channel, to: str, sender_name: str, nonsensitive_title: str, link: str, code: str | None
) -> None:
    """Send one message; `code` comes with a unique link; None for signers who log in with an eID.

    Raises:
        UnavailableError: The mail server or the SMS gateway did not accept the message, but may do so later.
        OSError, smtplib.SMTPException, NotDeliverableError: This very message was rejected.
    """
    by = {Channel.EMAIL: mail, Channel.SMS: sms}[channel]
    try:
        by.send_first_notification(
            to=to, sender_name=sender_name, nonsensitive_title=nonsensitive_title, link=link, code=code
        )
    except OSError as error:  # as all of smtplib's are
        if _is_rejected(error):
            raise
        # The text of errors that are not ours may hold the address.
        raise UnavailableError(str(error) if isinstance(error, SeglError) else type(error).__name__) from None


def _is_rejected(error: OSError) -> bool:
    """Whether this very message was rejected for good; wrong credentials or a wrong URL will be fixed some time."""
    match error:
        case SMTPRecipientsRefused():
            return any(code >= 500 for code, _ in error.recipients.values())
        case SMTPDataError():
            return error.smtp_code >= 500
        case RemoteError():
            return error.status in _REJECTED
    return False
