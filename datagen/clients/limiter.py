"""How many requests may be under way and how fast they may start: ceilings from the user, lowered and raised by what the server says.

Additive increase, multiplicative decrease: the first 429 of a burst takes a quarter off the limit, later 429s of requests that
started before that cut change nothing; 25 successes add one. After a quiet second each success adds one, as far as three quarters of
where the storm began, so that a passed storm costs seconds. A ``Retry-After`` holds all requests back. Requests and tokens a minute are
kept by buckets (``rates``).
Source: generation notes of this project; D.-M. Chiu and R. Jain, "Analysis of the increase and decrease algorithms for congestion
avoidance in computer networks", Computer Networks and ISDN Systems 17, 1989; slow start up to a threshold: V. Jacobson, "Congestion
avoidance and control", SIGCOMM 1988.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from datagen.clients.rates import Bucket
from datagen.clients.types import Allowance

DECREASE = 0.75
SUCCESSES_PER_INCREASE = 25
QUIET_S = 1.0
STORM_S = 10.0


@dataclass(slots=True)
class Slot:
    """One place on the wire: the burst it belongs to and the tokens reserved for it."""

    burst: int
    tokens: float


class _Place:
    """``async with`` one place of a limiter. Entered for every request, so written out: contextlib's generator costs thrice as much."""

    __slots__ = ("_limiter", "_tokens")

    def __init__(self, limiter: "Limiter", tokens: float) -> None:
        self._limiter, self._tokens = limiter, tokens

    async def __aenter__(self) -> Slot:
        return await self._limiter.enter(self._tokens)

    async def __aexit__(self, *exc: object) -> None:
        self._limiter.leave()


class Limiter:
    """Admits requests first come, first served. Works across event loops, one at a time; not across threads.

    Args:
        ceiling: most requests under way at once; the limit starts there and never goes above it or below 1.
        rpm: most requests a minute; None learns it from the server.
        tpm: most tokens a minute, prompts and completions; None learns it from the server.
        clock: seconds, monotonic.
    """

    def __init__(
        self, ceiling: int, *, rpm: float | None = None, tpm: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.ceiling = max(1, ceiling)
        self.limit = float(self.ceiling)
        self.in_flight = 0
        self.blocked_until_s = 0.0
        self.requests = Bucket(rpm, clock=clock)
        self.tokens = Bucket(tpm, clock=clock)
        self._clock = clock
        self._burst = 0
        self._successes = 0
        self._since_cut = 0
        self._cut_s = -STORM_S
        self._threshold = self.limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turn = asyncio.Lock()
        self._turn_loop: asyncio.AbstractEventLoop | None = None

    def slot(self, tokens: float = 0) -> "_Place":
        """Hold one place; enters with what to give to :meth:`throttled` or :meth:`succeeded`. ``tokens``: estimated use."""
        return _Place(self, tokens)

    async def enter(self, tokens: float) -> Slot:
        """Take one place, to be :meth:`left <leave>`; :meth:`slot` does both."""
        if self._waiting or self.in_flight >= int(self.limit):
            await self._wait_place()
        else:
            self.in_flight += 1
        try:
            if self._turn.locked() or self._delay_s(tokens) > 0:
                await self._wait_turn(tokens)
        except BaseException:
            self.leave()
            raise
        self.requests.take(1)
        self.tokens.take(tokens)
        return Slot(self._burst, tokens)

    def leave(self) -> None:
        """Give one place back."""
        self.in_flight -= 1
        if self._waiting:
            self._admit()

    def succeeded(self, slot: Slot, tokens: float = 0, allowances: tuple[Allowance, ...] = ()) -> None:
        """Count a success that used ``tokens``, and learn from the server's headers."""
        if slot.tokens or tokens:
            self.tokens.settle(slot.tokens, tokens)
        for allowance in allowances:
            (self.requests if allowance.unit == "requests" else self.tokens).learn(allowance)
        self._successes += 1
        self._since_cut += 1
        if self.limit >= self.ceiling:
            return
        recovering = self.limit < self._threshold and self._clock() - self._cut_s > QUIET_S
        if recovering or self._successes >= SUCCESSES_PER_INCREASE:
            self._successes = 0
            self.limit = min(float(self.ceiling), self.limit + 1)
            self._admit()

    def throttled(self, slot: Slot, retry_after_s: float | None) -> None:
        """Count a 429."""
        self.failed(slot)
        self._successes = 0
        now_s = self._clock()
        if slot.burst == self._burst:
            # A storm that is over, or a level the server served for a while before it refused, says where to be careful again.
            if now_s - self._cut_s > STORM_S or self._since_cut >= SUCCESSES_PER_INCREASE:
                self._threshold = self.limit * DECREASE
            self._burst += 1
            self._since_cut = 0
            self.limit = max(1.0, self.limit * DECREASE)
        self._cut_s = now_s
        if retry_after_s is not None:
            self.blocked_until_s = max(self.blocked_until_s, now_s + retry_after_s)

    def failed(self, slot: Slot) -> None:
        """Give back what was reserved for an exchange that used no tokens."""
        if slot.tokens:
            self.tokens.settle(slot.tokens, 0)

    def _delay_s(self, tokens: float) -> float:
        return max(self.blocked_until_s - self._clock(), self.requests.delay_s(1), self.tokens.delay_s(tokens))

    async def _wait_turn(self, tokens: float) -> None:
        """Wait one at a time, so that who came first starts first and nobody is starved by smaller requests."""
        loop = asyncio.get_running_loop()
        if self._turn_loop is not loop:
            self._turn, self._turn_loop = asyncio.Lock(), loop
        async with self._turn:
            while (delay_s := self._delay_s(tokens)) > 0:
                await asyncio.sleep(delay_s)

    async def _wait_place(self) -> None:
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
