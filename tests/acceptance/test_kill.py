"""Kills the service's processes (-9) at every step of a job's life, starts them again, and finds the job whole.

No signature and no status change is lost or doubled; what the killed step had promised is kept. One service on each
kind of database dies at one step after the other, with a job for each. Each step is tried on one kind of database, on
every kind with the option --whole (`make kills`).
"""

import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import people
import psycopg
import pytest
from people import Person

from segl.core import pades
from segl.core.certificates import TrustAnchors
from segl.core.errors import SeglError
from segl.core.verification import Verdict
from segl.sandbox.pki import ensure_pki
from segl.sdk import (
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    FileType,
    Job,
    JobStatus,
    Notifications,
    PersonalIdentificationNumber,
    PortalClient,
    Signer,
)

HERE = Path(__file__).parent
CONTRACT = HERE.parent.parent / "demo" / "contract.pdf"
LONGEST_SECONDS = 90

# module (below segl.service), function, when, which call
STEPS = [
    "store.documents:_write:before:1",  # the first document of a new job
    "store.documents:_write:after:2",  # documents without rows
    "jobs.creating:_add_documents:after:1",  # within the transaction
    "jobs.creating:create_job:after:1",  # accepted, not answered
    "work.notify:notify:before:1",  # claimed
    "jobs.notifying:begin_notification:after:1",  # a link that no message carries
    "notifications.mail:send_first_notification:after:1",  # sent, not recorded
    "jobs.notifying:complete_notification:after:2",
    "jobs.security_codes:enter_code:after:1",
    "jobs.signing:agree:before:1",
    "jobs.signing:agree:after:2",  # agreed (the first call asked because of undelivered pages), no signature yet
    "sealing.sealer:Sealer.sign:after:1",  # made, not stored
    "store.documents:_write:after:5",  # stored, not recorded
    "jobs.signing:complete_signature:after:1",  # recorded, the signer not answered
    "jobs.signing:agree:after:4",
    "jobs.signing:complete_signature:after:2",  # due for sealing
    "work.seal:seal:before:1",
    "rendering:assemble:after:1",
    "sealing.sealer:Sealer.seal:after:1",
    "store.documents:_write:after:7",  # the sealed PDF without its row
    "work.verify:verify_results:after:1",
    "jobs.sealing:complete_seal:after:1",
    "jobs.status_queue:next_status_change:after:1",  # taken from the queue, not delivered
    "jobs.status_queue:confirm_status_change:before:1",
    "jobs.status_queue:confirm_status_change:after:1",
]


class Service:
    """A sandbox that is started again whenever it was killed."""

    def __init__(self, folder: Path, database: str) -> None:
        self._ready = folder / "ready.json"
        self._folder = folder
        self.database = database
        self._kill_at = folder / "kill-at"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(HERE / "killing"),
            "KILL_AT": str(self._kill_at),
            "KILL_STEPS": "\n".join(f"segl.service.{step}" for step in STEPS),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.is_good = False
        """Whether the last case left nothing behind that another one could take for its own."""

    @contextmanager
    def killed_at(self, step: str) -> Iterator[None]:
        """Meanwhile it must come to this step, at which it is killed."""
        self.is_good = False
        written = self._kill_at.with_suffix(".new")
        written.write_text(f"segl.service.{step}")
        written.rename(self._kill_at)
        yield
        assert not self._kill_at.exists(), f"the step {step} was never reached"

    def start(self) -> None:
        command = [sys.executable, "-m", "segl", "sandbox", "--folder", str(self._folder / "sandbox")]
        command += ["--ready-file", str(self._ready), "--database", self.database, "--calls-per-second", "0"]
        self._ready.unlink(missing_ok=True)
        self._process = subprocess.Popen(command, env=self._environment, start_new_session=True)
        while not self._ready.exists():
            if self._process.poll() not in {None, -signal.SIGKILL}:
                pytest.fail("the sandbox does not start")
            time.sleep(0.02)

    def until(self, action: Callable[[], Any]) -> Any:
        """Call `action` until it returns something, over any number of deaths of the service."""
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                self.start()
            try:
                if (result := action()) is not None:
                    return result
            except (httpx.HTTPError, SeglError, people.Lost) as error:
                last: object = error
                self._wait_for_death()
            else:
                last = "nothing came"
            time.sleep(0.05)
        pytest.fail(f"it never came: {last!r}")

    def _wait_for_death(self) -> None:
        """A connection breaks a moment before the process can be seen to be dead."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.3)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with _connection(self.database) as connection:
            return connection.execute(statement).fetchall()

    def move_clock(self, seconds: int) -> None:
        """As `segl.service.clock.move`, from outside."""
        with _connection(self.database) as connection:
            connection.execute(
                f"INSERT INTO clock (id, offset_microseconds) VALUES (1, {seconds}000000) ON CONFLICT (id) "
                f"DO UPDATE SET offset_microseconds = clock.offset_microseconds + {seconds}000000"
            )
            connection.commit()

    def client(self) -> PortalClient:
        return PortalClient(ClientConfiguration.sandbox(self._ready, "123456789"))

    def said(self) -> dict[str, Any]:
        return dict(json.loads(self._ready.read_bytes()))

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@contextmanager
def _connection(url: str) -> Iterator[Any]:
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)) as sqlite:
            yield sqlite
    else:
        with psycopg.connect(url) as postgresql:
            yield postgresql


class Case:
    """A service, and the job that it must not lose: one for two people who get no other mail."""

    def __init__(self, service: Service, number: int) -> None:
        self.service = service
        self.number = number
        self.kari = Person(f"kari{number}@example.com", "01017012345", "Kari Nordmann")
        self.ola = Person(f"ola{number}@example.com", "02028012345", "Ola Hansen")

    @property
    def job(self) -> Job:
        signers = [
            Signer(PersonalIdentificationNumber(self.kari.number), Notifications(Email(self.kari.address))),
            Signer(ContactInformation(email=Email(self.ola.address))),
        ]
        return Job(Document("Contract", "Please sign.", FileType.PDF, CONTRACT), signers, str(self.number))

    def rows(self, columns: str, tables: str, order: str = "1") -> list[tuple[Any, ...]]:
        """What these tables, the first of which belongs to jobs, have of the job."""
        its = f"job_id IN (SELECT id FROM job WHERE reference = '{self.number}')"
        return self.service.rows(f"SELECT {columns} FROM {tables} WHERE {its} ORDER BY {order}")


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sandbox's PKI, to copy: its RSA keys take time to make."""
    folder = tmp_path_factory.mktemp("pki")
    ensure_pki(folder)
    return folder


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, Service]]:
    """By kind of database: the service that came well through the cases before."""
    good: dict[str, Service] = {}
    yield good
    for each in good.values():
        each.stop()


@pytest.fixture
def service(
    request: pytest.FixtureRequest, services: dict[str, Service], tmp_path_factory: pytest.TempPathFactory, pki: Path
) -> Iterator[Service]:
    kind = request.param
    service = services.pop(kind, None)
    if service is None:
        folder = tmp_path_factory.mktemp("kill")
        shutil.copytree(pki, folder / "sandbox" / "pki")
        service = Service(folder, new_database(request, kind, folder))
    yield service
    if service.is_good:
        services[kind] = service
    else:
        service.stop()


def new_database(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    """The URL of a migrated database that lasts as long as the folder or its server."""
    if kind == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), folder / "database.sqlite3")
        return f"sqlite:///{folder}/database.sqlite3"
    server, name = request.getfixturevalue("postgresql_server"), f"kill_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('migrated_postgresql')}")
    return str(server).replace("/postgres?", f"/{name}?")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    databases = ["sqlite", "postgresql"]
    cases = [
        pytest.param(database, step, id=f"{database}-{step}")
        for number, step in enumerate(STEPS)
        for database in (databases if metafunc.config.getoption("whole") else [databases[number % 2]])
    ]
    metafunc.parametrize(("service", "step"), cases, indirect=["service"])


def test_a_kill_at_any_step_loses_and_doubles_nothing(service: Service, step: str) -> None:
    case = Case(service, STEPS.index(step))
    with service.killed_at(step):
        create_once(case)
        for number, person in enumerate((case.kari, case.ola), 1):
            sign_once(case, person, number)
        change = last_change(service)
        confirm(service, change)
    assert_whole(case)
    assert_verified(service, change)
    assert_mailed(case, at_most=2)
    service.is_good = True


def create_once(case: Case) -> None:
    """As a careful sender: after a lost answer, look whether the job is there before sending it again."""

    def create() -> bool:
        if not case.service.rows(f"SELECT id FROM job WHERE reference = '{case.number}'"):
            with case.service.client() as client:
                client.create(case.job)
        return True

    case.service.until(create)


def sign_once(case: Case, person: Person, number: int) -> None:
    """Sign through the pages; when the answer is lost, look whether the signature came about."""

    def sign() -> bool | None:
        status = dict(case.rows("number, status", "signer"))[number]
        agreed = case.rows("number", "signer JOIN signing ON signer.id = signer_id")
        if status == "WAITING" and (number,) not in agreed:
            people.sign(person, people.mail_to(person, case.service.said()["outbox"]))
        return True if status == "SIGNED" else None

    case.service.until(sign)


def last_change(service: Service) -> Any:
    """Poll until the job is completed; a change that was taken and never delivered comes back after ten minutes."""
    patience = iter(range(4))

    def poll() -> Any:
        with service.client() as client:
            change = client.get_status_change()
        if change.status is JobStatus.NO_CHANGES and next(patience, None) is None:
            service.move_clock(11 * 60)
        return change if change.status is JobStatus.COMPLETED_SUCCESSFULLY else None

    return service.until(poll)


def confirm(service: Service, change: Any) -> None:
    def confirmed() -> bool:
        with service.client() as client:
            client.confirm(change.confirmation_reference)
        return True

    service.until(confirmed)
    service.move_clock(11 * 60)
    with service.client() as client:
        assert client.get_status_change().status is JobStatus.NO_CHANGES


def assert_whole(case: Case) -> None:
    """One job with one row of each thing, each piece of work done once, and two changes reported: one per event."""
    job = case.service.rows(f"SELECT status FROM job WHERE reference = '{case.number}'")
    assert job == [("COMPLETED_SUCCESSFULLY",)]
    assert case.rows("number, status", "signer") == [(1, "SIGNED"), (2, "SIGNED")]
    kinds = case.rows("kind, number", "document", order="kind, number")
    made_once = [(kind, 1) for kind in ("laid_out", "manifest", "original", "pades", "pages")]
    assert kinds == [*made_once, ("xades", 1), ("xades", 2)]
    assert case.rows("version", "status_change") == [(2,)]
    # A mail whose sending was not recorded may be used before it is sent again.
    for work in ("signing", "sealing", "notification"):
        left = f"SELECT id FROM {work} WHERE due_at IS NOT NULL OR parked_at IS NOT NULL"
        case.service.until(lambda left=left: None if case.service.rows(left) else True)


def assert_verified(service: Service, change: Any) -> None:
    with service.client() as client:
        sealed = client.get_pades(change.pades_reference).read()
        xades = [client.get_xades(each.xades_reference).read() for each in change.signatures]
    trust = TrustAnchors.from_pem(Path(service.said()["server"]["trust_anchors"]).read_bytes())
    original = {CONTRACT.name: CONTRACT.read_bytes()}
    reports = pades.verify(sealed, trust=trust, documents=original, at=datetime.now(UTC) + timedelta(days=1))
    assert [(each.kind, each.verdict) for each in reports] == [
        ("PAdES", Verdict.PASSED),
        ("XAdES", Verdict.PASSED),
        ("XAdES", Verdict.PASSED),
    ]
    assert len(set(xades)) == 2


def assert_mailed(case: Case, at_most: int) -> None:
    mails = httpx.get(case.service.said()["outbox"], headers={"Accept": "application/json"}).json()
    for person in (case.kari, case.ola):
        assert 1 <= len([mail for mail in mails if mail["to"] == person.address]) <= at_most
