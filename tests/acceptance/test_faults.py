"""Each fault on request, met by the SDK over real TLS: nothing is lost, doubled, or confirmed that was not handled."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, get_args

import httpx
import pytest

from running_sandbox import ROOT, Sandbox, move_clock, running_sandbox
from segl.sandbox.faults.pending import ApiFault
from segl.sandbox.faults_client import FaultsClient
from segl.sdk import (
    AsyncPortalClient,
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    FileType,
    Job,
    JobStatusChange,
    PollingQueue,
    PortalClient,
    Sender,
    Signer,
    Timeouts,
)
from status_queues import without_waiting

PUBLIC = "123456789"
CONTRACT = ROOT / "demo" / "contract.pdf"
REQUEUED = timedelta(minutes=11)
LONGEST_SECONDS = 90

Loop = Callable[[Callable[[JobStatusChange], object]], Callable[[], None]]


@pytest.fixture
def configuration(sandbox: Sandbox, request: pytest.FixtureRequest) -> ClientConfiguration:
    """The public organization, with a polling queue of the test's own."""
    configured = ClientConfiguration.sandbox(sandbox.ready_file, PUBLIC)
    sender = Sender(PUBLIC, PollingQueue(request.node.name))
    return replace(configured, sender=sender, timeouts=Timeouts(call=2, create=2), retries=0)


@pytest.fixture
def faults(sandbox: Sandbox) -> Iterator[FaultsClient]:
    with FaultsClient.sandbox(sandbox.ready_file, PUBLIC) as faults:
        yield faults


def job(reference: str = "reference") -> Job:
    document = Document("Contract", "Please sign.", FileType.PDF, CONTRACT)
    return Job(document, [Signer(ContactInformation(email=Email("someone@example.com")))], reference)


def changed_jobs(configuration: ClientConfiguration, number: int) -> set[int]:
    """Jobs that were cancelled, and so have each a change on the queue."""
    with PortalClient(configuration) as client:
        created = [client.create(job()) for _ in range(number)]
        for each in created:
            client.cancel(each.cancellation_reference)
    return {each.signature_job_id for each in created}


def confirmed(sandbox: Sandbox, jobs: set[int]) -> set[int]:
    return {each for [each] in rows(sandbox, "SELECT job_id FROM status_change WHERE due_at IS NULL")} & jobs


def rows(sandbox: Sandbox, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(sandbox.folder / "segl.sqlite3", timeout=20)) as database:
        return database.execute(statement, values).fetchall()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)


@pytest.fixture(params=["sync", "async"])
def loop(request: pytest.FixtureRequest, configuration: ClientConfiguration) -> Loop:
    """Starts the SDK's loop with a handler, in a thread; gives what stops it."""
    run = _run if request.param == "sync" else _run_async

    def start(handler: Callable[[JobStatusChange], object]) -> Callable[[], None]:
        stop = threading.Event()
        thread = threading.Thread(target=run, args=(configuration, handler, stop))
        thread.start()

        def end() -> None:
            stop.set()
            thread.join(LONGEST_SECONDS)
            assert not thread.is_alive()

        return end

    return start


def _run(
    configuration: ClientConfiguration, handler: Callable[[JobStatusChange], object], stop: threading.Event
) -> None:
    with PortalClient(configuration) as client:
        client.handle_status_changes(handler, stop=stop)


def _run_async(
    configuration: ClientConfiguration, handler: Callable[[JobStatusChange], object], stop: threading.Event
) -> None:
    async def awaited(change: JobStatusChange) -> None:
        handler(change)

    async def run() -> None:
        stopped = asyncio.Event()
        running = asyncio.get_running_loop()
        waiting = running.run_in_executor(None, lambda: (stop.wait(), running.call_soon_threadsafe(stopped.set)))
        async with AsyncPortalClient(configuration) as client:
            await client.handle_status_changes(awaited, stop=stopped)
        await waiting

    asyncio.run(run())


@pytest.mark.parametrize("fault", get_args(ApiFault))
def test_the_loop_survives_each_fault(
    sandbox: Sandbox, configuration: ClientConfiguration, faults: FaultsClient, loop: Loop, fault: ApiFault
) -> None:
    jobs = changed_jobs(configuration, 3)
    handled: list[int] = []
    confirmed_early: set[int] = set()

    def handler(change: JobStatusChange) -> None:
        confirmed_early.update(confirmed(sandbox, jobs) - {*handled})
        assert change.signature_job_id
        handled.append(change.signature_job_id)

    seconds = configuration.timeouts.call + 1 if fault == "slow" else None
    faults.ask(fault, times=2, calls="poll", seconds=seconds)  # may take two of the three changes, undelivered
    if fault not in {"too-eager", "duplicate"}:
        faults.ask(fault, calls="confirm", seconds=seconds)
    with without_waiting():
        end = loop(handler)
        try:
            until(lambda: not faults.pending(), f"the fault {fault}")
            move_clock(sandbox, REQUEUED)  # what was taken or not confirmed comes back by then
            until(lambda: confirmed(sandbox, jobs) == jobs, "all confirmations")
        finally:
            end()

    assert {*handled} == jobs
    assert confirmed_early == set()
    assert len(handled) > 3 or fault != "duplicate"


def creation(configuration: ClientConfiguration, kind: str) -> int:
    async def create() -> int:
        async with AsyncPortalClient(configuration) as client:
            return (await client.create(job("once"))).signature_job_id

    if kind == "async":
        return asyncio.run(create())
    with PortalClient(configuration) as client:
        return client.create(job("once")).signature_job_id


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("fault", ["drop-after", "drop-before", "slow"])
def test_a_creation_makes_exactly_one_job(
    sandbox: Sandbox, configuration: ClientConfiguration, faults: FaultsClient, fault: ApiFault, kind: str
) -> None:
    persistent = replace(configuration, retries=1)
    before = {each for [each] in rows(sandbox, "SELECT id FROM job")}
    faults.ask(fault, calls="create", seconds=3 if fault == "slow" else None)
    with without_waiting():
        job_id = creation(persistent, kind)

    assert faults.pending() == []
    assert {each for [each] in rows(sandbox, "SELECT id FROM job")} - before == {job_id}


def test_a_message_is_sent_when_the_mail_is_up_again(
    sandbox: Sandbox, configuration: ClientConfiguration, faults: FaultsClient
) -> None:
    """The worker, a process of its own, learns of the fault and uses it up."""
    address = "mail-down@example.com"
    faults.ask("mail-down", times=2)
    with PortalClient(configuration) as client:
        client.create(replace(job(), signers=[Signer(ContactInformation(email=Email(address)))]))

    def has_come() -> bool:
        sent = httpx.get(sandbox.outbox, headers={"Accept": "application/json"}, trust_env=False).json()
        return address in {each["to"] for each in sent}

    until(lambda: len(faults.pending()) == 0, "the fault mail-down")
    assert not has_come()
    move_clock(sandbox, REQUEUED)  # past the pause before the next try
    until(has_come, "the message")


def test_the_test_eid_is_down_until_that_is_taken_back(sandbox: Sandbox, faults: FaultsClient) -> None:
    def status() -> int:
        return httpx.get(f"{sandbox.ready['web_root']}/test-eid", trust_env=False).status_code

    faults.ask("eid-down")
    assert [status(), status()] == [503, 503]
    faults.take_back()
    assert status() == 400  # for the request has no log-in


def test_a_new_start_begins_without_faults(tmp_path: Path) -> None:
    for _ in range(2):
        with running_sandbox(tmp_path / "folder") as started:
            assert httpx.get(started.ready["faults"], trust_env=False).json() == []
            assert httpx.post(started.ready["faults"], json={"fault": "500"}, trust_env=False).status_code == 201


CONSUMER = """
import sys
from dataclasses import replace
from segl.sdk import ClientConfiguration, PollingQueue, PortalClient, Sender
ready, queue, file = sys.argv[1:]
def handle(change):
    print("begun", flush=True)
    sys.stdin.readline()
    with open(file, "a") as handled:
        handled.write(f"{change.signature_job_id}\\n")
    print("done", flush=True)
    sys.stdin.readline()
configured = ClientConfiguration.sandbox(ready, "123456789")
configuration = replace(configured, sender=Sender("123456789", PollingQueue(queue)))
with PortalClient(configuration) as client:
    client.handle_status_changes(handle)
"""


class Consumer:
    """A process that handles changes, and waits after each step until it may go on."""

    def __init__(self, sandbox: Sandbox, queue: str, file: Path) -> None:
        command = [sys.executable, "-c", CONSUMER, str(sandbox.ready_file), queue, str(file)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()

    def comes_to(self, step: str) -> None:
        """Let it go on until it has come to this step."""
        assert self.process.stdout
        while (line := self.process.stdout.readline().strip()) != step:
            assert line, "it has ended"
            self.goes_on()

    def goes_on(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.mark.parametrize("step", ["begun", "done"])
def test_a_consumer_that_is_killed_while_it_handles_loses_nothing(
    sandbox: Sandbox, configuration: ClientConfiguration, tmp_path: Path, step: str
) -> None:
    jobs, file = changed_jobs(configuration, 3), tmp_path / "handled"
    assert configuration.sender
    queue = configuration.sender.polling_queue.name or ""

    for _ in jobs:
        with Consumer(sandbox, queue, file) as killed:
            killed.comes_to(step)
            killed.process.send_signal(signal.SIGKILL)
    assert confirmed(sandbox, jobs) == set()

    move_clock(sandbox, REQUEUED)
    with Consumer(sandbox, queue, file) as surviving:
        for _ in jobs:
            surviving.comes_to("done")
            surviving.goes_on()
        until(lambda: confirmed(sandbox, jobs) == jobs, "all confirmations")
        surviving.process.send_signal(signal.SIGTERM)
        assert surviving.process.wait(30) == 0

    handled = [int(each) for each in file.read_text().split()]
    assert sorted(handled) == sorted([*jobs] * (2 if step == "done" else 1))
