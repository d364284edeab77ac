"""What may follow what: the states of a portal job and of its signers, and the legal steps between them.

Pure functions, for rule 3 of ARCHITECTURE.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from segl.core.errors import SeglError
from segl.core.statuses import JobStatus, SignerStatus


class IllegalStepError(SeglError):
    """The step is not possible in the state the job is in; `status` is what prevents it."""

    def __init__(self, message: str, status: SignerStatus) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class SignerState:
    """A signer as far as the order of events is concerned; equal `order` signs in parallel."""

    number: int
    order: int
    status: SignerStatus


@dataclass(frozen=True, slots=True)
class JobState:
    """A job's signers, and what follows from them."""

    signers: tuple[SignerState, ...]

    @property
    def all_signed(self) -> bool:
        """Whether every signer has signed: the job can be sealed."""
        return all(each.status is SignerStatus.SIGNED for each in self.signers)

    @property
    def status(self) -> JobStatus:
        """The job's status until its sealed PDF exists, which makes it COMPLETED_SUCCESSFULLY."""
        going_on = {SignerStatus.WAITING, SignerStatus.SIGNED}
        if all(each.status in going_on for each in self.signers):
            return JobStatus.IN_PROGRESS
        return JobStatus.FAILED

    @property
    def turn(self) -> frozenset[int]:
        """The numbers of the signers whose turn it is: those who wait, of the lowest order that has any."""
        if self.status is not JobStatus.IN_PROGRESS:
            return frozenset()
        waiting = [each for each in self.signers if each.status is SignerStatus.WAITING]
        first = min((each.order for each in waiting), default=0)
        return frozenset(each.number for each in waiting if each.order == first)

    def is_waiting(self, number: int) -> bool:
        """Whether this signer's signature is still wanted, now or when it is the signer's turn."""
        return self.status is JobStatus.IN_PROGRESS and self[number].status is SignerStatus.WAITING

    def __getitem__(self, number: int) -> SignerState:
        return next(each for each in self.signers if each.number == number)


def job_state(signers: Iterable[tuple[int, int, str]]) -> JobState:
    """The state of a job from (number, order, status) of its signers."""
    return JobState(tuple(SignerState(number, order, SignerStatus(status)) for number, order, status in signers))


def check_turn(job: JobState, number: int) -> None:
    """Make sure that this signer may sign or reject now.

    Raises:
        IllegalStepError: The signer has signed or ended already, or signers before this one have not signed yet.
    """
    status = job[number].status
    if status is not SignerStatus.WAITING:
        raise IllegalStepError(f"Signer {number} cannot act any more: the status is {status}.", status)
    if number not in job.turn:
        raise IllegalStepError(f"It is not signer {number}'s turn yet: signers before have not signed.", status)


def sign(job: JobState, number: int) -> JobState:
    """The job after this signer has signed."""
    check_turn(job, number)
    return _with(job, {number: SignerStatus.SIGNED})


def end(job: JobState, number: int, status: SignerStatus) -> JobState:
    """The job after this signer ended it (REJECTED, BLOCKED): those still waiting become NOT_APPLICABLE."""
    check_turn(job, number)
    return _with(_waiting_become(job, SignerStatus.NOT_APPLICABLE), {number: status})


def end_unreached(job: JobState, number: int, status: SignerStatus) -> JobState:
    """The job after this signer turned out not to be reachable (RESERVED, CONTACT_INFORMATION_MISSING).

    It ends before the signer's turn too: those still waiting become NOT_APPLICABLE.

    Raises:
        IllegalStepError: The signer no longer waits.
    """
    if not job.is_waiting(number):
        raise IllegalStepError(f"Signer {number} no longer waits.", job[number].status)
    return _with(_waiting_become(job, SignerStatus.NOT_APPLICABLE), {number: status})


def cancel(job: JobState) -> JobState:
    """The job after its sender cancelled it: those still waiting become CANCELLED.

    Raises:
        IllegalStepError: Every signer has signed, or the job has failed already for another reason.
    """
    if job.all_signed:
        raise IllegalStepError("The job can no longer be cancelled: every signer has signed.", SignerStatus.SIGNED)
    if not job.turn:
        raise IllegalStepError("The job can no longer be cancelled: it has failed.", SignerStatus.NOT_APPLICABLE)
    return _waiting_become(job, SignerStatus.CANCELLED)


def _waiting_become(job: JobState, status: SignerStatus) -> JobState:
    waiting = (each.number for each in job.signers if each.status is SignerStatus.WAITING)
    return _with(job, dict.fromkeys(waiting, status))


def _with(job: JobState, statuses: dict[int, SignerStatus]) -> JobState:
    return JobState(tuple(replace(each, status=statuses.get(each.number, each.status)) for each in job.signers))
