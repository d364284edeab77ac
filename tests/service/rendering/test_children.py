"""Rendering children: what limits a hostile PDF, and what happens to the processes that read it."""

import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image

import pdfs
from configured import configured
from segl.core.errors import InvalidDocument
from segl.service import configuration, rendering
from segl.service.rendering import PdfFacts, children, wire
from segl.service.rendering.children import RenderingUnavailableError, _keeper, run
from segl.service.rendering.limits import MEBIBYTE, Limits

PAGE = pdfs.pdf("Text")
GIVEN_UP = "could not be processed within the limits"


def inspect(pdf: bytes) -> PdfFacts:
    [found] = rendering.inspect({"a.pdf": pdf})
    return found.facts


def endless_drawing(depth: int = 8) -> bytes:
    """A page of a few kilobytes that takes minutes to draw: a form that draws a form that draws a form…"""

    def fill(document: Pdf) -> None:
        drawn = document.make_indirect(Stream(document, b"0 0 500 700 re f\n" * 100))
        for _ in range(depth):
            outer = Stream(document, b"/X Do\n" * 30)
            outer.Resources = Dictionary(XObject=Dictionary(X=_form(drawn)))
            drawn = document.make_indirect(outer)
        page = document.add_blank_page(page_size=pdfs.A4)
        page.Resources = Dictionary(XObject=Dictionary(X=_form(drawn)))
        page.Contents = Stream(document, b"/X Do")

    return pdfs.made(fill)


def _form(stream: Stream) -> Stream:
    stream.Type, stream.Subtype, stream.BBox = Name.XObject, Name.Form, Array([0, 0, 500, 700])
    return stream


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    """Whether the process ends within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.01)
    return False


def test_a_page_that_takes_too_much_processor_time_is_given_up() -> None:
    started = time.monotonic()
    with pytest.raises(InvalidDocument, match="more than 1 seconds of processor time"):
        run("page_image", Limits(cpu_seconds=1), pdf=endless_drawing(), page=1, width=1000)
    assert time.monotonic() - started < Limits().wall_seconds


def test_a_child_that_gets_too_little_of_the_processor_is_no_fault_of_the_document() -> None:
    with pytest.raises(RenderingUnavailableError, match="too little of the processors' time"):
        run("page_image", Limits(wall_seconds=1), pdf=endless_drawing(), page=1, width=1000)


def test_a_page_that_takes_too_much_memory_is_given_up() -> None:
    small = Limits(memory=250 * MEBIBYTE)
    run("page_image", small, pdf=PAGE, page=1, width=1000)
    run("page_image", pdf=PAGE, page=1, width=3500)
    with pytest.raises(InvalidDocument, match="too much memory"):
        run("page_image", small, pdf=PAGE, page=1, width=3500)


def test_a_document_is_passed_as_a_separate_file() -> None:
    content = bytearray(PAGE)
    assert rendering.inspect({"a.pdf": memoryview(content)})[0].facts == inspect(PAGE)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.Task("inspect", {"pdf": pickle.PickleBuffer(content), "empty": pickle.PickleBuffer(b"")}, Limits()).send(
            ours
        )
        content[:] = bytes(len(content))
        received = wire.receive(theirs)
    assert received.arguments == {"pdf": PAGE, "empty": b""}
    assert received.arguments["pdf"].readonly


def test_a_result_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="more than the 100 allowed"):
        run("page_image", Limits(result=100), pdf=PAGE, page=1, width=1000)


def test_the_next_document_is_not_affected_and_no_dead_child_is_left() -> None:
    with pytest.raises(InvalidDocument):
        run("page_image", Limits(cpu_seconds=1), pdf=endless_drawing(), page=1, width=1000)
    assert inspect(PAGE).pages == 1
    zygote = _keeper.running().process.pid
    assert all(gone(child) for child in children_of(zygote))


def busy_child() -> int:
    """The only child, once it has its task, which a zygote that has just started may take seconds to fork."""
    zygote = _keeper.running().process.pid
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for child in children_of(zygote):
            if is_limited(child):
                return child
        time.sleep(0.01)
    raise AssertionError("there is no busy child")


def is_limited(pid: int) -> bool:
    """Whether it has read its task and limited itself."""
    return resource.prlimit(pid, resource.RLIMIT_NOFILE) == (0, 0)


def test_many_threads_are_served_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(rendering.read_pages, [pdfs.pdf(str(number)) for number in range(40)]))
    assert [page.text for (page,) in map(rendering.read_contents, read)] == [str(number) for number in range(40)]


def test_no_more_children_run_at_once_than_are_configured() -> None:
    few = replace(configuration.current().rendering, children=2)
    with configured(rendering=few), ThreadPoolExecutor(8) as threads:
        drawn = [threads.submit(rendering.page_image, endless_drawing(depth=1), page=1, width=300) for _ in range(6)]
        at_once = set()
        while not all(each.done() for each in drawn):
            at_once.add(len(children_of(_keeper.running().process.pid)))
    assert max(at_once) == 2
    assert all(each.result() for each in drawn)


def test_a_task_waits_for_its_turn_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "LONGEST_WAIT_SECONDS", 0.05)
    with configured(rendering=replace(configuration.current().rendering, children=1)):
        with children.turn():
            for task in (lambda: inspect(PAGE), lambda: rendering.typeset_texts({"a.txt": b"a"})):
                with pytest.raises(RenderingUnavailableError, match="no rendering process was free"):
                    task()
        assert inspect(PAGE).pages == 1


def test_the_memory_of_each_task_is_configured() -> None:
    wide = pdfs.pdf("Text")
    assert rendering.page_image(wide, page=1, width=3500)
    with configured(rendering=replace(configuration.current().rendering, page_memory=200 * MEBIBYTE)):
        assert inspect(wide).pages == 1
        with pytest.raises(InvalidDocument, match="too much memory"):
            rendering.page_image(wide, page=1, width=3500)


def test_a_zygote_that_was_killed_is_replaced() -> None:
    inspect(PAGE)
    killed = _keeper.running().process
    killed.send_signal(signal.SIGKILL)
    assert inspect(PAGE).pages == 1
    assert _keeper.running().process.pid != killed.pid


def test_a_task_whose_child_is_killed_from_outside_is_done_by_another() -> None:
    with ThreadPoolExecutor(1) as thread:
        drawn = thread.submit(run, "page_image", pdf=endless_drawing(depth=1), page=1, width=500)
        os.kill(busy_child(), signal.SIGKILL)
        assert Image.open(BytesIO(drawn.result())).width == 500


def test_a_task_whose_children_are_killed_from_outside_can_be_asked_for_again_later() -> None:
    with ThreadPoolExecutor(1) as thread:
        drawn = thread.submit(run, "page_image", pdf=endless_drawing(), page=1, width=1000)
        for _ in range(2):
            child = busy_child()
            os.kill(child, signal.SIGKILL)
            assert gone(child)
        with pytest.raises(RenderingUnavailableError, match="killed twice from outside"):
            drawn.result()
    assert inspect(PAGE).pages == 1


@pytest.mark.parametrize("crash", [signal.SIGSEGV, signal.SIGABRT])
def test_a_child_that_crashes_has_failed_at_its_document(crash: signal.Signals) -> None:
    with ThreadPoolExecutor(1) as thread:
        drawn = thread.submit(run, "page_image", pdf=endless_drawing(), page=1, width=1000)
        os.kill(busy_child(), crash)
        with pytest.raises(InvalidDocument, match=GIVEN_UP):
            drawn.result()


def test_a_child_whose_client_has_gone_is_stopped() -> None:
    task = wire.Task("page_image", {"pdf": endless_drawing(), "page": 1, "width": 1000}, Limits())
    with _keeper.running().child(task.limits) as (stream, _):
        task.send(stream)
        child = busy_child()
    assert gone(child)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Some 1,100 more of them are open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, before[1]))
    with ExitStack() as opened:
        for _ in range(1100):
            opened.enter_context(Path(os.devnull).open())
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_zygote_starts_in_a_process_with_many_descriptors(many_descriptors: None) -> None:
    _keeper.running().process.kill()
    assert inspect(PAGE).pages == 1


def test_a_service_without_descriptors_cannot_process_documents_at_present() -> None:
    inspect(PAGE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with pytest.raises(RenderingUnavailableError):
            inspect(PAGE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert inspect(PAGE).pages == 1


def test_a_forked_process_has_its_own_zygote() -> None:
    inspect(PAGE)
    ours = _keeper.running().process.pid
    child = os.fork()
    if not child:
        works = inspect(PAGE).pages == 1
        other = _keeper.running().process.pid
        _keeper.stop()
        os._exit(0 if works and other != ours else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert inspect(PAGE).pages == 1
    assert _keeper.running().process.pid == ours


def test_the_zygote_knows_nothing_of_the_service_and_dies_with_it() -> None:
    program = (
        "import sys; from segl.service.rendering import children; children.warm_up(); "
        "print(children._keeper.zygote.process.pid, flush=True); sys.stdin.read()"
    )
    secretive = os.environ | {"SECRET": "in the environment"}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=secretive, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout
        zygote = int(service.stdout.readline())
        assert Path(f"/proc/{zygote}/environ").read_bytes() == b""
        service.kill()
        service.wait()
    assert gone(zygote)


@pytest.mark.parametrize("cut", [0, 1, 5, 9, 12])
def test_a_truncated_answer_counts_as_none(cut: int) -> None:
    whole = wire.answer(wire.DONE, b"result")
    assert wire.read_answer(whole) == (wire.DONE, b"result")
    assert wire.read_answer(whole[:cut]) == (wire.FAILED, b"the child died")


LOCKED_DOWN = """
import os, socket
from segl.service.rendering.limits import Limits, limit_resources, lock_down
limit_resources(Limits())
os.close(0)
lock_down()
for attempt in (lambda: open("/dev/null"), socket.socket, os.pipe, lambda: os.dup(1), lambda: os.dup2(1, 0)):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


def test_after_the_lock_down_nothing_can_be_opened_not_even_in_place_of_what_was_open() -> None:
    output = subprocess.run([sys.executable, "-c", LOCKED_DOWN], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["OSError"] * 5
