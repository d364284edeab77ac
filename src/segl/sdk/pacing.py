"""Spreads a client's calls, so that they stay below the service's limit of calls per second."""

import math
import threading
from collections import deque


class Pace:
    """At most so many calls in any second; a rate below 1 means one call in 1/rate seconds. Threads may share it."""

    def __init__(self, calls_per_second: float) -> None:
        calls = max(1, int(calls_per_second))
        self._seconds = calls / calls_per_second
        self._last = deque([-math.inf] * calls, maxlen=calls)
        self._lock = threading.Lock()

    def turn(self, now: float) -> float:
        """Count a call at this time (seconds); return how long it has to wait."""
        with self._lock:
            at = max(now, self._last[0] + self._seconds)
            self._last.append(at)
            return at - now
