"""What is checked at each commit is what `make lint` checks."""

import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_the_hooks_of_a_commit_are_the_commands_of_make_lint() -> None:
    make = ["make", "--dry-run", "--assume-old=.venv/.check", "lint"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    commands = subprocess.run(make, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [each["repo"] for each in repositories] == ["local"]  # nothing is fetched
    hooks = repositories[0]["hooks"]
    assert sorted(each["entry"] for each in hooks) == sorted(commands.splitlines())
    assert not any(each["pass_filenames"] for each in hooks)  # the whole tree is checked, as by make
