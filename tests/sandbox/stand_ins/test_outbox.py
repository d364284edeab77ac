"""The outbox: mail as it was sent, for programs as JSON and for people as a page."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, get_connection
from django.http import HttpResponse
from django.test import RequestFactory

from configured import configured
from segl.sandbox.stand_ins.outbox import outbox, sent_messages

LINK = "http://127.0.0.1:8080/signering/abc-123?språk=nb"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with configured(folder=tmp_path):
        yield tmp_path


def send(subject: str, text: str, to: str = "Åse Ås <aase@example.com>") -> None:
    connection = get_connection("segl.sandbox.stand_ins.outbox.EmailBackend")
    EmailMessage(subject, text, "segl@example.com", [to], connection=connection).send()


def get(accept: str) -> HttpResponse:
    return outbox(RequestFactory().get("/outbox", headers={"Accept": accept}))


def test_messages_come_back_as_they_were_sent_the_oldest_first(folder: Path) -> None:
    send("Nordvik kommune ber deg om å signere", f"Åpne denne lenken:\n{LINK}.\n\nKode: 123456\n")
    send("Nummer to", "Uten lenke.")
    first, second = sent_messages()
    assert (first.channel, first.to) == ("email", "Åse Ås <aase@example.com>")
    assert first.subject == "Nordvik kommune ber deg om å signere"
    assert first.text == f"Åpne denne lenken:\n{LINK}.\n\nKode: 123456\n"
    assert first.links == [LINK]
    assert (second.subject, second.links) == ("Nummer to", [])
    assert first.id < second.id
    assert timedelta() <= datetime.now(UTC) - datetime.fromisoformat(first.sent_at) < timedelta(minutes=1)


def test_programs_get_json(folder: Path) -> None:
    send("Emne", LINK)
    response = get("*/*")
    (message,) = json.loads(response.content)
    assert message.keys() == {"id", "sent_at", "channel", "to", "subject", "text", "links"}
    assert message["links"] == [LINK]
    assert response.headers["Content-Type"] == "application/json"


def test_an_empty_outbox_is_an_empty_list(folder: Path) -> None:
    assert json.loads(get("application/json").content) == []


def test_people_get_a_page_on_which_what_was_sent_is_text(folder: Path) -> None:
    send("<script>emne</script>", f"Hei <b>du</b>\n{LINK}")
    response = get("text/html,application/xhtml+xml,*/*;q=0.8")
    page = response.content.decode()
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "&lt;script&gt;emne&lt;/script&gt;" in page
    assert "Hei &lt;b&gt;du&lt;/b&gt;" in page
    assert '<a href="http://127.0.0.1:8080/signering/abc-123?spr' in page
    assert "default-src 'none'; style-src 'sha256-" in response.headers["Content-Security-Policy"]


def test_a_message_that_is_being_written_is_not_shown(folder: Path) -> None:
    (folder / "outbox").mkdir()
    (folder / "outbox" / "01700000000000000000-aa.eml.part").write_text("Subj")
    assert sent_messages() == []
