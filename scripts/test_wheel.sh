#!/usr/bin/env bash
# Builds the wheel, installs it with only its own dependencies, as `pip install segl` does, and runs the tests of what
# must work with these: the SDK and the diagnosis. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m pip --disable-pip-version-check --quiet wheel --no-build-isolation --no-deps --wheel-dir "$folder" .
scripts/venv.sh "$folder/venv"
python="$folder/venv/bin/python"
install() { "$python" -m pip --disable-pip-version-check --quiet install "$@"; }
install --require-hashes --requirement requirements/wheel.txt
install --no-deps --no-index "$folder"/segl-*.whl

"$python" -c '
import importlib.util, pathlib, segl
assert "site-packages" in segl.__file__, f"not the wheel, but {segl.__file__}"
assert pathlib.Path(segl.__file__).with_name("py.typed").exists(), "the wheel has no py.typed"
assert importlib.util.find_spec("django") is None, "the wheel brings Django along"
'
"$python" -m pytest -n 5 tests/sdk tests/diagnosis "$@"
