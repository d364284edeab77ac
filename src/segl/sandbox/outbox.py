"""The sandbox's outbox: mail ends as files in a folder, which a page and a JSON list show instead of delivering it."""

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

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import Context, Engine
from django.template.base import Template
from django.views.decorators.http import require_safe

from segl.sandbox.files import write_atomically

_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the service sent. `sent_at` is ISO 8601 in UTC; `links` are the URLs in `text`, in its order."""

    id: str
    sent_at: str
    channel: str
    to: str
    subject: str
    text: str
    links: list[str]


class EmailBackend(BaseEmailBackend):
    """Writes each message whole into the folder `outbox`."""

    def send_messages(self, email_messages: Sequence[mail.EmailMessage]) -> int:
        for message in email_messages:
            name = f"{time.time_ns():020}-{secrets.token_hex(4)}"
            write_atomically(_folder() / f"{name}.eml", message.message().as_bytes())
        return len(email_messages)


def sent_messages() -> list[SentMessage]:
    """Everything that was sent, the oldest first."""
    return [_read(path) for path in sorted(_folder().glob("*.eml"))]


def _folder() -> Path:
    folder: Path = settings.SEGL_FOLDER
    return folder / "outbox"


@lru_cache(maxsize=4096)  # sent messages do not change
def _read(path: Path) -> SentMessage:
    message = message_from_bytes(path.read_bytes(), EmailMessage, policy=policy.default)
    body = message.get_body(("plain", "html"))
    text = body.get_content() if body else ""
    return SentMessage(
        id=path.stem,
        sent_at=datetime.fromtimestamp(int(path.stem.split("-")[0]) / 1e9, UTC).isoformat(),
        channel="email",
        to=message["To"] or "",
        subject=message["Subject"] or "",
        text=text,
        links=_LINK.findall(text),
    )


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """The sent messages as a JSON list, the oldest first; for who prefers HTML a page, the newest first."""
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
    # The style is part of the page and named by its digest: the page needs nothing else.
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


def _template() -> Template:
    return Engine(dirs=[str(_TEMPLATES)]).get_template("outbox.html")
