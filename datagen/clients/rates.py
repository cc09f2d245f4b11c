"""Requests and tokens a minute: a bucket that spends ahead of need, gives back what was not used, and learns from headers.

A bucket fills at a steady rate and holds little more than a second's worth, so that use is even: over any 60 s it admits at most its
capacity plus 60 s of filling, and the rate is set so that this sum is the limit. Tokens are reserved by estimate (the prompt's, plus the
running mean of completions) and settled by what the answer says was used.

Source: token bucket, J. Turner, "New directions in communications (or which way to the information age?)", IEEE Communications
Magazine 24(10), 1986; headers as in OpenAI's rate limit guide.
"""

import time
from collections.abc import Callable

from datagen.clients.types import Allowance

PERIOD_S = 60.0
LONGEST_PERIOD_S = 3600.0
"""Limits over longer periods are quotas: pacing cannot keep them, a 429 that names them ends the run."""


class Bucket:
    """Admits ``limit`` units in any 60 s.

    Args:
        limit: units a minute; None admits everything, until :meth:`learn` says otherwise.
        clock: seconds, monotonic.
    """

    def __init__(self, limit: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given = limit is not None
        self.limit = limit
        self.capacity = self.rate = self.level = 0.0
        self._filled_s = clock()
        self._largest = 1.0
        if limit is not None:
            self._set(limit)
            self.level = self.capacity

    def delay_s(self, units: float) -> float:
        """Return seconds until ``units`` may be taken; 0 if they may be taken now."""
        if self.limit is None:
            return 0.0
        if units > self._largest:
            self._largest = units
            self._set(self.limit)
        self._fill()
        missing = min(units, self.capacity) - self.level
        return missing / self.rate if missing > 1e-9 else 0.0

    def take(self, units: float) -> None:
        """Take units; the level may fall below zero, which later takers wait for."""
        if self.limit is not None:
            self._fill()
            self.level -= units

    def settle(self, reserved: float, used: float) -> None:
        """Correct an earlier :meth:`take` by what was used."""
        if self.limit is not None:
            self._fill()
            self.level = min(self.capacity, self.level + reserved - used)

    def learn(self, allowance: Allowance) -> None:
        """Take over what the server says: the limit, unless the user gave one, and what is left of it now."""
        used = allowance.limit - allowance.remaining
        # A bucket on the server refills (used) units in (reset) seconds; that tells a daily quota from a limit a minute.
        period_s = allowance.reset_s * allowance.limit / used if allowance.reset_s and used > 0 else PERIOD_S
        if period_s > LONGEST_PERIOD_S:
            return
        if not self._given and allowance.limit != self.limit:
            first = self.limit is None
            self._set(allowance.limit)
            if first:
                self.level = self.capacity
        self._fill()
        self.level = min(self.level, allowance.remaining)

    def _set(self, limit: float) -> None:
        self.limit = limit
        self.capacity = min(limit, max(limit / PERIOD_S, self._largest))
        # Where one request needs most of a minute's limit, pace by the limit itself.
        self.rate = max(limit - self.capacity, limit / 2) / PERIOD_S

    def _fill(self) -> None:
        now_s = self._clock()
        self.level = min(self.capacity, self.level + (now_s - self._filled_s) * self.rate)
        self._filled_s = now_s
