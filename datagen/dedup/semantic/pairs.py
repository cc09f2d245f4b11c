"""Pairs of rows whose embeddings are close, and what a threshold would take, shown with the user's own rows.

Up to some ten thousand rows every pair is compared; more go through usearch's index (HNSW) if it is installed, whose candidates are scored
exactly. The index is built by one thread, so results repeat.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from datagen.dedup.semantic.vectors import Vectors
from datagen.dedup.shingle import numbers
from datagen.errors import MissingExtra, UsageError

EXHAUSTIVE = 20_000
"""Rows up to which every pair is compared: 2 x 10^8 dot products, some seconds."""
NEIGHBOURS = 16
STEPS = (0.99, 0.97, 0.95, 0.92, 0.9, 0.87, 0.85, 0.8, 0.75, 0.7)
_BLOCK = 1024


class SemanticPair(NamedTuple):
    """Rows ``first < second`` (from 0) with the cosine similarity of their embeddings.

    ``same_numbers`` is False where their figures differ: then they are two facts, however alike they sound.
    """

    first: int
    second: int
    similarity: float
    same_numbers: bool


class ThresholdStep(NamedTuple):
    """What lies between this threshold and the one above: how many pairs, and the pair nearest to the threshold as an example."""

    threshold: float
    pairs: int
    pairs_with_other_numbers: int
    example: SemanticPair | None


def find_semantic_pairs(texts: Sequence[str], vectors: Vectors, *, threshold: float) -> list[SemanticPair]:
    """Return all pairs at or above the threshold, most similar first. Beyond 20,000 rows each row's 16 nearest are looked at.

    Raises:
        UsageError: threshold outside (0, 1].
        MissingExtra: more than 20,000 rows, and usearch is not installed.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold must be in (0, 1], got {threshold}")
    close = _exhaustive(vectors, threshold) if len(texts) <= EXHAUSTIVE else _indexed(vectors, threshold)
    figures: dict[int, tuple[str, ...]] = {}

    def figures_of(i: int) -> tuple[str, ...]:
        if i not in figures:
            figures[i] = numbers(texts[i])
        return figures[i]

    pairs = [SemanticPair(i, j, s, figures_of(i) == figures_of(j)) for i, j, s in close]
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def explain_threshold(pairs: Sequence[SemanticPair]) -> list[ThresholdStep]:
    """Say what each threshold adds to the ones above it, for as many as ``pairs`` reach down to."""
    steps: list[ThresholdStep] = []
    lowest = min((pair.similarity for pair in pairs), default=1.0)
    above = float("inf")
    for threshold in STEPS:
        inside = [pair for pair in pairs if threshold <= pair.similarity < above]
        other = sum(not pair.same_numbers for pair in inside)
        example = min(inside, key=lambda pair: (not pair.same_numbers, pair.similarity), default=None)
        steps.append(ThresholdStep(threshold, len(inside), other, example))
        above = threshold
        if threshold <= lowest:
            break
    return steps


def _exhaustive(vectors: Vectors, threshold: float) -> list[tuple[int, int, float]]:
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(vectors), _BLOCK):
        similar = vectors[start : start + _BLOCK] @ vectors.T
        rows, columns = np.nonzero(similar >= threshold)
        later = columns > rows + start
        rows, columns = rows[later], columns[later]
        found += zip((rows + start).tolist(), columns.tolist(), _capped(similar[rows, columns]), strict=True)
    return found


def _indexed(vectors: Vectors, threshold: float) -> list[tuple[int, int, float]]:
    try:
        from usearch.index import Index  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtra.of(f"semantic comparison of more than {EXHAUSTIVE:,} rows", "embeddings") from error
    index: Any = Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
    index.add(np.arange(len(vectors)), vectors, threads=1)
    matches: Any = index.search(vectors, NEIGHBOURS + 1, threads=1)
    keys: npt.NDArray[np.int64] = np.asarray(matches.keys).astype(np.int64)
    rows = np.repeat(np.arange(len(vectors)), keys.shape[1])
    # Rows with fewer neighbours are filled up with a key that is no row.
    known = (keys.ravel() >= 0) & (keys.ravel() < len(vectors)) & (keys.ravel() != rows)
    ends = np.sort(np.stack([rows[known], keys.ravel()[known]], axis=1), axis=1)
    pairs = np.unique(ends, axis=0)
    similar = np.einsum("ij,ij->i", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    near = similar >= threshold
    return list(zip(pairs[near, 0].tolist(), pairs[near, 1].tolist(), _capped(similar[near]), strict=True))


def _capped(similarity: npt.NDArray[np.float32]) -> list[float]:
    """Return similarities without the rounding that lifts some above 1."""
    return np.minimum(similarity, 1).tolist()
