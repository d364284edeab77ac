"""The messages that notify signers of a job: what they contain, and that they were sent."""

from dataclasses import dataclass

from segl.core.statuses import SignerStatus
from segl.service import clock, due
from segl.service.jobs.links import NewLink, new_link
from segl.service.store.models import Channel, Notification, Signer
from segl.service.store.transactions import write


@dataclass(frozen=True, slots=True)
class Message:
    """A first notification. Its channel is insecure: it has only the non-sensitive title, and no identity number.

    `to` is an e-mail address or a mobile number. `link` is absent for signers who log in with an eID.
    """

    channel: Channel
    to: str
    sender_name: str
    nonsensitive_title: str
    link: NewLink | None


def begin_notification(notification: Notification) -> Message | None:
    """Return what to send, with a new link for this attempt, or None if the signer no longer waits or is late."""
    signer = Signer.objects.select_related("job__sender").get(pk=notification.signer_id)
    with write():
        if signer.status != SignerStatus.WAITING or signer.is_late(clock.now()):
            due.finish(notification)
            return None
        link = new_link(signer) if signer.is_addressed_by_contact_information else None
    channel = Channel(notification.channel)
    to = signer.sms if channel is Channel.SMS else signer.email
    return Message(channel, to, signer.job.sender.name, signer.job.nonsensitive_title, link)


def complete_notification(notification: Notification) -> None:
    """Record that the message was handed to the mail server or SMS gateway.

    Raises:
        LeaseLostError: Another worker has taken over.
    """
    with write():
        due.finish(notification, sent_at=clock.now())
