"""A rendering child: reads one task, restricts itself, does the task, answers and exits."""

import socket
import traceback

from segl.core.errors import InvalidDocument, TooManyPages
from segl.service.rendering import tasks, wire
from segl.service.rendering.limits import limit_resources, lock_down


def work(client: socket.socket) -> None:
    """Do the task that `client` sends and answer it."""
    client.sendall(_answer(wire.receive(client)))


def _answer(task: wire.Task) -> bytes:
    try:
        limit_resources(task.limits)
        do = tasks.prepare(task)
        lock_down()
        return wire.answer(wire.DONE, _within(do(), task.limits.result))
    except TooManyPages as refusal:
        return wire.answer(wire.TOO_MANY_PAGES, str(refusal).encode())
    except InvalidDocument as refusal:
        return wire.answer(wire.REFUSED, str(refusal).encode())
    except MemoryError:
        return wire.answer(wire.REFUSED, b"The document needs too much memory; make it simpler or smaller.")
    except Exception:
        return wire.answer(wire.FAILED, traceback.format_exc().encode(errors="replace"))


def _within(result: bytes, most: int) -> bytes:
    if len(result) > most:
        raise InvalidDocument(f"The result has {len(result)} bytes, more than the {most} allowed; send less.")
    return result
