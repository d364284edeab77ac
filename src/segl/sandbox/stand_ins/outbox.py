"""The sandbox's outbox: mail and text messages become files in a folder, shown as a page and as a JSON list."""

import hashlib
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path
from smtplib import SMTPConnectError

from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import Context, Engine
from django.template.base import Template
from django.views.decorators.http import require_safe

from segl.sandbox.faults.pending import Faults
from segl.sandbox.files import write_atomically
from segl.service import configuration

_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
_CHANNELS = {".eml": "email", ".sms": "sms"}
_TEMPLATES = Path(__file__).parent / "templates" / "stand_ins"


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the service sent: `channel` is `email` or `sms` (which has no subject), `sent_at` ISO 8601 in UTC.

    `links` are the URLs in `text`, in its order.
    """

    id: str
    sent_at: str
    channel: str
    to: str
    subject: str
    text: str
    links: list[str]


class EmailBackend(BaseEmailBackend):
    """Writes each message into the folder `outbox`, or fails like SMTP while the fault `mail-down` is pending."""

    def send_messages(self, email_messages: Sequence[mail.EmailMessage]) -> int:
        for message in email_messages:
            if Faults(configuration.current().folder).happens("mail-down"):
                raise SMTPConnectError(421, "The mail server is down, as requested (the fault mail-down).")
            write_atomically(_folder() / f"{_name()}.eml", message.message().as_bytes())
        return len(email_messages)


class SmsGateway:
    """Writes each text message into the folder `outbox`, or fails while the fault `sms-down` is pending."""

    def send(self, to: str, text: str) -> None:
        if Faults(configuration.current().folder).happens("sms-down"):
            raise ConnectionError("The SMS gateway is down, as requested (the fault sms-down).")
        write_atomically(_folder() / f"{_name()}.sms", f"{' '.join(to.split())}\n{text}".encode())


def sent_messages() -> list[SentMessage]:
    """Return everything that was sent, the oldest first."""
    paths = (path for path in _folder().glob("*") if path.suffix in _CHANNELS)
    return [_read(path) for path in sorted(paths)]


def _name() -> str:
    return f"{time.time_ns():020}-{secrets.token_hex(4)}"


def _folder() -> Path:
    folder: Path = configuration.current().folder
    return folder / "outbox"


@lru_cache(maxsize=4096)  # sent messages do not change
def _read(path: Path) -> SentMessage:
    if path.suffix == ".sms":
        to, _, text = path.read_text(encoding="utf-8").partition("\n")
        subject = ""
    else:
        message = message_from_bytes(path.read_bytes(), EmailMessage, policy=policy.default)
        body = message.get_body(("plain", "html"))
        to, subject, text = message["To"] or "", message["Subject"] or "", body.get_content() if body else ""
    return SentMessage(
        id=path.stem,
        sent_at=datetime.fromtimestamp(int(path.stem.split("-")[0]) / 1e9, UTC).isoformat(),
        channel=_CHANNELS[path.suffix],
        to=to,
        subject=subject,
        text=text,
        links=_LINK.findall(text),
    )


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Show the sent messages: as a JSON list, the oldest first, or on a page, the newest first."""
    messages = sent_messages()
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        response = _page(messages[::-1])
    else:
        response = JsonResponse([asdict(each) for each in messages], safe=False)
    response.headers["Vary"] = "Accept"
    return response


def _page(messages: Sequence[SentMessage]) -> HttpResponse:
    style = (_TEMPLATES / "outbox.css").read_text(encoding="utf-8")
    context = Context({"messages": messages, "style": style})
    response = HttpResponse(_template().render(context))
    # The style is inline, allowed by its digest: the page loads nothing else.
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


def _template() -> Template:
    return Engine(dirs=[str(_TEMPLATES)]).get_template("outbox.html")
