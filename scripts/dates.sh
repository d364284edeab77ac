#!/usr/bin/env bash
# Runs tests on days on which clocks and calendars are at their oddest: scripts/dates.sh [what to tell pytest].
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

command -v faketime >/dev/null || { echo 'This needs faketime: apt-get install faketime' >&2; exit 1; }

# Monotonic time is left alone since timeouts are measured in it, and files keep their times, by which Python knows
# what it has compiled.
export FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 TZ=Europe/Oslo
export PYTHONPATH=$PWD/scripts/faked_time
for date in "${dates[@]}"; do
    echo "On $date:"
    faketime "$date" .venv/bin/python -m pytest -n 2 "$@"
done
