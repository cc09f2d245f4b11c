"""MinHash signatures and LSH bands: which pairs are worth an exact comparison.

Source: A. Broder, "On the resemblance and containment of documents", 1997; multiply-shift hashing: M. Dietzfelbinger et al., "A Reliable
Randomized Algorithm for the Closest-Pair Problem", 1997; choice of bands: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from datagen.dedup.shingle import Shingles

PERMUTATIONS = 128
Signature = npt.NDArray[np.uint32]
_RNG = np.random.Generator(np.random.PCG64(20_240_917))
_A = (_RNG.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64) << np.uint64(1)) | np.uint64(1)
_B = _RNG.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)


def signature(shingles: Shingles) -> Signature:
    """Return a text's signature, dtype uint32, shape (128,). Deterministic; an empty set gives all ones bits."""
    if not len(shingles):
        return np.full(PERMUTATIONS, 0xFFFFFFFF, dtype=np.uint32)
    mixed = (shingles[:, None] * _A[None, :] + _B[None, :]) >> np.uint64(32)
    return mixed.min(axis=0).astype(np.uint32)


@cache
def bands_and_rows(threshold: float) -> tuple[int, int]:
    """Choose (bands, rows) with bands * rows <= 128 that minimise expected error; a miss weighs nine times a false candidate.

    A false candidate costs one exact comparison, a miss a duplicate left in. With threshold 0.7: the pair is found with
    probability 1 - (1 - s^rows)^bands at similarity s.
    """
    grid = np.linspace(0, 1, 201)
    best = (float("inf"), 1, 1)
    for rows in range(1, 17):
        bands = PERMUTATIONS // rows
        found = 1 - (1 - grid**rows) ** bands
        false = float(found[grid < threshold].sum())
        missed = float((1 - found[grid >= threshold]).sum())
        best = min(best, (0.1 * false + 0.9 * missed, bands, rows))
    return best[1], best[2]


def band_keys(sign: Signature, bands: int, rows: int) -> list[bytes]:
    """Return one key per band; two texts sharing any key are candidates."""
    return [bytes([band]) + sign[band * rows : (band + 1) * rows].tobytes() for band in range(bands)]
