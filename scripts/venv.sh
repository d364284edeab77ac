#!/usr/bin/env bash
# Creates the virtual environment in FOLDER (default .venv) with Python 3.11 or newer, or says what to install first.
set -euo pipefail
folder=${1:-.venv}

fail() {
    printf 'Segl cannot create its virtual environment: %s\n' "$1" >&2
    exit 1
}

python_in_path() {
    local name
    for name in "${PYTHON:-}" python3.11 python3 python3.12 python3.13 python3.14; do
        if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# Debian ships python3 without the part that puts pip into an environment.
install_ensurepip() {
    local package
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        printf 'This Python lacks the package %s: installing it with apt-get.\n' "$package"
        apt-get install --yes --quiet --no-install-recommends "$package" >/dev/null 2>&1 ||
            { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends "$package"; } >/dev/null ||
            fail "apt-get could not install $package. Install it and run make again."
    else
        fail "$1 lacks the module ensurepip. Run: sudo apt-get install $package   and then make again."
    fi
}

python=$(python_in_path) || fail "there is no Python 3.11 or newer. Run: sudo apt-get install python3 python3-venv   and then make again."
"$python" -c 'import ensurepip' 2>/dev/null || install_ensurepip "$python"
"$python" -m venv --clear "$folder"
