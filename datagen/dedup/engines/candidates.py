"""Candidate pairs: rows that share a band of their signatures, found by one sort a band."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datagen.dedup.kernels.native import Signatures, parallel
from datagen.dedup.lsh import Bands, choose_bands

Integers = npt.NDArray[np.int64]


class Runs(NamedTuple):
    """``rows[starts[k]:starts[k + 1]]``, ascending, two or more, are candidates of each other. Both int64; ``starts`` ends with the end."""

    rows: Integers
    starts: Integers


def runs_of_bands(keys: Signatures) -> list[Runs]:
    """Return the runs of each band from the keys, shape (bands, rows), of fewer than 2**32 rows."""
    return parallel([partial(runs_of_keys, band) for band in keys])


def runs_of_keys(keys: npt.NDArray[np.uint32]) -> Runs:
    """Return the runs of rows with equal keys.

    Keys have 32 bits, so some rows share one by chance: about ``n**2 / 2**33`` pairs of n, refuted by the first comparison.
    """
    from datagen.dedup.kernels.sign import pick_repeated, runs_of_sorted, sort_packed

    # Four places a row and more: of the rows whose key is alone, a fifth or less is sorted with the others.
    bits = min(max(len(keys), 16).bit_length() + 2, 32)
    # Large arrays come from numpy, which asks for huge pages.
    seen, again = np.zeros((2, 1 << bits - 6), dtype=np.uint64)
    picked = np.empty(len(keys), dtype=np.uint64)
    count = pick_repeated(keys, bits, seen, again, picked)
    ordered = np.empty(count, dtype=np.uint64)
    sort_packed(picked, ordered, count)
    return Runs(*runs_of_sorted(ordered))


def runs_of_datasketch(signatures: Signatures, threshold: float) -> Iterator[Runs]:
    """Yield the pairs that datasketch's MinHashLSH finds from the same signatures and bands: the same clusters, by another index."""
    from datasketch import MinHash, MinHashLSH

    bands: Bands = choose_bands(threshold)
    lsh = MinHashLSH(num_perm=signatures.shape[1], params=(bands.bands, bands.rows))
    blank = MinHash(num_perm=signatures.shape[1])
    pairs: list[int] = []
    for i, signature in enumerate(signatures):
        minhash = blank.copy()
        minhash.hashvalues = signature
        for j in sorted(int(str(key)) for key in lsh.query(minhash)):
            pairs += (j, i)
        lsh.insert(str(i), minhash)
    yield Runs(np.array(pairs, dtype=np.int64), np.arange(0, len(pairs) + 1, 2, dtype=np.int64))
