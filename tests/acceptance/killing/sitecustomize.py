"""Kills a service from inside at a named step: put this folder on PYTHONPATH and write the step into the file KILL_AT.

A step is `module:function:when:nth`, where the name may go into a class (`sealing.sealer:Sealer.seal`) and `when` is
`before` or `after`; `KILL_STEPS` has all that may come, one a line. The kill removes the file, so that the next start
lives. The whole process group dies, as in a power cut. The service itself knows nothing of this.
"""

import fcntl
import importlib.abc
import importlib.machinery
import os
import signal
import sys
from functools import reduce, wraps
from pathlib import Path


def _step() -> str:
    """The step at which to die; empty when there is none."""
    try:
        return Path(os.environ["KILL_AT"]).read_text()
    except FileNotFoundError:
        return ""


def _die() -> None:
    try:
        Path(os.environ["KILL_AT"]).unlink()
    except FileNotFoundError:
        return
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _count(step: str) -> int:
    """Which call for this step this is, over all threads and processes of the service."""
    with Path(f"{os.environ['KILL_AT']}.{step}").open("ab", buffering=0) as calls:
        fcntl.flock(calls, fcntl.LOCK_EX)
        calls.write(b"+")
        return os.fstat(calls.fileno()).st_size  # where the file was opened, others may have written since


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules as everybody else does, and lays the traps in each when it was executed."""

    def __init__(self, traps):
        self._traps = traps

    def find_spec(self, fullname, path=None, target=None):
        names = [name for module, name in self._traps if module == fullname]
        if not names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            for name in names:
                _lay_trap(module, name)

        spec.loader.exec_module = exec_module
        return spec


def _lay_trap(module, name):
    *outer, last = name.split(".")
    holder = reduce(getattr, outer, module)
    function = getattr(holder, last)

    @wraps(function)
    def trapped(*arguments, **named):
        step = _step()
        is_ours = step.startswith(f"{module.__name__}:{name}:")
        when, nth = step.split(":")[2:] if is_ours else ("", "0")
        due = is_ours and _count(step) == int(nth)
        if due and when == "before":
            _die()
        result = function(*arguments, **named)
        if due and when == "after":
            _die()
        return result

    setattr(holder, last, trapped)


sys.meta_path.insert(0, _Finder({tuple(step.split(":")[:2]) for step in os.environ["KILL_STEPS"].splitlines()}))
