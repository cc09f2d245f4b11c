"""Pairs that no rule catches but whose embeddings are close: paraphrases, perhaps. For a person to decide; nothing is refused on them.

Embeddings put "the room costs 300" beside "the room costs 500" (see :mod:`datagen.dedup.semantic`), so this is a queue, not a verdict.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from datagen.dedup.leakage.rules import Leak
from datagen.dedup.semantic import Embedder
from datagen.dedup.shingle import numbers
from datagen.errors import UsageError

_BLOCK = 1024


class ReviewPair(NamedTuple):
    """A training row and the evaluation row (both from 0) it may paraphrase; ``same_numbers``: their figures are the same."""

    train_row: int
    eval_row: int
    similarity: float
    same_numbers: bool


def find_review_pairs(
    train: Sequence[str], evaluation: Sequence[str], embedder: Embedder, *, threshold: float, known: Sequence[Leak] = ()
) -> list[ReviewPair]:
    """Return pairs at or above the cosine ``threshold`` that are no ``known`` leaks, most similar first. Blank texts match nothing.

    Raises:
        UsageError: threshold outside (0, 1].
        ProviderError: the embedder's provider failed.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold must be in (0, 1], got {threshold}")
    # Embedded together: the offline embedder fits on the texts it is given.
    vectors = embedder.embed([*train, *evaluation])
    trained, evaluated = vectors[: len(train)], vectors[len(train) :]
    leaks = {leak[:2] for leak in known}
    found: list[ReviewPair] = []
    for start in range(0, len(train), _BLOCK):
        similar = trained[start : start + _BLOCK] @ evaluated.T
        rows, columns = np.nonzero(similar >= threshold)
        values = np.minimum(similar[rows, columns], 1).tolist()
        for i, j, value in zip((rows + start).tolist(), columns.tolist(), values, strict=True):
            if (i, j) not in leaks and train[i].strip() and evaluation[j].strip():
                found.append(ReviewPair(i, j, value, numbers(train[i]) == numbers(evaluation[j])))
    return sorted(found, key=lambda pair: (-pair.similarity, pair.train_row, pair.eval_row))
