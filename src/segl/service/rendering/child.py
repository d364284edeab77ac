"""A rendering child: reads one task, shuts itself in, does it, answers, ends."""

import socket
import traceback

from segl.core.errors import InvalidDocument, TooManyPages
from segl.service.rendering import tasks, wire
from segl.service.rendering.limits import close_the_doors, limit_use


def work(asker: socket.socket) -> None:
    """Do the task that `asker` sends and answer it."""
    asker.sendall(wire.STARTED)
    asker.sendall(_answer(wire.receive(asker)))


def _answer(task: wire.Task) -> bytes:
    try:
        limit_use(task.limits)
        do = tasks.prepare(task)
        close_the_doors()
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
