"""Lets Python sleep under Debian 12's libfaketime, whose clock_nanosleep fails when monotonic time is left alone.

https://github.com/wolfcw/libfaketime/issues/426, corrected after its release 0.9.10. `scripts/dates.sh` puts this
folder on PYTHONPATH; there `time.sleep` waits in `select`.
"""

import select
import time


def _sleep(seconds: float, /) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
