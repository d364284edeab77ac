"""The text message that tells a signer of a job, through the configured gateway.

SMS is an insecure channel: no title but the non-sensitive one, no identity number.
"""

from typing import Protocol

from django.utils.module_loading import import_string

from segl.service import configuration, remote

_WITH_LINK = """\
{sender} ber deg om å signere {what_nb} ({sender} asks you to sign {what_en}): {link}
Kode/code: {code}"""

_WITH_LOG_IN = """\
{sender} ber deg om å signere {what_nb} ({sender} asks you to sign {what_en}). Logg inn/log in: {link}"""


class SmsGateway(Protocol):
    """What sends text messages; made without arguments for each."""

    def send(self, to: str, text: str) -> None:
        """Hand one message to the gateway; `to` is a mobile number as the sender wrote it.

        Raises:
            OSError: The gateway did not take it: it is tried again for as long as the job waits for the signer.
        """
        ...


class HttpSmsGateway:
    """Posts each message as JSON to `sms.url`: `{"to": …, "text": …, "from": …}`, with a bearer token if there is one.

    A status of success means that it was taken; the answer's body is not looked at.
    """

    def __init__(self, http: remote.Http = remote.HTTP) -> None:
        self._http = http

    def send(self, to: str, text: str) -> None:
        told = configuration.current().sms
        message = {"to": to, "text": text, "from": told.sender}
        headers = {"Authorization": f"Bearer {told.token}"} if told.token else {}
        self._http.deliver(told.url, whom="The SMS gateway", json=message, headers=headers)


def send_first_notification(*, to: str, sender_name: str, nonsensitive_title: str, link: str, code: str | None) -> None:
    """Send one message; `code` is given with a unique link, absent for those who log in with an eID.

    Raises:
        OSError: The gateway did not take it.
    """
    gateway: SmsGateway = import_string(configuration.current().sms.gateway)()
    text = (_WITH_LINK if code else _WITH_LOG_IN).format(
        sender=sender_name,
        what_nb=f"«{nonsensitive_title}»" if nonsensitive_title else "et dokument",
        what_en=f"“{nonsensitive_title}”" if nonsensitive_title else "a document",
        link=link,
        code=code,
    )
    gateway.send(to, text)
