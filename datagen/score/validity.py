"""How far each metric may be believed: its rank correlation with the probe's gain, measured once and shipped as data.

``metric_validity.json`` is written by ``make bench-metrics`` (tests/bench/metric_validity.py): sets of equal size made from one source,
each trained on by the probe. A metric whose interval contains 0 has not been shown to say anything about what a model learns.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from datagen.jsonl import read_json

_FILE = Path(__file__).parent / "metric_validity.json"


class Validity(NamedTuple):
    """Spearman's rho in [-1, 1] with its 95 % interval over ``sets`` sets; the sign is of "larger metric, larger gain"."""

    rho: float
    low: float
    high: float
    sets: int

    @property
    def contains_zero(self) -> bool:
        return self.low <= 0.0 <= self.high


@cache
def metric_validity() -> dict[str, Validity]:
    """Return the validity of each metric measured so far; empty where none has been."""
    if not _FILE.is_file():
        return {}
    return {name: Validity(**value) for name, value in read_json(_FILE)["metrics"].items()}
