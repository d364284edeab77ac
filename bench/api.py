"""How many jobs a sandbox accepts and how many polls it answers in a second, over mutual TLS on connections kept alive.

The floors, in the same run, are views on the same listener that do nothing, called without a body and with one as
large as a job's. A broker sends for many organizations: a letter of about 22 KB in a package signed for each job, and
active later, so that no mail is sent meanwhile. It is the same letter for all, or a new one for each.

    .venv/bin/python bench/api.py
"""

import json
import math
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path
from ssl import SSLContext
from urllib.parse import urlsplit

import typst

from segl.core import asice
from segl.core.asice import PackageFile
from segl.core.keys import SigningKey
from segl.core.protocol import (
    Availability,
    ContactInformation,
    Email,
    ManifestDocument,
    PortalJobRequest,
    PortalManifest,
    Signer,
)
from segl.sandbox.run import run_sandbox
from segl.sdk import ClientConfiguration
from segl.sdk.tls import client_context

LETTER = typst.compile(b"= Letter\n *#lorem(40)*\n\n #lorem(700)")
BROKER = "318602352"
SENDERS = [f"9{number:08}" for number in range(200)]
CONNECTIONS = 4
CALLS = 50  # on each connection in a round: packages are signed beforehand and valid for some seconds only
ROUNDS = 5
Call = tuple[str, str, bytes, dict[str, str]]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as ready_file:
        kinds: dict[str, Callable[[int], list[Call]]] = {
            "trivial view": trivial_calls,
            "trivial view with a body": trivial_calls_with_body,
            "create, the same letter": lambda number: create_calls(ready_file, number, lambda: LETTER),
            "create, a letter each": lambda number: create_calls(ready_file, number, new_letter),
            "poll, nothing new": poll_empty_calls,
            "poll, a change": poll_calls,
        }
        perform(ready_file, [("GET", "/api/register", b"", {})])
        rounds = [measured(ready_file, kinds) for _ in range(ROUNDS + 1)][1:]
    print(f"The letter has {len(LETTER)} bytes. Medians of {ROUNDS} rounds; each includes the trivial view.")
    for name in kinds:
        each, without, with_body = (
            statistics.median(rates[name] / floor(rates) for rates in rounds)
            for floor in (lambda _: 1, itemgetter("trivial view"), itemgetter("trivial view with a body"))
        )
        print(f"{name:24} {each:6.0f} a second: {without:.2f} x the trivial view, {with_body:.2f} x with a body")


def measured(ready_file: Path, kinds: Mapping[str, Callable[[int], list[Call]]]) -> dict[str, float]:
    """Run one round and return the rate of each kind of call."""
    rates = {}
    for name, calls in kinds.items():
        if name == "poll, a change":
            perform(ready_file, [("GET", "/api/cancel-all", b"", {})])
        rates[name] = rate(ready_file, calls)
    return rates


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Run a sandbox with a trivial view and more organizations; yield its ready file."""
    ready_file = folder / "ready.json"
    with subprocess.Popen([sys.executable, __file__, "serve", str(folder)]) as process:
        while not ready_file.exists():
            time.sleep(0.05)
        try:
            yield ready_file
        finally:
            process.terminate()


def serve(folder: Path) -> None:
    def on_ready(_: object) -> None:
        from django.http import HttpResponse
        from django.urls import path
        from django.views.decorators.csrf import csrf_exempt

        from segl.service.jobs.cancelling import cancel_job
        from segl.service.sender_api.urls import urlpatterns
        from segl.service.store.models import Job, Organization

        def register(_: object) -> HttpResponse:
            made = [Organization(number=number, name=number, sector="private") for number in SENDERS]
            Organization.objects.get(pk=BROKER).broker_for.add(*Organization.objects.bulk_create(made))
            return HttpResponse()

        def cancel_all(_: object) -> HttpResponse:
            for job in Job.objects.select_related("sender").filter(status="IN_PROGRESS"):
                cancel_job(sender=job.sender, job_id=job.pk)
            return HttpResponse()

        trivial = csrf_exempt(lambda _: HttpResponse(b"nothing"))
        views = {"trivial": trivial, "register": register, "cancel-all": cancel_all}
        urlpatterns[:0] = [path(f"api/{name}", view) for name, view in views.items()]

    run_sandbox(folder=folder, ready_file=folder / "ready.json", on_ready=on_ready)


def rate(ready_file: Path, calls: Callable[[int], list[Call]]) -> float:
    """Return calls per second, by a process per connection, all at once."""
    context = get_context("fork")
    start, times = context.Barrier(CONNECTIONS), context.SimpleQueue()

    def drive(number: int) -> None:
        took = math.inf
        try:
            took = perform(ready_file, calls(number), start.wait)
        finally:
            times.put(took)

    drivers = [context.Process(target=drive, args=[number]) for number in range(CONNECTIONS)]
    for each in drivers:
        each.start()
    slowest = max(times.get() for _ in drivers)
    for each in drivers:
        each.join()
    return CONNECTIONS * CALLS / slowest


def perform(ready_file: Path, calls: Sequence[Call], wait: Callable[[], object] = lambda: None) -> float:
    """Make the calls on one connection, and return how many seconds they took after it was established."""
    root = urlsplit(json.loads(ready_file.read_text())["api_root"])
    with closing(HTTPSConnection(str(root.hostname), root.port, context=tls_of(ready_file))) as connection:
        connection.connect()
        wait()
        began = time.perf_counter()
        for method, path, body, headers in calls:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
            if response.status >= 300:
                raise RuntimeError(content)
        return time.perf_counter() - began


def tls_of(ready_file: Path) -> SSLContext:
    configuration = ClientConfiguration.sandbox(ready_file, BROKER)
    environment = configuration.environment
    return client_context(
        anchors=environment.anchors(),
        organization_number=environment.organization_number,
        key=configuration.certificate,
    )


def trivial_calls(_: int) -> list[Call]:
    return [("GET", "/api/trivial", b"", {})] * CALLS


def trivial_calls_with_body(_: int) -> list[Call]:
    return [
        ("POST", "/api/trivial", bytes(len(LETTER) + 8000), {"Content-Type": "multipart/mixed; boundary=x"})
    ] * CALLS


def new_letter() -> bytes:
    return LETTER + b"%" + secrets.token_hex(8).encode()


def poll_calls(number: int) -> list[Call]:
    return [("GET", f"/api/{each}/portal/signature-jobs", b"", {}) for each in senders(number)]


def poll_empty_calls(number: int) -> list[Call]:
    """Poll a different queue each time: an empty one may not be polled again at once."""
    return [
        (method, f"{path}?polling_queue={secrets.token_hex(4)}", *more) for method, path, *more in poll_calls(number)
    ]


def create_calls(ready_file: Path, number: int, letter: Callable[[], bytes]) -> list[Call]:
    key = ClientConfiguration.sandbox(ready_file, BROKER).certificate
    return [create_call(key, each, letter()) for each in senders(number)]


def create_call(key: SigningKey, sender: str, letter: bytes) -> Call:
    manifest = PortalManifest(
        signers=(Signer(ContactInformation(Email("someone@example.com"))),),
        sender=sender,
        title="Letter",
        documents=(ManifestDocument("Letter", "letter.pdf", "application/pdf"),),
        availability=Availability(activation_time=datetime.now(UTC) + timedelta(days=1)),
    )
    package = asice.build(
        manifest=manifest.to_xml(),
        documents=[PackageFile("letter.pdf", "application/pdf", letter)],
        key=key,
        signing_time=datetime.now(UTC) + timedelta(seconds=4),  # so that it is valid for nine seconds
    )
    body = (
        b"--segl\r\nContent-Type: application/xml\r\n\r\n"
        + PortalJobRequest("reference").to_xml()
        + b"\r\n--segl\r\nContent-Type: application/octet-stream\r\n\r\n"
        + package
        + b"\r\n--segl--\r\n"
    )
    headers = {"Content-Type": "multipart/mixed; boundary=segl"}
    return "POST", f"/api/{sender}/portal/signature-jobs", body, headers


def senders(number: int) -> list[str]:
    """Return the senders a connection calls for: its share of all, repeated."""
    share = SENDERS[number::CONNECTIONS]
    return [share[index % len(share)] for index in range(CALLS)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]))
    else:
        main()
