#!/usr/bin/env bash
# Rewrites requirements/{service,test,check,wheel}.txt from pyproject.toml and the .in files: `make locks`.
# Arguments go to pip-compile, such as --upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3.11 -m venv "$tools"
"$tools/bin/pip" install --quiet pip-tools

# The locks name what is installed, never where it comes from.
lock() {
    CUSTOM_COMPILE_COMMAND='make locks' "$tools/bin/pip-compile" --quiet --generate-hashes --strip-extras --allow-unsafe \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host pyproject.toml "$@"
}
service=(--extra service requirements/build.in)
lock "$@" --output-file requirements/service.txt "${service[@]}"
lock "$@" --output-file requirements/test.txt "${service[@]}" requirements/test.in
lock "$@" --output-file requirements/check.txt "${service[@]}" requirements/check.in
lock "$@" --output-file requirements/wheel.txt requirements/wheel.in
