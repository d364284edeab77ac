"""The text message that notifies a signer of a job, through the configured gateway.

SMS is an insecure channel: it has only the non-sensitive title, and no identity number.
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
    """Sends text messages; one is made for each message, without arguments."""

    def send(self, to: str, text: str) -> None:
        """Hand one message to the gateway; `to` is a mobile number as the sender wrote it.

        Raises:
            OSError: The gateway did not accept it: it is sent again for as long as the job waits for the signer.
        """
        ...


class HttpSmsGateway:
    """Posts each message as JSON to `sms.url`: `{"to": …, "text": …, "from": …}`, with a bearer token if there is one.

    A success status means that the gateway accepted it; the body of the answer is ignored.
    """

    def __init__(self, http: remote.Http = remote.HTTP) -> None:
        self._http = http

    def send(self, to: str, text: str) -> None:
        settings = configuration.current().sms
        message = {"to": to, "text": text, "from": settings.sender}
        headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
        self._http.deliver(settings.url, service="The SMS gateway", json=message, headers=headers)


def send_first_notification(*, to: str, sender_name: str, nonsensitive_title: str, link: str, code: str | None) -> None:
    """Send one message; `code` comes with a unique link; None for signers who log in with an eID.

    Raises:
        OSError: The gateway did not accept it.
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
