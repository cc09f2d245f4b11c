"""Texts to signatures, band keys and shingle sets, by the compiled kernels on all cores.

A text that the kernels find too complex (see :mod:`datagen.dedup.kernels.fold_table`) is folded by Python and goes through them again; one
without any unit, or with code points beyond U+1FFFF, is left to :func:`datagen.dedup.shingle.shingle`. All three ways give the same hashes.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from datagen.dedup.kernels.column import Column
from datagen.dedup.lsh import Bands, band_key
from datagen.dedup.minhash import ADDENDS, MULTIPLIERS, PERMUTATIONS
from datagen.dedup.shingle import Shingles, shingle
from datagen.text import fold

Signatures = npt.NDArray[np.uint32]
Result = TypeVar("Result")
CHUNK = 1 << 21
"""Bytes of text a task takes: large enough to forget the cost of a task, small enough to share work evenly."""


class ShingleSets(NamedTuple):
    """Shingle sets of many rows: ``values`` uint64, ``offsets`` int64 of shape (rows + 1,); each row sorted and distinct."""

    values: Shingles
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, sets: Sequence[Shingles]) -> "ShingleSets":
        offsets = np.zeros(len(sets) + 1, dtype=np.int64)
        np.cumsum([len(s) for s in sets], out=offsets[1:])
        return cls(np.concatenate([np.zeros(0, dtype=np.uint64), *sets]), offsets)

    def row(self, i: int) -> Shingles:
        return self.values[self.offsets[i] : self.offsets[i + 1]]


def signatures_of(column: Column, ngram: int) -> Signatures:
    """Return MinHash signatures, uint32 of shape (rows, 128): those of :func:`datagen.dedup.minhash.signature`."""
    from datagen.dedup.kernels.fold_table import fold_table
    from datagen.dedup.kernels.sign import sign_texts

    data, offsets = column
    table, out = fold_table(), np.empty((column.rows, PERMUTATIONS), dtype=np.uint32)

    def sign(start: int, stop: int) -> npt.NDArray[np.bool_]:
        return sign_texts(data, offsets[start : stop + 1], *table, ngram, MULTIPLIERS, ADDENDS, out[start:stop])

    left = _in_chunks(column, sign)
    if len(left):
        out[left] = _sign_complex(column, left, ngram)
    return out


def band_keys(column: Column, ngram: int, bands: Bands) -> Signatures:
    """Return the high 32 bits of every band's key, uint32 of shape (bands, rows); signatures are not kept."""
    from datagen.dedup.kernels.fold_table import fold_table
    from datagen.dedup.kernels.sign import key_texts

    data, offsets = column
    table, out = fold_table(), np.empty((bands.bands, column.rows), dtype=np.uint32)

    def sign(start: int, stop: int) -> npt.NDArray[np.bool_]:
        return key_texts(data, offsets[start : stop + 1], *table, ngram, MULTIPLIERS, ADDENDS, *bands, out[:, start:stop])

    left = _in_chunks(column, sign)
    if len(left):
        out[:, left] = keys_of_signatures(_sign_complex(column, left, ngram), bands)
    return out


def keys_of_signatures(signatures: Signatures, bands: Bands) -> Signatures:
    """Return band keys, uint32 of shape (bands, rows), of signatures."""
    return np.stack([(band_key(signatures, bands, b) >> np.uint64(32)).astype(np.uint32) for b in range(bands.bands)])


def shingle_sets(column: Column, ngram: int) -> ShingleSets:
    """Return the shingle set of every row."""
    from datagen.dedup.kernels.fold_table import fold_table, folded_table
    from datagen.dedup.kernels.sign import shingle_texts

    table = fold_table()
    parts = parallel(
        [partial(shingle_texts, column.data, column.offsets[start : stop + 1], *table, ngram) for start, stop in column.chunks(size=CHUNK)]
    )
    if not parts:
        return ShingleSets.of([])
    values, sizes, left = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    offsets = np.zeros(column.rows + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    sets = ShingleSets(values, offsets)
    if not left.any():
        return sets
    rows = np.flatnonzero(left)
    folded = Column.of(fold(column.text(i)) for i in rows.tolist())
    again, sizes_again, still = shingle_texts(*folded, *folded_table(), ngram)
    ends = np.cumsum(sizes_again)
    replaced = {
        row: shingle(column.text(row), ngram) if still[at] else again[ends[at] - sizes_again[at] : ends[at]]
        for at, row in enumerate(rows.tolist())
    }
    return ShingleSets.of([replaced[i] if left[i] else sets.row(i) for i in range(column.rows)])


def parallel(tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run tasks on all cores this process may use and return their results in order; tasks must release the interpreter's lock."""
    workers = min(len(tasks), available_cores())
    if workers < 2:
        return [task() for task in tasks]
    with ThreadPoolExecutor(workers) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


def available_cores() -> int:
    """Return the number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_chunks(column: Column, sign: Callable[[int, int], npt.NDArray[np.bool_]]) -> npt.NDArray[np.int64]:
    """Call ``sign`` on all ranges of rows; return the rows it left alone."""
    marks = parallel([partial(sign, start, stop) for start, stop in column.chunks(size=CHUNK)])
    return np.flatnonzero(np.concatenate([np.zeros(0, dtype=np.bool_), *marks]))


def _sign_complex(column: Column, rows: npt.NDArray[np.int64], ngram: int) -> Signatures:
    from datagen.dedup.kernels.fold_table import folded_table
    from datagen.dedup.kernels.sign import sign_sets, sign_texts

    folded = Column.of(fold(column.text(i)) for i in rows.tolist())
    out = np.empty((len(rows), PERMUTATIONS), dtype=np.uint32)
    left = np.flatnonzero(sign_texts(*folded, *folded_table(), ngram, MULTIPLIERS, ADDENDS, out))
    sets = ShingleSets.of([shingle(column.text(i), ngram) for i in rows[left].tolist()])
    out[left] = sign_sets(*sets, MULTIPLIERS, ADDENDS)
    return out
