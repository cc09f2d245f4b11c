"""How many requests may be under way: additive increase, multiplicative decrease on 429.

Source: D.-M. Chiu, R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989. One limiter per (provider, model).
"""

import asyncio
import time


class Limiter:
    """Async context manager around one request. On the first 429 of a burst the limit falls to three quarters; 25 successes raise it by one."""

    def __init__(self, concurrency: int) -> None:
        self._most = max(1, concurrency)
        self._limit = float(self._most)
        self._under_way = 0
        self._successes = 0
        self._not_before = 0.0
        self._last_cut = -1e9
        self._changed = asyncio.Condition()

    @property
    def limit(self) -> int:
        """Requests allowed at once now, at least 1."""
        return max(1, int(self._limit))

    async def __aenter__(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._under_way < self.limit)
            self._under_way += 1
        wait = self._not_before - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)

    async def __aexit__(self, *error: object) -> None:
        async with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def succeeded(self) -> None:
        self._successes += 1
        if self._successes >= 25:
            self._successes = 0
            self._limit = min(self._most, self._limit + 1)

    def throttled(self, retry_after_s: float) -> None:
        """Note a 429; all requests wait ``retry_after_s`` from now."""
        now = time.monotonic()
        self._not_before = max(self._not_before, now + retry_after_s)
        if now - self._last_cut > 1.0:
            self._limit = max(1.0, self._limit * 0.75)
            self._last_cut = now
        self._successes = 0
