"""Nested subsets of a training set, and random halves of its slices."""

import random
from collections.abc import Sequence
from typing import Literal

from datagen.schemas.sample import Sample

Grouping = Literal["document", "row"]


def nested_order(samples: Sequence[Sample], *, by: Grouping, seed: int) -> list[Sample]:
    """Put samples into an order whose every prefix is a subset of that size: what is smaller is contained in what is larger.

    ``document`` takes whole documents in a random order, as when documents are added (the last one of a prefix may be cut); ``row`` takes
    one row of every document in turn, as when more rows are made from the same documents. Deterministic; input order does not matter.
    """
    groups: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda s: s.id):
        groups.setdefault(sample.provenance.document or sample.id, []).append(sample)
    names = sorted(groups)
    random.Random(f"subset:documents:{seed}").shuffle(names)
    for name in names:
        random.Random(f"subset:rows:{seed}:{name}").shuffle(groups[name])
    if by == "document":
        return [sample for name in names for sample in groups[name]]
    # A document of 3 rows beside one of 30 gives one row for every ten of the other's, so every prefix has the whole set's proportions.
    placed = [((i + 0.5) / len(groups[name]), n, row) for n, name in enumerate(names) for i, row in enumerate(groups[name])]
    return [row for _, _, row in sorted(placed, key=lambda p: p[:2])]


def half_inclusions(count: int, *, draws: int, seed: int) -> list[tuple[bool, ...]]:
    """Draw which of ``count`` slices each screening run includes: a random half, then the other half, in pairs.

    Pairs of complements make every slice included exactly as often as not, and the main effects free of even interactions (foldover;
    G. E. P. Box, W. G. Hunter, "The 2^(k-p) fractional factorial designs", 1961).

    Raises:
        ValueError: fewer than 2 slices, or an odd number of draws.
    """
    if count < 2 or draws < 2 or draws % 2:
        raise ValueError(f"half inclusion needs at least 2 slices and an even number of runs, got {count} and {draws}")
    rng = random.Random(f"halves:{seed}")
    found: list[tuple[bool, ...]] = []
    for n in range(draws // 2):
        size = count // 2 + (count % 2 and n % 2)
        chosen = set(rng.sample(range(count), size))
        row = tuple(i in chosen for i in range(count))
        found += [row, tuple(not x for x in row)]
    return found
