"""How long `segl sandbox` takes until it accepts calls, in an empty folder and in a used one.

The floor, in the same run, is a Python that only imports Django, uvicorn and cryptography.

    .venv/bin/python bench/sandbox_start.py
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from running_sandbox import running_sandbox

ROUNDS = 5


def main() -> None:
    floor = statistics.median(seconds_to_import() for _ in range(ROUNDS))
    print(f"imports alone {floor:5.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        fresh = [seconds_to_start(Path(folder, str(number))) for number in range(ROUNDS)]
        used = [seconds_to_start(Path(folder, str(number))) for number in range(ROUNDS)]
    for name, times in (("empty folder", fresh), ("used folder", used)):
        middle = statistics.median(times)
        print(f"{name:13} {middle:5.2f} s, at most {max(times):.2f} s: {middle / floor:.1f} x the imports")


def seconds_to_import() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import django.db, uvicorn, cryptography.x509"], check=True)
    return time.perf_counter() - start


def seconds_to_start(folder: Path) -> float:
    start = time.perf_counter()
    with running_sandbox(folder):
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
