"""What can go wrong with a provider, as rates: drawn by seed, request and number of the try, so that a run can be repeated.

``Faults.parse("429=0.3,torn_json=0.1,refuse_json_schema")`` reads the command line's form; a name without a rate means always.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from datagen.errors import UsageError, suggest
from datagen.hashing import unit_interval

EXCHANGE_FAULTS = ("429", "500", "503", "hang", "quota", "refuse_json_schema")
"""Faults of an exchange: nothing is paid."""
CONTENT_FAULTS = (
    "torn_json",
    "think",
    "fences",
    "truncate",
    "ungrounded",
    "wrong_number",
    "wrong_language",
    "copied",
    "duplicate",
    "prose",
    "biased_judge",
    "slight_number",
    "foreign_answer",
    "reworded",
)
"""Faults of a paid answer's content."""
NAMES = (*EXCHANGE_FAULTS, *CONTENT_FAULTS)


@dataclass(frozen=True, slots=True)
class Faults:
    """Fault rates in [0, 1] by name.

    Attributes:
        rates: how often each fault strikes; absent means never.
        seed: changes which requests are struck.
        retry_after_s: what a 429 asks to wait; 0 leaves the header out.
        storm: period and length in seconds: at the start of every period, every request gets a 429 for that long. Counted
            from the first request.
    """

    rates: Mapping[str, float] = field(default_factory=dict[str, float])
    seed: int = 0
    retry_after_s: float = 0.05
    storm: tuple[float, float] = (0.0, 0.0)

    def storms(self, seconds: float) -> bool:
        """Say whether a storm is on, ``seconds`` after the first request."""
        period_s, length_s = self.storm
        return period_s > 0 and seconds % period_s < length_s

    @classmethod
    def parse(cls, text: str, *, seed: int = 0, retry_after_s: float = 0.05, storm: str = "") -> "Faults":
        """Read ``name=rate,name,...``.

        Raises:
            UsageError: unknown fault, or a rate outside [0, 1].
        """
        rates: dict[str, float] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, value = part.partition("=")
            if name not in NAMES:
                raise UsageError(f"--faults {part}: no such fault", hint=suggest(name, NAMES))
            try:
                rates[name] = float(value or 1)
            except ValueError as error:
                raise UsageError(f"--faults {part}: expected NAME=RATE with a rate from 0 to 1") from error
            if not 0 <= rates[name] <= 1:
                raise UsageError(f"--faults {part}: expected a rate from 0 to 1")
        return cls(rates, seed, retry_after_s, _read_storm(storm))

    def strikes(self, name: str, request: str, n_try: int) -> bool:
        """Say whether a fault strikes the ``n_try``-th arrival of a request."""
        rate = self.rates.get(name, 0.0)
        return rate > 0 and unit_interval(f"{self.seed}:{name}:{request}:{n_try}") < rate

    def exchange(self, request: str, n_try: int) -> str:
        """Return the exchange fault that strikes, '' for none; ``refuse_json_schema`` is for the server to apply."""
        return next((n for n in ("hang", "quota", "429", "500", "503") if self.strikes(n, request, n_try)), "")


def _read_storm(text: str) -> tuple[float, float]:
    """Read ``PERIOD:LENGTH`` in seconds; '' means no storms."""
    try:
        period_s, length_s = map(float, text.split(":")) if text else (0.0, 0.0)
    except ValueError as error:
        raise UsageError(f"--storm {text}: expected PERIOD:LENGTH in seconds", hint="for example 10:2") from error
    if not 0 <= length_s <= period_s:
        raise UsageError(f"--storm {text}: a storm is at most as long as its period")
    return period_s, length_s
