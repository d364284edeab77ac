"""A job whose COMMIT the database did not answer: it is there as a whole or not at all, and the caller learns which."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from builders import PDF, agreed, create, everything, organization, status_of
from database_relay import DatabaseRelay, Fault, database_relay
from django_environment import use_database
from segl.service import due, outages
from segl.service.jobs.errors import OutcomeUnknownError
from segl.service.jobs.finding import document_of
from segl.service.sealing import Sealer
from segl.service.store import documents
from segl.service.store.models import Document, DocumentKind, Job, Signing
from segl.service.work.perform import perform


@pytest.fixture
def relay(database_url: str, document_folder: Path) -> Iterator[DatabaseRelay]:
    """Django's database is behind this relay."""
    with (
        tempfile.TemporaryDirectory(prefix="segl-relay-") as folder,  # a short path, for a socket
        database_relay(database_url, Path(folder)) as (relay, url),
        use_database(url),
    ):
        organization()
        yield relay


pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def the_document() -> bytes:
    return documents.read(Document.objects.get(kind=DocumentKind.ORIGINAL))


@pytest.mark.parametrize("fault", ["answer", "late"])
def test_a_job_that_was_made_is_returned(relay: DatabaseRelay, fault: Fault) -> None:
    """Also if the server commits only after it was asked whether the job is there."""
    relay.fault = fault
    job = create()
    assert job == Job.objects.get()
    assert the_document() == PDF


def test_a_signature_that_was_recorded_is_made_once(relay: DatabaseRelay, sealer: Sealer) -> None:
    """Its row is given back as failed, which changes nothing any more."""
    job = create()
    signing = agreed(job)
    relay.fault = "answer"
    assert not perform(signing)
    assert status_of(job) == ("IN_PROGRESS", ["SIGNED"])
    assert due.claim(Signing) == []
    xades = document_of(job=job, kind=DocumentKind.XADES)
    assert xades
    assert documents.read(xades).startswith(b"<?xml")


def test_a_job_that_was_not_made_leaves_nothing_behind(relay: DatabaseRelay) -> None:
    before = everything()
    relay.fault = "commit"
    with pytest.raises(OperationalError) as lost:
        create()
    assert outages.reason(lost.value)
    assert everything() == before


def test_a_job_that_cannot_be_asked_for_keeps_its_documents(relay: DatabaseRelay) -> None:
    relay.fault = "down"
    with pytest.raises(OutcomeUnknownError, match="not known: the database failed"):
        create()
    relay.fault = None
    assert Job.objects.count() == 1
    assert the_document() == PDF


def test_a_standby_that_takes_no_writes_yet_does_not_say_whether_a_job_was_made(relay: DatabaseRelay) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        [name] = cursor.fetchone()
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")  # for new connections
    relay.fault = "answer"
    with pytest.raises(OutcomeUnknownError, match="not known: the database failed"):
        create()
    assert Job.objects.count() == 1
    assert the_document() == PDF


def test_a_database_that_is_away_before_the_commit_is_no_question(relay: DatabaseRelay) -> None:
    sender = organization()
    relay.fault = "down"
    connection.close()
    with pytest.raises(OperationalError):
        create(sender=sender)
