"""Locality-sensitive hashing: how a threshold becomes bands, and which rows share one.

Two texts with similarity s share at least one of ``bands`` bands of ``rows`` signature values with probability 1 - (1 - s^rows)^bands.

Source: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4; the choice minimises weighted error areas as
``ekzhu/datasketch: datasketch/lsh.py`` does.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datagen.dedup.minhash import PERMUTATIONS, Signature

MISS_WEIGHT = 0.99
"""A false candidate costs one exact comparison, a miss a duplicate left in: at 0.99 a pair just at a threshold of 0.3 to 0.9 is found with
probability 0.96 or more, at 0.7 with 0.99."""


class Bands(NamedTuple):
    """``bands`` keys a signature, each over ``rows`` consecutive values; ``bands * rows <= 128``."""

    bands: int
    rows: int

    def probability(self, similarity: float) -> float:
        """Return the probability in [0, 1] that a pair of this Jaccard similarity becomes a candidate."""
        return 1 - (1 - similarity**self.rows) ** self.bands


@cache
def choose_bands(threshold: float) -> Bands:
    """Return the bands that minimise the areas of false candidates below the threshold and, weighted, of misses above it."""
    grid = (np.arange(1000) + 0.5) / 1000
    best = (float("inf"), Bands(1, 1))
    for rows in range(1, 33):
        bands = Bands(PERMUTATIONS // rows, rows)
        found = 1 - (1 - grid**rows) ** bands.bands
        false = float(found[grid < threshold].sum()) / len(grid)
        missed = float((1 - found[grid >= threshold]).sum()) / len(grid)
        best = min(best, ((1 - MISS_WEIGHT) * false + MISS_WEIGHT * missed, bands))
    return best[1]


def band_key(signatures: npt.NDArray[np.uint32], bands: Bands, band: int) -> npt.NDArray[np.uint64]:
    """Return one 64-bit key per signature (shape (n, 128) -> (n,)) for one band. Keys may collide; candidates are verified anyway."""
    return _key(signatures[:, band * bands.rows : (band + 1) * bands.rows])


def signature_keys(signature: Signature, bands: Bands) -> list[tuple[int, int]]:
    """Return (band, key) for one signature; texts that share any are candidates."""
    return list(enumerate(_key(signature[: bands.bands * bands.rows].reshape(bands)).tolist()))


def _key(values: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """Mix each row of values, shape (n, rows), into one number."""
    key = np.zeros(len(values), dtype=np.uint64)
    for column in values.T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key
