"""An inverted index of shingle sets: how many shingles a text shares with each of many others, exactly and with no misses.

For sets of up to some ten thousand texts, where one miss matters more than speed: exams, documents. Larger sets go through MinHash.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datagen.dedup.shingle import Shingles


class Overlaps(NamedTuple):
    """Sets ``rows`` of the index, ascending, with ``sizes`` shingles each, share ``common`` shingles with a query; three int64 arrays."""

    rows: npt.NDArray[np.int64]
    common: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


class OverlapIndex:
    """Shingle sets, indexed once. A query costs one binary search per shingle plus the postings it meets."""

    def __init__(self, sets: Sequence[Shingles]) -> None:
        self._sizes = np.array([len(s) for s in sets], dtype=np.int64)
        values = np.concatenate([np.zeros(0, dtype=np.uint64), *sets])
        owners = np.repeat(np.arange(len(sets)), self._sizes)
        order = np.argsort(values, kind="stable")
        self._owners: npt.NDArray[np.int64] = owners[order]
        self._keys, self._starts = np.unique(values[order], return_index=True)
        self._ends = np.append(self._starts[1:], len(values))

    def overlaps(self, query: Shingles) -> Overlaps:
        """Return every indexed set that shares a shingle with ``query`` (distinct shingles)."""
        postings: list[npt.NDArray[np.int64]] = []
        if len(self._keys) and len(query):
            at = np.minimum(np.searchsorted(self._keys, query), len(self._keys) - 1)
            postings = [self._owners[self._starts[i] : self._ends[i]] for i in at[self._keys[at] == query].tolist()]
        counts = np.bincount(np.concatenate(postings)) if postings else np.zeros(0, dtype=np.int64)
        rows = np.flatnonzero(counts)
        return Overlaps(rows, counts[rows], self._sizes[rows])
