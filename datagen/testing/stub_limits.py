"""The stub's own rate limits, as a provider keeps them: requests and tokens a minute, enforced by buckets of two seconds' worth."""

import time
from dataclasses import dataclass, field

BURST_S = 2.0


@dataclass(slots=True)
class ServerLimits:
    """Requests and tokens a minute; 0 has no limit."""

    rpm: float = 0
    tpm: float = 0
    _levels: dict[str, float] = field(default_factory=dict[str, float])
    _filled_s: float = field(default_factory=time.monotonic)

    def admit(self, tokens: float) -> str:
        """Take one request of so many tokens; return the unit whose limit refuses it, '' if none does."""
        now_s = time.monotonic()
        needs = {unit: (limit, need) for unit, limit, need in (("requests", self.rpm, 1.0), ("tokens", self.tpm, tokens)) if limit}
        for unit, (limit, _) in needs.items():
            full = max(1.0, limit / 60 * BURST_S)
            self._levels[unit] = min(full, self._levels.get(unit, full) + (now_s - self._filled_s) * limit / 60)
        self._filled_s = now_s
        for unit, (limit, need) in needs.items():
            if self._levels[unit] < min(need, limit / 60 * BURST_S):
                return unit
        for unit, (_, need) in needs.items():
            self._levels[unit] -= need
        return ""

    def charge(self, tokens: float) -> None:
        """Take tokens of a completion, after the fact."""
        if self.tpm:
            self._levels["tokens"] -= tokens

    def headers(self) -> dict[str, str]:
        """Return ``x-ratelimit-*`` headers as OpenAI sends them: a minute's limit and what is left of it."""
        found: dict[str, str] = {}
        for unit, limit in (("requests", self.rpm), ("tokens", self.tpm)):
            if limit:
                used = max(0.0, limit / 60 * BURST_S - self._levels.get(unit, 0.0))
                found[f"x-ratelimit-limit-{unit}"] = f"{limit:.0f}"
                found[f"x-ratelimit-remaining-{unit}"] = f"{max(0.0, limit - used):.0f}"
                found[f"x-ratelimit-reset-{unit}"] = f"{used / limit * 60:.3f}s"
        return found
