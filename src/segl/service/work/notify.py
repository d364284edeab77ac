"""Sends the messages that are due."""

from segl.service import configuration, notifications
from segl.service.jobs import notifying as jobs
from segl.service.store.models import Notification


def notify(row: Notification) -> None:
    """Send one first notification and record it.

    A kill between the two sends it again, with a link of its own: better twice than never.

    Raises:
        LeaseLostError: Another worker has taken over.
        UnavailableError: The mail server or SMS gateway did not take the message, but may do so later.
        OSError, smtplib.SMTPException, NotDeliverableError: It refuses this very message.
    """
    letter = jobs.begin_notification(row)
    if letter is None:
        return
    link = f"/s/{letter.link.token}" if letter.link else "/"
    notifications.send_first_notification(
        channel=letter.channel,
        to=letter.to,
        sender_name=letter.sender_name,
        nonsensitive_title=letter.nonsensitive_title,
        link=configuration.current().web_root + link,
        code=letter.link.code if letter.link else None,
    )
    jobs.complete_notification(row)
