"""Whether one organization and one signer can hold up all others: how long others wait while these do their worst.

An organization sends PDFs that take seconds to inspect, 25 in parallel, as fast as it may; a signer asks for six
pictures of pages in parallel, again and again. Meanwhile other organizations create jobs with a new letter each, and
other signers view their pages. Prints their median and longest times, alone and meanwhile, and fails if a median is
more than three times as long or one took over 10 seconds.

    .venv/bin/python bench/fairness.py
"""

import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPException, HTTPSConnection
from io import BytesIO
from itertools import cycle
from json import loads
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pikepdf
from api import BROKER, LETTER, SENDERS, Call, create_call, new_letter, perform, running

from segl.sandbox.testing.people import Person, mail_to, reach
from segl.sdk import ClientConfiguration, ContactInformation, Document, Email, FileType, Job, PortalClient, Signer
from segl.sdk.tls import client_context

HEAVY, HEAVY_AT_ONCE = "310248711", 25
PICTURES_AT_ONCE = 6
OTHERS = 3
CALLS_A_SECOND = 9  # below the limit for one sender
QUIET_SECONDS, BUSY_SECONDS, LEAD_SECONDS = 15, 60, 10
MOST_TIMES, MOST_SECONDS = 3, 10
Times = dict[str, list[float]]
View = tuple[str, str]
"""The address of a signer's page, and the cookies that open it."""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as ready_file, ExitStack() as stack:
        perform(ready_file, [("GET", "/api/register", b"", {})])
        jobs = [("heavy", drawing(6, 3_000)), *((f"other{number}", LETTER) for number in range(OTHERS))]
        views = [view_of(stack, ready_file, *each) for each in jobs]
        measured(ready_file, views[1:], 3)  # warms up
        quiet = measured(ready_file, views[1:], QUIET_SECONDS)
        with doing_their_worst(ready_file, views[0]) as answers:
            busy = measured(ready_file, views[1:], BUSY_SECONDS)
            print("The heavy ones were answered:", dict(answers()))
    return report(quiet, busy)


def report(quiet: Times, busy: Times) -> int:
    failed = False
    for name, alone in quiet.items():
        times = busy[name]
        before, now = statistics.median(alone), statistics.median(times) if times else float("inf")
        longest = max(times, default=float("inf"))
        failed = failed or now > MOST_TIMES * before or longest > MOST_SECONDS
        print(
            f"{name:12} alone {before * 1000:5.0f} ms; meanwhile {now * 1000:7.0f} ms, {now / before:5.2f} x; "
            f"longest {longest:5.2f} s; {len(times)} in {BUSY_SECONDS} s"
        )
    return int(failed)


def measured(ready_file: Path, views: list[View], seconds: float) -> Times:
    """How long others' calls take, one after the other for each kind; a call that fails takes for ever."""
    browser = httpx.Client(trust_env=False, timeout=60)
    broker = Caller(ready_file, BROKER)
    turns, pages = cycle(SENDERS), cycle(views)

    def create() -> bool:
        return broker.call(create_call(broker.key, next(turns), new_letter()))[0] < httpx.codes.MULTIPLE_CHOICES

    def view() -> bool:
        url, cookies = next(pages)
        return browser.get(url, headers={"Cookie": cookies}).status_code == httpx.codes.OK

    until = time.perf_counter() + seconds
    times: Times = {"create": [], "page view": []}

    def repeat(name: str, call: Callable[[], bool]) -> None:
        while (began := time.perf_counter()) < until:
            succeeded = call()
            times[name].append(time.perf_counter() - began if succeeded else float("inf"))

    threads = [threading.Thread(target=repeat, args=each) for each in (("create", create), ("page view", view))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return times


@contextmanager
def doing_their_worst(ready_file: Path, view: View) -> Iterator[Callable[[], Counter[str]]]:
    """In a process of its own, so that it takes nothing from those who measure; yields what it was answered."""
    context = get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=do_worst, args=[ready_file, view, answers], daemon=True)
    process.start()
    time.sleep(LEAD_SECONDS)

    def answered() -> Counter[str]:
        found: Counter[str] = Counter()
        while not answers.empty():
            found[answers.get()] += 1
        return found

    try:
        yield answered
    finally:
        process.kill()
        process.join()


def do_worst(ready_file: Path, view: View, answers: Any) -> None:
    sender = Caller(ready_file, HEAVY)
    content, pace, turn = drawing(20, 15_000), threading.Lock(), iter(range(sys.maxsize))

    def send() -> None:
        while True:
            with pace:
                time.sleep(1 / CALLS_A_SECOND)
            call = create_call(sender.key, HEAVY, content + b"%" + str(next(turn)).encode())
            try:
                status, retry_after = sender.call(call)
            except (OSError, HTTPException) as error:
                status, retry_after = type(error).__name__, 1
            answers.put(f"create {status}")
            time.sleep(retry_after)

    def look(page: int) -> None:
        url, cookies = view
        with httpx.Client(headers={"Cookie": cookies}, timeout=60, trust_env=False) as browser:
            while True:
                status = browser.get(f"{url}/documents/1/pages/{page}/picture?w=1440").status_code
                answers.put(f"picture {status}")
                time.sleep(0 if status == httpx.codes.OK else 1)

    threads = [threading.Thread(target=send) for _ in range(HEAVY_AT_ONCE)]
    threads += [threading.Thread(target=look, args=[page]) for page in range(1, PICTURES_AT_ONCE + 1)]
    for each in threads:
        each.start()


class Caller:
    """An organization that calls the API, each time on a new connection."""

    def __init__(self, ready_file: Path, number: str) -> None:
        configuration = ClientConfiguration.sandbox(ready_file, number)
        self._root = urlsplit(configuration.environment.api_root)
        self.key = configuration.certificate
        self._tls = client_context(
            anchors=configuration.environment.anchors(),
            organization_number=configuration.environment.organization_number,
            key=self.key,
        )

    def call(self, call: Call) -> tuple[int, float]:
        """Make one call; return its status, and after how many seconds to try again."""
        host, port = str(self._root.hostname), self._root.port
        with closing(HTTPSConnection(host, port, context=self._tls, timeout=120)) as connection:
            connection.request(*call)
            response = connection.getresponse()
            response.read()
            return response.status, float(response.headers.get("Retry-After", "0"))


def view_of(stack: ExitStack, ready_file: Path, name: str, content: bytes) -> View:
    """Create a job, and open its page as its signer."""
    person = Person(f"{name}@example.com", "", name)
    with PortalClient(ClientConfiguration.sandbox(ready_file, "123456789")) as client:
        document = Document("Document", None, FileType.PDF, content)
        client.create(Job(document, [Signer(ContactInformation(email=Email(person.address)))]))
    mail = mail_to(person, loads(ready_file.read_text())["outbox"])
    browser = stack.enter_context(httpx.Client(follow_redirects=True, trust_env=False, timeout=60))
    page = reach(browser, person, mail, lambda page: page.button("Logg ut") is not None or None)
    return page.url, "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


def drawing(pages: int, strokes: int) -> bytes:
    """A PDF whose pages take long to draw, by so many strokes on each."""
    content = b"".join(
        b"%d %d m %d %d l S\n" % (n * 7 % 595, n * 13 % 842, n * 29 % 595, n * 31 % 842) for n in range(strokes)
    )
    with pikepdf.Pdf.new() as document:
        shared = document.make_stream(content)
        for _ in range(pages):
            document.add_blank_page(page_size=(595, 842)).Contents = shared
        document.save(saved := BytesIO())
    return saved.getvalue()


if __name__ == "__main__":
    sys.exit(main())
