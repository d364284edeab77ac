"""`segl serve` as an operator runs it: several processes of each kind over PostgreSQL, stopped and misconfigured."""

import asyncio
import http.client
import signal
import socket
import ssl
import time
import tomllib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import certificate, subject
from running_sandbox import ROOT
from running_service import Operator, Process, free_ports, operator
from segl.sandbox.testing import people
from segl.sandbox.testing.people import Person
from segl.sdk import (
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
from segl.service.configuration import KeyFiles
from sockets import wait_until_read

PUBLIC = "123456789"
KARI = Person("kari@example.com", "01017012345", "Kari Nordmann")
OLA = Person("ola@example.com", "02028012345", "Ola Hansen")
JOB = Job(
    Document("Contract", "Please sign.", FileType.PDF, ROOT / "demo" / "contract.pdf"),
    [
        Signer(PersonalIdentificationNumber(KARI.number), Notifications(Email(KARI.address))),
        Signer(ContactInformation(email=Email(OLA.address))),
    ],
)


@dataclass(frozen=True)
class Ports:
    api: tuple[int, int]
    web: tuple[int, int]
    worker: tuple[int, int]


@pytest.fixture
def ports() -> Ports:
    first, second, third, fourth, fifth, sixth = free_ports(6)
    return Ports((first, second), (third, fourth), (fifth, sixth))


@pytest.fixture
def run(tmp_path: Path, postgresql_url: str, ports: Ports) -> Operator:
    """A configured service over PostgreSQL, of which nothing runs yet."""
    roots = {"api_root": f"https://127.0.0.1:{ports.api[0]}/api", "web_root": f"http://127.0.0.1:{ports.web[0]}"}
    made = operator(tmp_path, postgresql_url, **roots)
    made.done("migrate")
    made.done("organization", "add", PUBLIC, "--name", "Nordvik kommune", "--sector", "public")
    return made


def api(run: Operator, port: int, host: str = "127.0.0.1", **settings: str) -> AbstractContextManager[Process]:
    server = run.pki.server
    files = {"SEGL_API_CERTIFICATE": str(server.certificate), "SEGL_API_PRIVATE_KEY": str(server.private_key)}
    return run.serving("api", SEGL_API_LISTEN=f"{host}:{port}", **files, **settings)


def web(run: Operator, port: int) -> AbstractContextManager[Process]:
    return run.serving("web", SEGL_WEB_LISTEN=f"127.0.0.1:{port}")


def worker(run: Operator, port: int, **settings: str) -> AbstractContextManager[Process]:
    return run.serving("worker", SEGL_WORKER_LISTEN=f"127.0.0.1:{port}", **settings)


def client(run: Operator, port: int) -> PortalClient:
    return PortalClient(run.client(f"https://127.0.0.1:{port}/api"))


def test_two_processes_of_each_kind_are_one_service(run: Operator, ports: Ports) -> None:
    with ExitStack() as stack:
        for number in (0, 1):
            stack.enter_context(api(run, ports.api[number]))
            stack.enter_context(web(run, ports.web[number]))
            stack.enter_context(worker(run, ports.worker[number]))
        one, other = (stack.enter_context(client(run, port)) for port in ports.api)
        one.create(JOB)
        for person, port in ((KARI, ports.web[0]), (OLA, ports.web[1])):
            mail = people.mail_to(person, f"http://127.0.0.1:{port}/outbox")
            links = [link.replace(str(ports.web[0]), str(port)) for link in mail["links"]]
            people.sign(person, mail | {"links": links})
        change = completed(other)
        assert one.get_pades(change.pades_reference).read().startswith(b"%PDF-")
        one.confirm(change.confirmation_reference)
        assert other.get_status_change().status is JobStatus.NO_CHANGES


def test_the_api_may_have_an_ipv6_address(run: Operator, ports: Ports) -> None:
    root = f"https://[::1]:{ports.api[0]}/api"
    with api(run, ports.api[0], "[::1]", SEGL_API_ROOT=root), PortalClient(run.client(root)) as sender:
        assert sender.who_am_i() == f"You are {PUBLIC}"


def test_a_client_is_admitted_by_what_its_certificate_is_for_and_where_the_number_is(
    run: Operator, ports: Ports
) -> None:
    seid_1 = subject("NORDVIK KOMMUNE", serial_number=PUBLIC)
    with api(run, ports.api[0]):
        assert asked(run, ports.api[0], run.issued(seid_1)) == (200, f"You are {PUBLIC}")
        assert asked(run, ports.api[0], run.issued(seid_1, ExtendedKeyUsageOID.CLIENT_AUTH))[0] == 200
        named = run.issued(subject(f"www.{PUBLIC}.no"), ExtendedKeyUsageOID.CLIENT_AUTH)
        status, message = asked(run, ports.api[0], named)
        assert status == 403
        assert "names no organization number where it counts" in message
        # TLS itself refuses these two; OpenSSL wants clientAuth by name.
        for purpose in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE):
            with pytest.raises(OSError):  # noqa: PT011 - an alert or a reset
                asked(run, ports.api[0], run.issued(seid_1, purpose))


def asked(run: Operator, port: int, client: KeyFiles) -> tuple[int, str]:
    """What the API answers to a client with this certificate that asks who it is."""
    context = ssl.create_default_context(cafile=run.pki.trust_anchors)
    context.load_cert_chain(client.certificate, client.private_key)
    with closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)) as connection:
        connection.request("GET", f"/api/{PUBLIC}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def completed(polling: PortalClient) -> Any:
    deadline = time.monotonic() + 60
    while (change := polling.get_status_change()).status is not JobStatus.COMPLETED_SUCCESSFULLY:
        assert time.monotonic() < deadline, "the job is not completed"
        time.sleep(change.seconds_until_next_poll)
    return change


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_a_slow_upload_end_with_its_job(run: Operator, ports: Ports, number: signal.Signals) -> None:
    with api(run, ports.api[0]) as serving, client(run, ports.api[0]) as sender:
        request = next(sender._calls.create(JOB))
        [files] = [each for each in run.pki.organizations if each.organization.number == PUBLIC]
        context = ssl.create_default_context(cafile=run.pki.trust_anchors)
        context.load_cert_chain(files.certificate, files.private_key)
        connection = http.client.HTTPSConnection("127.0.0.1", ports.api[0], timeout=10, context=context)
        connection.putrequest("POST", httpx.URL(request.url).path)
        content = b"".join(request.content)
        for name, value in {**request.headers, "Content-Length": str(len(content))}.items():
            connection.putheader(name, value)
        connection.endheaders(content[:20_000])
        wait_until_read(connection.sock)
        serving.process.send_signal(number)
        wait_until_closed(ports.api[0])
        connection.send(content[20_000:])
        answer = connection.getresponse()
        assert (answer.status, b"signature-job-id" in answer.read()) == (200, True)
        connection.close()
        assert serving.process.wait(10) == 0
    assert rows(run, "SELECT count(*) FROM job") == [(1,)]


def wait_until_closed(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("it still accepts connections")


def test_a_stopped_worker_ends_what_it_has_begun(run: Operator, ports: Ports) -> None:
    with slow_mail() as inbox, api(run, ports.api[0]), client(run, ports.api[0]) as sender:
        smtp = {"SEGL_MAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", "SEGL_MAIL_HOST": "127.0.0.1"}
        with worker(run, ports.worker[0], **smtp, SEGL_MAIL_PORT=str(inbox.port)) as working:
            sender.create(replace(JOB, signers=JOB.signers[:1]))
            inbox.wait_for_mail()
            working.process.terminate()
            assert working.process.wait(15) == 0
    assert inbox.accepted == 1
    assert rows(run, "SELECT due_at, lease_until, last_error FROM notification") == [(None, 0, "")]


class SlowInbox:
    """Takes two seconds for each mail."""

    port = 0

    def __init__(self) -> None:
        self.begun = self.accepted = 0

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.begun += 1
        await asyncio.sleep(2)
        self.accepted += 1
        return "250 OK"

    def wait_for_mail(self) -> None:
        deadline = time.monotonic() + 20
        while not self.begun:
            assert time.monotonic() < deadline, "no mail came"
            time.sleep(0.02)
        assert self.accepted == 0


@contextmanager
def slow_mail() -> Iterator[SlowInbox]:
    inbox = SlowInbox()
    [inbox.port] = free_ports(1)
    controller = Controller(inbox, hostname="127.0.0.1", port=inbox.port)
    controller.start()
    yield inbox
    controller.stop()


def rows(run: Operator, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url(run)) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]  # ours, no user's


def test_health_needs_no_certificates_and_readiness_follows_the_database(run: Operator, ports: Ports) -> None:
    proxied = {
        "SEGL_API_PROXY_LISTEN": f"127.0.0.1:{ports.api[1]}",
        "SEGL_API_PROXY_TRUSTED": "192.0.2.1",
        "SEGL_API_PROXY_HEADER": "Client-Cert",
    }
    with (
        run.serving("api", **proxied),
        web(run, ports.web[0]),
        worker(run, ports.worker[0]) as working,
    ):
        probed = (ports.api[1], ports.web[0], ports.worker[0])
        for port in probed:
            assert eventually(port, "readyz", 200) == "ok\n"
            assert health(port, "healthz") == (200, "ok\n")
        assert health(ports.worker[0], "outbox") == (404, "not found\n")
        with psycopg.connect(database_url(run), autocommit=True) as connection:
            connection.execute("ALTER TABLE django_migrations RENAME TO hidden")
        for port in probed:
            assert eventually(port, "readyz", 503) == "not ready\n"
            assert health(port, "healthz") == (200, "ok\n")
        assert "Not ready: " in working.log


def test_a_worker_warns_of_a_seal_that_ends_soon(run: Operator, ports: Ports) -> None:
    seal, issuer = x509.load_pem_x509_certificates(run.pki.seal.certificate.read_bytes())
    issuer_key = load_pem_private_key(run.pki.seal.private_key.with_name("seal-ca-key.pem").read_bytes(), None)
    key = load_pem_private_key(run.pki.seal.private_key.read_bytes(), None)
    end = datetime.now(UTC) + timedelta(days=10)
    ending = certificate(seal.subject, key, issuer.subject, issuer_key, not_after=end)  # type: ignore[arg-type]  # both EC
    file = run.folder / "ending.pem"
    file.write_bytes(ending.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM))
    with worker(run, ports.worker[0], SEGL_SEAL_CERTIFICATE=str(file)) as working:
        deadline = time.monotonic() + 10
        while "in the setting `seal.certificate` expires" not in working.log:
            assert time.monotonic() < deadline, working.log
            time.sleep(0.02)


def test_the_log_has_times_with_their_offset_from_utc(broken: Operator) -> None:
    [port] = free_ports(1)
    with web(broken, port) as serving:
        logged_at = datetime.fromisoformat(serving.log.split()[0])
    assert timedelta() <= datetime.now(UTC) - logged_at < timedelta(minutes=1)


def database_url(run: Operator) -> str:
    return str(tomllib.loads(run.configuration.read_text())["database"])


def health(port: int, path: str) -> tuple[int, str]:
    answer = httpx.get(f"http://127.0.0.1:{port}/{path}", headers={"Host": "any.example"}, trust_env=False)
    return answer.status_code, answer.text


def eventually(port: int, path: str, status: int) -> str:
    deadline = time.monotonic() + 20
    while (answer := health(port, path))[0] != status:
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    return answer[1]


def test_others_than_the_proxy_are_refused_on_its_listener(run: Operator, ports: Ports) -> None:
    proxied = {
        "SEGL_API_PROXY_LISTEN": f"127.0.0.1:{ports.api[1]}",
        "SEGL_API_PROXY_TRUSTED": "192.0.2.0/24",
        "SEGL_API_PROXY_HEADER": "Client-Cert",
    }
    with run.serving("api", **proxied):
        answer = httpx.get(f"http://127.0.0.1:{ports.api[1]}/api/{PUBLIC}", trust_env=False)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/xml")
    assert "proxy may call this address" in answer.text.replace("'", "&apos;")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """A service over SQLite that could be started."""
    folder = tmp_path_factory.mktemp("broken")
    made = operator(folder, "sqlite:///segl.sqlite3")
    made.done("migrate")
    (folder / "nonsense").write_text("nonsense")
    return made


LISTEN = {"SEGL_API_PROXY_LISTEN": "127.0.0.1:1"}


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        ("web", {"SEGL_CONFIG": "gone.toml"}, "The configuration file gone.toml cannot be read: No such file"),
        ("web", {"SEGL_CONFIG": "{folder}/nonsense"}, "nonsense is not valid TOML"),
        ("web", {"SEGL_WEB_LISTN": "x"}, "SEGL_WEB_LISTN is not a setting: did you mean SEGL_WEB_LISTEN?"),
        ("web", {}, "The pages have no listener: set `web.listen`."),
        ("web", {"SEGL_WEB_LISTEN": "192.0.2.1:80"}, "Cannot listen on 192.0.2.1:80, the setting `web.listen`: "),
        ("api", {}, "The API has no listener: set `api.proxy.listen` (behind a proxy) or `api.listen`"),
        ("api", LISTEN, "The setting `api.proxy.trusted` is missing: add it to the configuration file, or set"),
        ("api", LISTEN, "The setting `api.proxy.header` is missing: add it to the configuration file, or set"),
        ("worker", {"SEGL_MASTER_KEY_FILE": "gone"}, "cannot be read (No such file or directory)"),
        ("worker", {"SEGL_MASTER_KEY_FILE": "nonsense"}, "make a key with `openssl rand -hex 32`"),
        ("worker", {"SEGL_SEAL_CERTIFICATE": "gone"}, "The setting `seal.certificate` names {folder}/gone, which"),
        ("worker", {"SEGL_SANDBOX": "false"}, "`sandbox = true` is for the throw-away PKI"),
        ("worker", {"SEGL_DATABASE": "sqlite:///empty"}, "The database is not up to date: run `segl migrate` first"),
        ("worker", {"SEGL_DATABASE": "postgresql://u:secret@127.0.0.1:1/x"}, "The database cannot be used: "),
        ("worker", {"SEGL_DATABASE": "mysql://u:secret@127.0.0.1/x"}, "'mysql' is not supported"),
        (
            "worker",
            {"SEGL_MAIL_BACKEND": "smtp"},
            "`mail.backend` is 'smtp', which cannot be loaded: smtp doesn't look",
        ),
        (
            "worker",
            {"SEGL_MAIL_BACKEND": "segl.gone.Backend"},
            "cannot be loaded: No module named 'segl.gone'. Write the",
        ),
        ("api", {"SEGL_MAIL_BACKEND": "pathlib.Path"}, "which has no method send_messages: write the dotted name of a"),
        (
            "web",
            {"SEGL_SMS_GATEWAY": "segl.sandbox.stand_ins.outbox.Gone"},
            "`sms.gateway` is 'segl.sandbox.stand_ins.outbox.Gone', which ",
        ),
        (
            "web",
            {"SEGL_SMS_GATEWAY": "pathlib.Path"},
            "which has no method send: write the dotted name of a class like",
        ),
        ("worker", {"SEGL_DOCUMENTS": "/proc/segl"}, "The place named by the setting `documents` is not writable: "),
        ("worker", {"SEGL_DOCUMENTS": "s3://"}, "write a folder, or s3://BUCKET or s3://BUCKET/PREFIX"),
    ],
)
def test_a_wrong_configuration_is_reported_at_the_start(
    broken: Operator, kind: str, settings: dict[str, str], sentence: str
) -> None:
    given = {name: value.format(folder=broken.folder) for name, value in settings.items()}
    ended = broken.command("serve", kind, **given)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence.format(folder=broken.folder) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr


def test_all_problems_are_reported_at_once(broken: Operator) -> None:
    wrong = {"SEGL_MAIL_PORT": "0", "SEGL_API_ROOT": "http://127.0.0.1", "SEGL_POLL_INTERVAL_SECONDS": "soon"}
    assert len(broken.command("serve", "api", **wrong).stderr.splitlines()) == 3
    lacking = {"SEGL_DATABASE": "sqlite:///empty", "SEGL_DOCUMENTS": "/proc/segl", "SEGL_SEAL_CERTIFICATE": "gone"}
    assert len(broken.command("serve", "api", **lacking).stderr.splitlines()) == 3


def test_a_port_in_use_is_reported(broken: Operator) -> None:
    [port] = free_ports(1)
    with web(broken, port):
        ended = broken.command("serve", "web", SEGL_WEB_LISTEN=f"127.0.0.1:{port}")
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}, the setting `web.listen`: Address already in use" in ended.stderr
