#!/usr/bin/env bash
# Runs the tests with the newest, or the oldest, dependencies that pyproject.toml allows, in an environment of their own
# that no lock decides: `scripts/test_versions.sh newest|oldest`. Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in
newest) resolution=highest ;;
oldest) resolution=lowest-direct ;;
*) echo "usage: $0 newest|oldest [arguments of pytest]" >&2 && exit 2 ;;
esac
shift

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/tools"
"$folder/tools/bin/pip" install --quiet uv # pip has no choice but the newest, and searches for minutes where uv says why not
uv() { "$folder/tools/bin/uv" pip "$@" --quiet --system-certs; }

scripts/venv.sh "$folder/venv"
python="$folder/venv/bin/python"
uv compile pyproject.toml --extra service --python "$python" --resolution "$resolution" --no-header --no-annotate \
    --output-file "$folder/service.txt"
grep -v '^-c' requirements/test.in >"$folder/test.in" # without the line that binds it to the service's lock
uv install --python "$python" --requirement "$folder/service.txt" --requirement "$folder/test.in"
uv install --python "$python" --no-deps --editable .
cat "$folder/service.txt"
"$python" -m pytest "$@"
