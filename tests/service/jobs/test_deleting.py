"""The sender deletes the documents of a completed job."""

from datetime import timedelta

import pytest

from builders import create, everything, organization, sealed, signed
from segl.service import clock, configuration
from segl.service.jobs import deliveries
from segl.service.jobs.deleting import delete_documents
from segl.service.jobs.errors import NotDeletableError
from segl.service.store.models import DeliveredPage, Document, Job

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def completed(store: str) -> Job:
    job = create()
    deliveries.record(job.signers.get(), document=1, page=1, width=480)
    signed(job)
    sealed(job)
    job.refresh_from_db()
    return job


def delete(job: Job) -> None:
    delete_documents(sender=organization(), job_id=job.pk)


def test_documents_can_be_deleted_some_time_after_the_job_was_completed(
    completed: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed.completed_at is not None
    deletable_at = completed.completed_at + configuration.current().deletable_after
    monkeypatch.setattr(clock, "now", lambda: deletable_at - timedelta(microseconds=1))
    with pytest.raises(NotDeletableError):
        delete(completed)
    monkeypatch.setattr(clock, "now", lambda: deletable_at)
    delete(completed)
    assert not Document.objects.exists()
    assert not DeliveredPage.objects.exists()


def test_the_key_is_destroyed_with_the_documents(completed: Job) -> None:
    assert bytes(completed.wrapped_key)
    clock.move(configuration.current().deletable_after)
    delete(completed)
    completed.refresh_from_db()
    assert bytes(completed.wrapped_key) == b""


def test_deleting_again_changes_nothing(completed: Job) -> None:
    clock.move(configuration.current().deletable_after)
    delete(completed)
    before = everything()
    delete(completed)
    assert everything() == before
