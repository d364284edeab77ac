"""Sends the messages that are due."""

from segl.service import configuration, notifications
from segl.service.jobs import notifying as jobs
from segl.service.store.models import Notification


def notify(row: Notification) -> None:
    """Send one first notification and record it.

    After a crash between the two it is sent again, with a new link: better twice than never.

    Raises:
        LeaseLostError: Another worker has taken over.
        UnavailableError: The mail server or SMS gateway did not take the message, but may do so later.
        RefusedError, NotDeliverableError: This very message was refused.
    """
    message = jobs.begin_notification(row)
    if message is None:
        return
    link = f"/s/{message.link.token}" if message.link else "/"
    notifications.send_first_notification(
        channel=message.channel,
        to=message.to,
        sender_name=message.sender_name,
        nonsensitive_title=message.nonsensitive_title,
        link=configuration.current().web_root + link,
        code=message.link.code if message.link else None,
    )
    jobs.complete_notification(row)
