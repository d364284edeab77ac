"""Kills a service from inside, once, at a named step: put this folder on PYTHONPATH and name the step in KILL_AT.

`KILL_AT` is `module:function:when:nth`, where the name may go into a class (`sealing.sealer:Sealer.seal`) and `when` is
`before` or `after`; `KILL_MARK` is a file that is made with the kill, so that the next start lives. The whole
process group dies, as in a power cut. The service itself knows nothing of this.
"""

import fcntl
import importlib.abc
import importlib.machinery
import os
import signal
import sys
from functools import reduce, wraps
from pathlib import Path


def _die() -> None:
    try:
        Path(os.environ["KILL_MARK"]).touch(exist_ok=False)
    except FileExistsError:
        return
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _count() -> int:
    """Which call this is, over all threads and processes of the service."""
    with Path(f"{os.environ['KILL_MARK']}.calls").open("ab", buffering=0) as calls:
        fcntl.flock(calls, fcntl.LOCK_EX)
        calls.write(b"+")
        return os.fstat(calls.fileno()).st_size  # where the file was opened, others may have written since


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module as everybody else does, and lays a trap in it when it was executed."""

    def __init__(self, module, name, when, nth):
        self._module, self._name, self._when, self._nth = module, name, when, nth

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            self._lay_trap(module)

        spec.loader.exec_module = exec_module
        return spec

    def _lay_trap(self, module):
        *outer, last = self._name.split(".")
        holder = reduce(getattr, outer, module)
        function = getattr(holder, last)

        @wraps(function)
        def trapped(*arguments, **named):
            due = _count() == self._nth
            if due and self._when == "before":
                _die()
            result = function(*arguments, **named)
            if due and self._when == "after":
                _die()
            return result

        setattr(holder, last, trapped)


def _install() -> None:
    step = os.environ.get("KILL_AT")
    if step and not Path(os.environ["KILL_MARK"]).exists():
        module, name, when, nth = step.split(":")
        sys.meta_path.insert(0, _Finder(module, name, when, int(nth)))


_install()
