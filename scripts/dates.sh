#!/usr/bin/env bash
# Runs what knows of time on days on which clocks and calendars are at their oddest. Arguments go to pytest;
# DATES="2028-02-29T12:00Z ..." chooses other moments at which the clock starts.
set -euo pipefail
cd "$(dirname "$0")/.."

dates=(
    2028-02-29T12:00Z # a leap day
    2027-12-31T22:59Z # the year ends in Norway
    2027-12-31T23:59Z # and by UTC
    2027-03-28T00:59Z # clocks go forward
    2027-10-31T00:59Z # clocks go back
)
[ -z "${DATES:-}" ] || read -ra dates <<<"$DATES"

# Left out: the acceptance tests, which start the same code as services, browsers and proxies; kept databases, whose tests
# have a time of their own; and what takes long and knows of no time.
tests=(
    tests/commands tests/core tests/diagnosis tests/sandbox tests/sdk tests/service
    --ignore=tests/sdk/test_types.py
    --ignore=tests/service/http
    --ignore=tests/core/pades/test_additions.py
    --ignore=tests/service/rendering
    --ignore=tests/service/sender_api/test_mutations.py
    --deselect=tests/core/pades/test_seal.py::test_whatever_bit_is_turned_nothing_passes
)

command -v faketime >/dev/null || { echo 'This needs faketime: apt-get install faketime' >&2; exit 1; }

# Monotonic time is left alone since timeouts are measured in it. Debian 12's libfaketime 0.9.10 must not correct waits for
# conditions by it, and does not let Python sleep (see sitecustomize.py). Files keep their times, by which Python knows
# what it has compiled.
export FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_FORCE_MONOTONIC_FIX=0 NO_FAKE_STAT=1 TZ=Europe/Oslo
export PYTHONPATH=$PWD/scripts/faked_time

# Elsewhere than other runs have theirs, since to the faked clock these look abandoned, and pytest removes them.
PYTEST_DEBUG_TEMPROOT=$(mktemp -d)
export PYTEST_DEBUG_TEMPROOT
trap 'rm -rf "$PYTEST_DEBUG_TEMPROOT"' EXIT
for date in "${dates[@]}"; do
    echo "On $date:"
    faketime "$date" .venv/bin/python -m pytest -n 5 --dist worksteal "${tests[@]}" "$@"
done
