"""Judges PDFs in a process that is replaced when it crashes or takes too long: viewers show originals unprotected."""

import traceback
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import django_environment  # noqa: F401  # importing it sets Django up
from corpus.judging import Verdict, judge

SECONDS = 300
"""How long the judgement of one PDF may take."""
CRASHED = "crashed"


def judged(paths: Sequence[Path]) -> Iterator[tuple[Path, Verdict]]:
    """Each path with the verdict about it."""
    context = get_context("spawn")
    left = list(reversed(paths))
    while left:
        ours, theirs = context.Pipe()
        judge_process = context.Process(target=_serve, args=[theirs], daemon=True)
        judge_process.start()
        theirs.close()
        while left:
            path = left.pop()
            verdict = _asked(ours, path)
            yield path, verdict or Verdict(CRASHED, "the process that judges died, or took too long")
            if verdict is None:
                break
        ours.close()
        judge_process.terminate()
        judge_process.join()


def _asked(judge_process: Connection, path: Path) -> Verdict | None:
    try:
        judge_process.send(path)
        verdict: Verdict | None = judge_process.recv() if judge_process.poll(SECONDS) else None
    except (EOFError, OSError):
        return None
    return verdict


def _serve(paths: Connection) -> None:
    while True:
        try:
            path = paths.recv()
        except EOFError:
            return
        try:
            verdict = judge(path.read_bytes())
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            verdict = Verdict(CRASHED, f"{type(error).__name__}: {error} ({last.name})")
        paths.send(verdict)
