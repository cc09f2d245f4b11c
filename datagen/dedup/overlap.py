"""An inverted index of shingle sets: how many shingles a text shares with each of many others, exactly and with no misses.

For sets of up to some ten thousand texts, where one miss matters more than speed: exams, documents. Larger sets go through MinHash.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datagen.dedup.shingle import Shingles


class Overlap(NamedTuple):
    """Set ``row`` of the index (``size`` shingles) shares ``common`` shingles with the query."""

    row: int
    common: int
    size: int


class OverlapIndex:
    """Shingle sets, indexed once. A query costs one binary search per shingle plus the postings it meets."""

    def __init__(self, sets: Sequence[Shingles]) -> None:
        self._sizes = [len(s) for s in sets]
        values = np.concatenate([np.zeros(0, dtype=np.uint64), *sets])
        owners = np.repeat(np.arange(len(sets)), self._sizes)
        order = np.argsort(values, kind="stable")
        self._owners: npt.NDArray[np.int64] = owners[order]
        self._keys, self._starts = np.unique(values[order], return_index=True)
        self._ends = np.append(self._starts[1:], len(values))

    def overlaps(self, query: Shingles) -> list[Overlap]:
        """Return every indexed set that shares a shingle with ``query`` (distinct shingles), by row."""
        if not len(self._keys) or not len(query):
            return []
        at = np.minimum(np.searchsorted(self._keys, query), len(self._keys) - 1)
        at = at[self._keys[at] == query]
        if not len(at):
            return []
        met = np.concatenate([self._owners[self._starts[i] : self._ends[i]] for i in at])
        rows, counts = np.unique(met, return_counts=True)
        return [Overlap(int(row), int(count), self._sizes[row]) for row, count in zip(rows, counts, strict=True)]
