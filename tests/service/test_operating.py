"""What the commands for operators do to the work in the database."""

from datetime import UTC, datetime
from pathlib import Path

from builders import agreed, create, signed
from running_service import operator
from segl.service import clock, due
from segl.service.store.models import Due, Job, Lookup, Notification, Sealing, Signing


def test_parked_work_is_listed_and_released(store: str, tmp_path: Path) -> None:
    operating = operator(tmp_path, store)
    assert operating.done("parked") == "Nothing is parked.\n"
    agreeing, complete, waiting = create(), create(), create()
    agreed(agreeing)
    signed(complete)
    rows: list[tuple[Due, Job]] = [
        (Signing.objects.get(signer__job=agreeing), agreeing),
        (Sealing.objects.get(job=complete), complete),
        (Notification.objects.get(signer__job=waiting), waiting),
        (Lookup(signer=waiting.signers.get(), sms=False, due_at=clock.now()), waiting),
    ]
    listed = ""
    for row, job in rows:
        row.parked_at, row.last_error = datetime(2026, 2, 1, 12, tzinfo=UTC), "It\nfailed."
        row.save()
        listed += f"{row._meta.db_table} {row.pk} of job {job.pk}, since 2026-02-01 12:00 UTC: It�failed.\n"
    assert operating.done("parked") == listed
    assert operating.done("parked", "--release") == listed + "Nothing is parked any more.\n"
    assert operating.done("parked") == operating.done("parked", "--release") == "Nothing is parked.\n"
    for row, _ in rows:
        row.refresh_from_db()
        assert (row.parked_at, row.attempts) == (None, 0)


def test_work_that_waits_for_another_service_is_listed_with_the_reason(store: str, tmp_path: Path) -> None:
    operating = operator(tmp_path, store)
    create(), create(), create(), create()
    reasons = ["The mail server is down.", "The mail server is down.", "Something\nelse."]
    for row, reason in zip(due.claim(Notification, limit=3), reasons, strict=True):
        due.postpone(row, reason)
    assert operating.done("parked") == (
        "notification: 2 will be tried again: The mail server is down.\n"
        "notification: 1 will be tried again: Something�else.\n"
        "Nothing is parked.\n"
    )
    clock.move(due.LONGEST_BACKOFF)
    for row in due.claim(Notification, limit=4):
        due.finish(row)
    assert operating.done("parked") == "Nothing is parked.\n"
