"""MinHash signatures: 128 numbers a text, whose share of agreement estimates Jaccard similarity.

Hash functions are multiply-shift, ``(a * x + b) mod 2**64 >> 32`` with odd ``a``, on shingles that are well mixed already. The constants
come from PCG64 with a fixed seed, so signatures are the same on every machine and may be stored. They fit
``datasketch.MinHash(hashvalues=...)``.

Source: A. Broder, "On the resemblance and containment of documents", 1997; multiply-shift: M. Dietzfelbinger et al., "A Reliable Randomized
Algorithm for the Closest-Pair Problem", 1997.
"""

import numpy as np
import numpy.typing as npt

from datagen.dedup.shingle import Shingles

PERMUTATIONS = 128
Signature = npt.NDArray[np.uint32]
_RNG = np.random.Generator(np.random.PCG64(20_240_917))
MULTIPLIERS = (_RNG.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64) << np.uint64(1)) | np.uint64(1)
ADDENDS = _RNG.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)


def signature(shingles: Shingles) -> Signature:
    """Return a text's signature, dtype uint32, shape (128,); an empty set gives all one bits. Numpy only: for one text at a time."""
    if not len(shingles):
        return np.full(PERMUTATIONS, 0xFFFFFFFF, dtype=np.uint32)
    mixed = (shingles[:, None] * MULTIPLIERS[None, :] + ADDENDS[None, :]) >> np.uint64(32)
    return mixed.min(axis=0).astype(np.uint32)


def estimate(a: Signature, b: Signature) -> float:
    """Return the estimated Jaccard similarity in [0, 1]; its standard deviation is sqrt(J (1 - J) / 128)."""
    return float((a == b).mean())
