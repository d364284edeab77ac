"""Spreads a client's calls, so that the service's limit of calls a second is not reached."""

import threading
import time


class Pace:
    """So many calls a second; as many may come at once, then evenly. Threads may share it."""

    def __init__(self, calls_per_second: float) -> None:
        self._step = 1 / calls_per_second
        self._even = 0.0
        self._lock = threading.Lock()

    def wait(self, _request: object) -> None:
        """Let a call's turn come."""
        time.sleep(self.turn(time.monotonic()))

    async def wait_async(self, _request: object) -> None:
        """Let a call's turn come."""
        import asyncio

        await asyncio.sleep(self.turn(time.monotonic()))

    def turn(self, now: float) -> float:
        """Count a call at this time (seconds); how long it is to wait."""
        with self._lock:
            self._even = max(self._even, now) + self._step
            return max(0.0, self._even - now - 1)
