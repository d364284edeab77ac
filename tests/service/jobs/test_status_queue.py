"""The polling queue: each change is delivered until it is confirmed, to one poller at a time."""

from datetime import timedelta

import pytest

from builders import (
    KARI,
    OLA,
    contact,
    create,
    identity,
    in_threads,
    organization,
    person,
    sealed,
    signed,
    version_of,
)
from segl.core.sector import Sector
from segl.service import clock, configuration
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.errors import NoSuchJobError
from segl.service.jobs.signing import reject
from segl.service.jobs.status_queue import DeliveredChange, confirm_status_change, next_status_change
from segl.service.store.models import Job

pytestmark = pytest.mark.usefixtures("store")


def poll(queue: str = "", number: str = "123456789") -> DeliveredChange | None:
    return next_status_change(sender=organization(number), polling_queue=queue)


def confirm(change: DeliveredChange) -> None:
    confirm_status_change(sender=organization(), job_id=change.job.pk, version=change.version)


def wait_for_requeue() -> None:
    clock.move(configuration.current().requeue_after)


def cancelled(**more: str) -> Job:
    job = create(**more)  # type: ignore[arg-type]
    cancel_job(sender=organization(), job_id=job.pk)
    return job


def delivered(queue: str = "") -> DeliveredChange:
    change = poll(queue)
    assert change is not None
    return change


def test_an_empty_queue_returns_nothing() -> None:
    create()
    assert poll() is None


def test_a_change_has_the_jobs_current_status() -> None:
    job = create(person(KARI), contact(order=1))
    signed(job)
    change = delivered()
    assert (change.job, change.job.status) == (job, "IN_PROGRESS")
    assert [(each.number, each.status) for each in change.signers] == [(1, "SIGNED"), (2, "WAITING")]
    assert (change.xades_numbers, change.has_pades) == ({1}, False)


def test_a_change_says_which_signatures_exist() -> None:
    job = create(person(KARI), person(OLA))
    signed(job, 2, identity(OLA))
    assert delivered().xades_numbers == {2}


def test_the_last_signature_is_delivered_once_the_sealed_document_exists() -> None:
    job = create()
    signed(job)
    assert poll() is None
    sealed(job)
    change = delivered()
    assert change.job.status == "COMPLETED_SUCCESSFULLY"
    assert (change.xades_numbers, change.has_pades) == ({1}, True)


def test_the_oldest_change_comes_first() -> None:
    jobs = [cancelled() for _ in range(3)]
    assert [delivered().job for _ in jobs] == jobs
    assert poll() is None


def test_a_confirmed_change_never_comes_back() -> None:
    cancelled()
    confirm(delivered())
    wait_for_requeue()
    assert poll() is None


def test_an_unconfirmed_change_comes_back_after_a_while_again_and_again() -> None:
    job = cancelled()
    for _ in range(3):
        change = delivered()
        assert (change.job, change.version) == (job, 1)
        assert poll() is None
        clock.move(configuration.current().requeue_after - timedelta(seconds=20))
        assert poll() is None
        clock.move(timedelta(seconds=20))


def test_a_change_comes_back_behind_those_that_came_in_the_meantime() -> None:
    first, second = cancelled(), cancelled()
    assert delivered().job == first
    wait_for_requeue()
    assert [delivered().job, delivered().job] == [second, first]


def test_a_change_that_is_often_not_confirmed_is_never_parked() -> None:
    cancelled()
    for _ in range(20):
        assert poll() is not None
        wait_for_requeue()


def test_confirming_twice_is_the_same_as_once() -> None:
    cancelled()
    change = delivered()
    confirm(change)
    confirm(change)
    wait_for_requeue()
    assert poll() is None


def test_confirming_a_version_never_removes_the_next() -> None:
    job = create(person(KARI), person(OLA))
    signed(job)
    before = delivered()
    reject(job_id=job.pk, number=2, identity=identity(OLA))
    confirm(before)
    after = delivered()
    assert (before.version, after.version) == (1, 2)
    assert after.job.status == "FAILED"
    confirm(after)
    wait_for_requeue()
    assert poll() is None


def test_a_change_of_a_hidden_job_is_delivered_at_once() -> None:
    job = create(person(KARI), person(OLA))
    signed(job)
    delivered()
    reject(job_id=job.pk, number=2, identity=identity(OLA))
    assert delivered().version == 2


def test_a_late_confirmation_of_an_old_version_changes_nothing() -> None:
    job = create(person(KARI), person(OLA))
    signed(job)
    old = delivered()
    reject(job_id=job.pk, number=2, identity=identity(OLA))
    confirm(delivered())
    confirm(old)
    assert version_of(job) == 2
    assert poll() is None


@pytest.mark.parametrize("version", [0, 2, 10**9])
def test_a_version_that_never_existed_confirms_nothing(version: int) -> None:
    job = cancelled()
    confirm_status_change(sender=organization(), job_id=job.pk, version=version)
    assert poll() is not None


def test_queues_with_different_names_are_separate() -> None:
    job = cancelled(polling_queue="mine")
    assert poll() is None
    assert poll("Mine") is None
    assert delivered("mine").job == job


def test_another_senders_changes_are_not_delivered() -> None:
    cancelled()
    organization("987654321", "Andre AS", Sector.PRIVATE)
    assert poll(number="987654321") is None


def test_another_senders_change_cannot_be_confirmed() -> None:
    job = cancelled()
    other = organization("987654321", "Andre AS", Sector.PRIVATE)
    with pytest.raises(NoSuchJobError, match=f"There is no job {job.pk}"):
        confirm_status_change(sender=other, job_id=job.pk, version=1)
    assert poll() is not None


def test_a_job_that_has_no_change_can_be_confirmed_without_harm() -> None:
    job = create()
    confirm_status_change(sender=organization(), job_id=job.pk, version=0)


def test_parallel_pollers_never_get_the_same_change() -> None:
    jobs = [cancelled() for _ in range(20)]

    def poll_to_empty() -> list[int]:
        taken = []
        while change := poll():
            taken.append(change.job.pk)
        return taken

    taken = in_threads(*[poll_to_empty] * 4)
    assert sorted(job for each in taken for job in each) == [each.pk for each in jobs]


def test_a_change_while_others_poll_is_never_lost() -> None:
    """Signers sign while pollers poll and confirm: the last status is delivered in the end."""
    jobs = [create(person(KARI), person(OLA)) for _ in range(5)]
    seen: dict[int, list[str]] = {each.pk: [] for each in jobs}

    def poll_and_confirm() -> None:
        for _ in range(25):
            if change := poll():
                seen[change.job.pk].append(change.job.status)
                confirm(change)

    def sign_and_reject() -> None:
        for job in jobs:
            signed(job)
            reject(job_id=job.pk, number=2, identity=identity(OLA))

    outcomes = in_threads(poll_and_confirm, poll_and_confirm, sign_and_reject)
    assert outcomes == [None] * 3
    poll_and_confirm()
    assert all("FAILED" in each for each in seen.values())
    wait_for_requeue()
    assert poll() is None
