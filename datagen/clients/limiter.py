"""How many requests may be under way: a ceiling from the user, lowered and raised by what the server says.

Additive increase, multiplicative decrease: the first 429 of a burst takes a quarter off the limit, later 429s of requests that
started before that cut change nothing; 25 successes add one. A ``Retry-After`` holds all requests back.
Source: generation notes of this project; D.-M. Chiu and R. Jain, "Analysis of the increase and decrease algorithms for congestion
avoidance in computer networks", Computer Networks and ISDN Systems 17, 1989.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

DECREASE = 0.75
SUCCESSES_PER_INCREASE = 25


class Limiter:
    """Admits requests first come, first served. Works across event loops, one at a time; not across threads.

    Args:
        ceiling: most requests under way at once; the limit starts there and never goes above it or below 1.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = max(1, ceiling)
        self.limit = float(self.ceiling)
        self.in_flight = 0
        self.blocked_until_s = 0.0
        self._burst = 0
        self._successes = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[int]:
        """Hold one place; yields the burst number to give to :meth:`throttled`."""
        await self._enter()
        try:
            while (delay_s := self.blocked_until_s - time.monotonic()) > 0:
                await asyncio.sleep(delay_s)
            yield self._burst
        finally:
            self.in_flight -= 1
            self._admit()

    def succeeded(self) -> None:
        """Count a success; every 25th adds one to the limit."""
        self._successes += 1
        if self._successes >= SUCCESSES_PER_INCREASE:
            self._successes = 0
            self.limit = min(float(self.ceiling), self.limit + 1)
            self._admit()

    def throttled(self, burst: int, retry_after_s: float | None) -> None:
        """Count a 429 of a request that started in ``burst``."""
        self._successes = 0
        if burst == self._burst:
            self._burst += 1
            self.limit = max(1.0, self.limit * DECREASE)
        if retry_after_s is not None:
            self.blocked_until_s = max(self.blocked_until_s, time.monotonic() + retry_after_s)

    async def _enter(self) -> None:
        if not self._waiting and self.in_flight < int(self.limit):
            self.in_flight += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.in_flight -= 1
                self._admit()
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def _admit(self) -> None:
        while self._waiting and self.in_flight < int(self.limit):
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
