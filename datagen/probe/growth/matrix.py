"""From the loss store to numbers: one arm's losses per seed and document, and an interval around their mean."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from datagen.errors import DataError
from datagen.probe.growth.laws import Floats
from datagen.probe.stats import estimate as st
from datagen.probe.stats.verdict import Metric
from datagen.probe.store.losses import LossRow


class Matrix(NamedTuple):
    """One arm on one eval set.

    Attributes:
        losses: float64 [seeds, documents], nats per completion token within each document.
        weights: float64 [documents], share of completion tokens; sums to 1.
        items: questions; ``tokens``: completion tokens.
    """

    losses: Floats
    weights: Floats
    items: int
    tokens: int

    def mean(self) -> float:
        """Token-weighted loss, mean over seeds."""
        return float((self.losses @ self.weights).mean())


def document_losses(rows: Sequence[LossRow], *, arm: str, eval_set: str, metric: Metric = "nll") -> Matrix:
    """Gather one arm's final losses, over all completion tokens or over those of numbers and dates.

    Documents are in the order of their names, so matrices of one exam agree.

    Raises:
        DataError: the arm has no losses on this eval set.
    """
    by_seed: dict[int, dict[str, LossRow]] = defaultdict(dict)
    for row in rows:
        if row.final and row.arm == arm and row.eval_set == eval_set and _tokens(row, metric):
            by_seed[row.seed][row.example_id] = row
    if not by_seed:
        raise DataError(f"no losses of '{arm}' on the eval set '{eval_set}'")
    ids = sorted(next(iter(by_seed.values())))
    first = [next(iter(by_seed.values()))[i] for i in ids]
    losses = np.array([[by_seed[s][i].nll if metric == "nll" else by_seed[s][i].fact_nll for i in ids] for s in sorted(by_seed)])
    tokens = np.array([_tokens(r, metric) for r in first], dtype=np.int64)
    paired = st.pair(np.zeros((1, len(ids))), losses, tokens, [r.document for r in first])
    return Matrix(paired.differences, paired.weights, paired.items, paired.tokens)


def difference(old: Matrix, new: Matrix) -> st.Estimate:
    """Estimate new - old on the same exam: runs of the same seeds are paired, a single run (the untrained model) with every seed."""
    return st.estimate(st.Paired(new.losses - old.losses, new.weights, new.items, new.tokens))


def level(matrix: Matrix) -> st.Estimate:
    """Estimate an arm's own loss: the error counts documents and, where there are several runs, seeds."""
    return st.estimate(st.Paired(matrix.losses, matrix.weights, matrix.items, matrix.tokens))


def primary_set(rows: Sequence[LossRow], wanted: str) -> str:
    """Return the eval set to read on: the wanted one, or the first there is."""
    sets = sorted({r.eval_set for r in rows})
    return wanted if wanted in sets else sets[0]


def _tokens(row: LossRow, metric: Metric) -> int:
    return row.n_tokens if metric == "nll" else row.fact_tokens
