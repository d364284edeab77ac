"""The clean process that rendering children are forked from, one for each task.

It is started fresh with an empty environment, loads the PDF libraries once and never holds a secret; a child then costs
no more than a fork. A packet on its control socket asks for a child: how many seconds it may live, with two sockets to
the client attached. On the first the child reads its task and answers. The second, the lifeline, is the zygote's: on it
the client learns how the child ended, and when the client closes it, the child is killed. When the control socket's
other end is closed, because the parent is gone, the zygote ends its children and itself.
"""

import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from segl.service.rendering import child, tasks, wire

GRACE_SECONDS = 1


@dataclass(slots=True)
class _Child:
    pid: int
    lifeline: socket.socket
    deadline: float
    is_killed: bool = False
    """By the zygote, for its time was up or its client gone."""

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.is_killed = True

    def has_ended(self) -> bool:
        """Whether it has; then the client is informed, and nothing is left of the child."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            wire.report_end(self.lifeline, wire.END_BY_TIME if self.is_killed else os.waitstatus_to_exitcode(status))
            self.lifeline.close()
        return bool(pid)


def main() -> None:
    """Serve the control socket whose descriptor is the last argument."""
    logging.getLogger().addHandler(logging.NullHandler())
    tasks.rehearse()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[-1])) as control:
        serve(control)


def serve(control: socket.socket) -> None:
    """Fork a child for each packet until the parent is gone."""
    children: list[_Child] = []
    ended = _wake_on_child_end()
    while True:
        lifelines = [each.lifeline for each in children if not each.is_killed]
        ready = _ready([control, ended, *lifelines], GRACE_SECONDS if children else None)
        if ended.fileno() in ready:
            ended.recv(4096)
        _kill_unwanted(children, ready)
        children = [each for each in children if not each.has_ended()]
        if control.fileno() not in ready:
            continue
        packet, descriptors, _, _ = socket.recv_fds(control, wire.PACKET_SIZE, 2)
        if not packet:
            break
        client, lifeline = (socket.socket(fileno=each) for each in descriptors)
        with client:
            pid = _fork(client, [control, lifeline, *(each.lifeline for each in children)])
        if pid:
            children.append(_Child(pid, lifeline, time.monotonic() + int(packet) + GRACE_SECONDS))
        else:
            lifeline.close()
    signal.set_wakeup_fd(-1)  # of which nobody reads the ends of these any more
    for each in children:
        each.kill()


def _ready(sockets: Iterable[socket.socket], seconds: int | None) -> set[int]:
    """Wait until some can be read, or their other ends are closed; unlike `select.select`, above 1,023 too."""
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)}


def _wake_on_child_end() -> socket.socket:
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.detach())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _kill_unwanted(children: Iterable[_Child], ready: set[int]) -> None:
    """Kill each child whose client is gone or that outlives its time, even if it switched off its own alarm."""
    for each in children:
        if not each.is_killed and (each.lifeline.fileno() in ready or time.monotonic() > each.deadline):
            each.kill()


def _fork(client: socket.socket, others: Iterable[socket.socket]) -> int:
    """Return the child's process id, or 0 if the machine allows no more processes. The child closes `others`."""
    try:
        pid = os.fork()
    except OSError:
        return 0
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in others:
            each.close()
        child.work(client)
        os._exit(0)
    finally:
        os._exit(1)
