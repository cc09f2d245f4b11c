"""The diversity metrics of a set, each at a size at which sets can be compared.

Most diversity figures move with the number of rows, so a set that grew looks more varied by arithmetic alone. Vectors are measured on 100
rows, wording on a budget of 2,000 units, each averaged over ten draws whose standard deviation is given.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from datagen.dedup.semantic.vectors import Vectors
from datagen.score.diversity.embedding import embed_texts
from datagen.score.diversity.lexical import compression_ratio, distinct_n, self_repetition
from datagen.score.diversity.novelty import novel_sum, vendi_score
from datagen.text import units

EQUAL_ROWS = 100
EQUAL_UNITS = 2000
DRAWS = 10
MAX_EMBEDDED = 3000
"""Rows that are embedded for metrics, topics and the map; of larger sets a fixed random choice."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a set. ``n`` is the number of rows (or units) it was taken at, ``sd`` the spread over draws (0 if all rows fit)."""

    name: str
    value: float
    sd: float
    n: int
    unit: str
    larger_is_more_varied: bool


def choose_rows(n: int, most: int, *, seed: str = "rows") -> list[int]:
    """Return at most ``most`` of ``n`` row numbers, ascending, a fixed pseudo-random choice."""
    return list(range(n)) if n <= most else sorted(random.Random(f"{seed}:{n}").sample(range(n), most))


def measure_diversity(texts: Sequence[str], vectors: Vectors | None = None, *, n: int | None = None) -> list[Metric]:
    """Return the metrics of a set of texts.

    Args:
        texts: one per row (question and answer).
        vectors: their embedding, shape (rows, d); computed if not given. Give vectors of one common embedding to compare sets.
        n: rows per draw; default: 100, or all if there are fewer.
    """
    if vectors is None:
        vectors = embed_texts(texts)
    split = [units(text) for text in texts]
    rows = min(n or EQUAL_ROWS, len(texts))
    budget = min(EQUAL_UNITS, sum(map(len, split)))
    draws = 1 if rows == len(texts) else DRAWS
    spaces = [vectors[sorted(random.Random(f"draw:{d}").sample(range(len(texts)), rows))] for d in range(draws)]
    some = [_cut(split, budget, random.Random(f"budget:{d}")) for d in range(DRAWS)]
    return [
        _metric("novel_sum", [novel_sum(s) for s in spaces], rows, "rows", True),
        _metric("vendi_score", [vendi_score(s) for s in spaces], rows, "rows", True),
        *(_metric(f"distinct_{k}", [distinct_n(t, k) for t in some], budget, "units", True) for k in (1, 2, 3)),
        _metric("compression_ratio", [compression_ratio(_join(t)) for t in some], budget, "units", False),
        _metric("self_repetition", [self_repetition(t) for t in some], budget, "units", False),
    ]


def _metric(name: str, values: Sequence[float], n: int, unit: str, more: bool) -> Metric:
    return Metric(name, fmean(values), pstdev(values), n, unit, more)


def _cut(texts: Sequence[Sequence[str]], budget: int, rng: random.Random) -> list[Sequence[str]]:
    """Return texts in random order until ``budget`` units are taken; the last is cut."""
    chosen: list[Sequence[str]] = []
    left = budget
    for i in rng.sample(range(len(texts)), len(texts)):
        if left <= 0:
            break
        chosen.append(texts[i][:left])
        left -= len(chosen[-1])
    return chosen


def _join(texts: Sequence[Sequence[str]]) -> str:
    join: Callable[[Sequence[str]], str] = " ".join
    return "\n".join(map(join, texts))
