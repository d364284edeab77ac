"""The clean process that rendering children are forked from, one for each task.

It is started fresh with an empty environment, loads the PDF libraries once and never holds a secret; a child then costs
no more than a fork. A packet on its control socket asks for a child: how many seconds it may live, with a socket to the
client attached, on which the child reads its task and answers. When the control socket's other end is closed, because
the parent is gone, the zygote ends its children and itself.
"""

import gc
import logging
import os
import select
import signal
import socket
import sys
import time

from segl.service.rendering import child, tasks, wire

GRACE_SECONDS = 1


def main() -> None:
    """Serve the control socket whose descriptor is the last argument."""
    logging.getLogger().addHandler(logging.NullHandler())
    tasks.rehearse()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[-1])) as control:
        serve(control)


def serve(control: socket.socket) -> None:
    """Fork a child for each packet until the parent is gone."""
    deadlines: dict[int, float] = {}
    ended = _wake_on_child_end()
    while True:
        ready, _, _ = select.select([control, ended], [], [], GRACE_SECONDS if deadlines else None)
        if ended in ready:
            ended.recv(4096)
        _reap(deadlines)
        if control not in ready:
            continue
        packet, descriptors, _, _ = socket.recv_fds(control, wire.PACKET_SIZE, 1)
        if not packet:
            break
        with socket.socket(fileno=descriptors[0]) as client:
            pid = _fork(control, client)
        deadlines[pid] = time.monotonic() + int(packet) + GRACE_SECONDS
    for pid in deadlines:
        os.kill(pid, signal.SIGKILL)


def _wake_on_child_end() -> socket.socket:
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.detach())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _reap(deadlines: dict[int, float]) -> None:
    """Leave no zombie, and kill each child that outlives its time, even if it switched off its own alarm."""
    for pid, deadline in list(deadlines.items()):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        if os.waitpid(pid, os.WNOHANG)[0]:
            del deadlines[pid]


def _fork(control: socket.socket, client: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        child.work(client)
    finally:
        os._exit(0)
