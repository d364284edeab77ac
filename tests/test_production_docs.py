"""docs/production.md says what is true: its configuration loads, and its table has every setting and no other."""

import re
from pathlib import Path
from typing import Any

import pytest

from running_sandbox import ROOT
from segl.service.config.loading import load
from segl.service.config.reading import Table

DOCS = (ROOT / "docs" / "production.md").read_text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The configuration in the docs."""
    configuration, organizations = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
    (tmp_path / "master-key").write_text("00" * 32)
    (tmp_path / "mail-password").write_text("hush")
    path = tmp_path / "segl.toml"
    path.write_text(f"{configuration}\n{organizations}")
    return path


def test_the_configuration_loads(file: Path) -> None:
    configuration = load(file)
    assert configuration.api.proxy is not None
    assert configuration.web.listen is not None
    assert [each.number for each in configuration.organizations] == ["984661185"]


def test_the_table_has_every_setting(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = set()
    take = Table.take

    def noting(self: Table, name: str, *arguments: Any, **options: Any) -> Any:
        taken.add(f"{self._prefix}{name}")
        return take(self, name, *arguments, **options)

    monkeypatch.setattr(Table, "take", noting)
    load(file)
    cells = re.findall(r"^\| (`.*?) \|", DOCS, re.MULTILINE)
    documented = {name for cell in cells for name in re.findall(r"`([a-z_.]+)`", cell)}
    assert documented == {each for each in taken if not each.startswith("organizations.")} | {"organizations"}
