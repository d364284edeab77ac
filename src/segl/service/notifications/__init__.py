"""Reaching people: e-mail through Django's mail back end, text messages through a gateway, and the contact register."""

from http import HTTPStatus

from segl.core.errors import SeglError
from segl.service.notifications import mail, sms, smtp
from segl.service.outages import OutageError
from segl.service.remote import RemoteError
from segl.service.store.models import Channel

_REJECTED = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class UnavailableError(OutageError):
    """The mail server or SMS gateway accepts no messages for now, or not this one yet: retry until it does."""


class RefusedError(SeglError):
    """The mail server or SMS gateway refuses this very message for good."""


def send_first_notification(
    *, channel: Channel, to: str, sender_name: str, nonsensitive_title: str, link: str, code: str | None
) -> None:
    """Send one message; `code` comes with a unique link; None for signers who log in with an eID.

    The messages of the errors are for the operator and name no address.

    Raises:
        UnavailableError: The mail server or the SMS gateway did not accept the message, but may do so later.
        RefusedError, NotDeliverableError: This very message was refused.
    """
    by = {Channel.EMAIL: mail, Channel.SMS: sms}[channel]
    try:
        by.send_first_notification(
            to=to, sender_name=sender_name, nonsensitive_title=nonsensitive_title, link=link, code=code
        )
    except OSError as error:  # as all of smtplib's are
        kind = RefusedError if _is_refused(error) else UnavailableError
        raise kind(str(error) if isinstance(error, SeglError) else smtp.described(error)) from None


def _is_refused(error: OSError) -> bool:
    """Whether this very message was refused for good; wrong credentials or a wrong URL will be fixed some time."""
    return error.status in _REJECTED if isinstance(error, RemoteError) else smtp.is_refusal(error)
