"""Choosing some rows of many: best, a band, diverse, by loss trajectory, or random.

Selection by a score made on the data itself often does no better than a random subset of the same size, so ``random`` is a choice like the
others and the probe is the judge between them. Every choice is deterministic; rows keep their order.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from datagen.dedup.semantic.vectors import Vectors
from datagen.errors import UsageError, suggest
from datagen.hashing import unit_interval
from datagen.schemas.sample import Sample
from datagen.score.defects import SCORERS, score_rows
from datagen.score.diversity.embedding import embed_texts
from datagen.score.diversity.novelty import local_density
from datagen.score.frame import build_frame
from datagen.score.model.difficulty import Floats, select_by_trajectory
from datagen.score.source import SourceRow

By = Literal["top", "band", "diverse", "novel", "trajectory", "random"]
_SMALL_MISS = 0.05
_EXACT_UP_TO = 2000


def select_rows(
    samples: Sequence[Sample],
    n: int,
    *,
    by: By = "diverse",
    score: str = "",
    lowest: bool = False,
    band: tuple[float, float] = (0.25, 0.75),
    seed: int = 0,
    vectors: Vectors | None = None,
    trajectories: Floats | None = None,
) -> list[int]:
    """Return the positions of ``n`` rows, ascending.

    Args:
        samples: the rows to choose from.
        n: how many; all of them if there are no more.
        by: ``top``: the highest values of ``score`` (the lowest with ``lowest``); ``band``: a random choice among rows whose score lies
            between two quantiles; ``diverse``: facility location; ``novel``: NovelSelect; ``trajectory``: S2L, evenly
            over clusters of ``trajectories``; ``random``: a fixed random choice.
        score: a row scorer's name, or a key of every sample's own ``scores``.
        band: the two quantiles, in [0, 1].
        seed: of random choices and of the first row of ``novel``.
        vectors: embedding of the rows, shape (rows, d); computed where needed.
        trajectories: losses of the rows while they are learnt, shape (rows, checkpoints), as
            :meth:`datagen.probe.measure.trajectories.LossTrajectories.measure` returns them; rows with NaN are not chosen.

    Raises:
        UsageError: n below 1, an unknown or missing score, a band that is none, or too few rows with a trajectory.
    """
    if n < 1:
        raise UsageError(f"cannot select {n} rows", hint="give a number of at least 1")
    everyone = list(range(len(samples)))
    if n >= len(samples):
        return everyone
    match by:
        case "random":
            return sorted(_shuffled(samples, everyone, seed)[:n])
        case "top":
            values = score_values(samples, score)
            return sorted(sorted(everyone, key=lambda i: (values[i] if lowest else -values[i], i))[:n])
        case "band":
            inside = _inside(score_values(samples, score), band)
            if len(inside) < n:
                raise UsageError(f"only {len(inside)} rows lie in the band {band[0]:g} to {band[1]:g} of '{score}', {n} were wanted")
            return sorted(_shuffled(samples, inside, seed)[:n])
        case "diverse":
            return sorted(facility_location(_vectors(samples, vectors), n, seed=seed))
        case "trajectory":
            return _by_trajectory(trajectories, n, seed)
        case "novel":
            return sorted(novel_select(_vectors(samples, vectors), n, seed=seed))


def score_values(samples: Sequence[Sample], score: str) -> list[float]:
    """Return one value a row: of a row scorer, or of the samples' own scores.

    Raises:
        UsageError: neither a scorer nor in every sample's ``scores``.
    """
    if samples and all(score in sample.scores for sample in samples):
        return [sample.scores[score] for sample in samples]
    names = [scorer.name for scorer in SCORERS]
    if score not in names:
        own = set[str]().union(*(sample.scores for sample in samples))
        raise UsageError(f"no score '{score}'" if score else "this choice needs a score", hint=suggest(score, [*names, *own]))
    frame = build_frame([SourceRow("samples", i, sample) for i, sample in enumerate(samples, 1)])
    return score_rows(frame)[score].to_list()


def facility_location(vectors: Vectors, n: int, *, seed: int = 0) -> list[int]:
    """Return ``n`` rows that stand for all, in the order they were chosen: greedily the row that most raises sum_i max_j sim(i, j).

    At least 1 - 1/e of the best value. Up to 2,000 rows every row is tried at each step; beyond, a random share of them large enough to
    lose 5 % at most (stochastic greedy). Similarity is cosine, negative ones count as 0. Cost: O(rows^2 d), memory O(rows * tried).

    Source: Nemhauser et al. 1978; Mirzasoleiman et al., "Lazier Than Lazy Greedy", AAAI 2015.
    """
    rows = len(vectors)
    rng = np.random.default_rng(seed)
    tried = rows if rows <= _EXACT_UP_TO else min(rows, math.ceil(rows / n * math.log(1 / _SMALL_MISS)))
    everything = np.maximum(vectors @ vectors.T, 0.0) if rows <= _EXACT_UP_TO else None
    reached = np.zeros(rows, dtype=np.float32)
    free = np.ones(rows, dtype=bool)
    chosen: list[int] = []
    for _ in range(min(n, rows)):
        open_rows = np.flatnonzero(free)
        candidates = open_rows if tried >= len(open_rows) else np.sort(rng.choice(open_rows, tried, replace=False))
        similar = everything[:, candidates] if everything is not None else np.maximum(vectors @ vectors[candidates].T, 0.0)
        gains = np.maximum(similar - reached[:, None], 0.0).sum(axis=0, dtype=np.float64)
        best = int(np.argmax(gains))
        chosen.append(int(candidates[best]))
        free[candidates[best]] = False
        reached = np.maximum(reached, similar[:, best])
    return chosen


def novel_select(vectors: Vectors, n: int, *, seed: int = 0) -> list[int]:
    """Return ``n`` rows, in the order they were chosen: each time the row with the largest novelty against those chosen so far.

    Novelty as in :func:`novel_sum`, with densities of the whole set. Cost: O(n^2 * rows log n).

    Source: Yang et al. 2025, arXiv 2502.17184, algorithm 1 (NovelSelect); alpha 1, beta 0.5, ten neighbours.
    """
    rows = len(vectors)
    weight = local_density(vectors) ** 0.5
    chosen = [int(np.random.default_rng(seed).integers(rows))]
    free: npt.NDArray[np.bool_] = np.ones(rows, dtype=bool)
    free[chosen[0]] = False
    away = np.empty((rows, 0))
    while len(chosen) < min(n, rows):
        away = np.hstack([away, 1.0 - vectors @ vectors[chosen[-1:]].T])
        order = np.argsort(away, axis=1, kind="stable")
        ranked = np.take_along_axis(away, order, axis=1) * weight[np.array(chosen)][order]
        novelty = (ranked / np.arange(1, len(chosen) + 1)).sum(axis=1)
        novelty[~free] = -np.inf
        chosen.append(int(np.argmax(novelty)))
        free[chosen[-1]] = False
    return chosen


def _by_trajectory(losses: Floats | None, n: int, seed: int) -> list[int]:
    if losses is None:
        raise UsageError("no loss trajectories to choose by", hint="measure them: LossTrajectories(model).measure(samples)")
    there = np.flatnonzero(~np.isnan(losses).any(axis=1))
    if len(there) < n:
        raise UsageError(f"only {len(there)} rows have an answer to learn, {n} were wanted", hint=f"ask for {len(there)} rows at most")
    return [int(there[i]) for i in select_by_trajectory(losses[there], n, seed=seed)]


def _vectors(samples: Sequence[Sample], vectors: Vectors | None) -> Vectors:
    if vectors is not None:
        return vectors
    frame = build_frame([SourceRow("samples", i, sample) for i, sample in enumerate(samples, 1)])
    return embed_texts((frame["prompt"] + "\n" + frame["completion"]).to_list())


def _shuffled(samples: Sequence[Sample], rows: Sequence[int], seed: int) -> list[int]:
    """Order rows by a hash of their content, so that adding rows does not change who comes before whom."""
    seen: dict[str, int] = {}
    keys: dict[int, float] = {}
    for i in rows:
        again = seen[samples[i].id] = seen.get(samples[i].id, -1) + 1
        keys[i] = unit_interval(f"{seed}:{again}:{samples[i].id}")
    return sorted(rows, key=lambda i: (keys[i], i))


def _inside(values: Sequence[float], band: tuple[float, float]) -> list[int]:
    low, high = band
    if not 0 <= low < high <= 1:
        raise UsageError(f"a band must be two quantiles in [0, 1], the lower first; got {low:g},{high:g}")
    ends = np.quantile(np.asarray(values), [low, high])
    return [i for i, value in enumerate(values) if ends[0] <= value <= ends[1]]
