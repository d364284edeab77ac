"""The README's Python does what it says, against a running sandbox, while two people sign through the pages."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from running_sandbox import ROOT, SEGL, people_sign, running_sandbox

PAGES = ("README.md", "docs/index.md")
PEOPLE = [("kari@example.com", "01017012345", "Kari Nordmann"), ("ola@example.com", "02028012345", "Ola Hansen")]


def test_the_readmes_program_gets_a_signed_pdf(tmp_path: Path) -> None:
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shutil.copy(ROOT / "demo" / "contract.pdf", tmp_path)

    with (
        running_sandbox(tmp_path / ".segl") as sandbox,
        subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as running,
        people_sign(sandbox, *PEOPLE) as people,
    ):
        assert people.wait(60) == 0
        assert running.wait(60) == 0

    trust = sandbox.ready["server"]["trust_anchors"]
    verify = [*SEGL, "verify", "signed.pdf", "--trust", trust, "--document", "contract.pdf"]
    assert subprocess.run(verify, cwd=tmp_path, check=False).returncode == 0


def test_the_guide_starts_with_the_same_program() -> None:
    programs = [re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL) for page in PAGES]
    assert programs[0] == programs[1]
