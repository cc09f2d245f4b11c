"""ROUGE-L on units (Chinese characters, words): how much of one short text stands in another, in the same order.

Source: C.-Y. Lin, "ROUGE: A package for automatic evaluation of summaries", 2004 (F-measure, beta 1); the longest common subsequence is
bit-parallel after M. Crochemore et al., "A fast and practical bit-vector algorithm for the longest common subsequence problem",
Information Processing Letters 80(6), 2001.
"""

from collections.abc import Sequence

from datagen.text import units


def rouge_l(a: str, b: str) -> float:
    """Return the F-measure of the longest common subsequence of two texts' units, in [0, 1]; 0 if one has none.

    Case, width, punctuation and white space do not count. Cost: O(n * m / 64). Symmetric, deterministic.
    """
    left, right = units(a), units(b)
    if not left or not right:
        return 0.0
    return 2 * _common(left, right) / (len(left) + len(right))


def most_similar(text: str, pool: Sequence[str]) -> tuple[float, str]:
    """Return the highest ROUGE-L of ``text`` to a text of the pool, and that text (the first of equals); ``(0.0, "")`` if it is empty."""
    return max(((rouge_l(text, other), other) for other in pool), key=lambda found: found[0], default=(0.0, ""))


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    masks: dict[str, int] = {}
    for i, unit in enumerate(left):
        masks[unit] = masks.get(unit, 0) | 1 << i
    full = (1 << len(left)) - 1
    row = full
    for unit in right:
        hits = row & masks.get(unit, 0)
        row = (row + hits | row - hits) & full
    return len(left) - row.bit_count()
