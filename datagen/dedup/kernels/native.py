"""Texts to signatures, band keys and shingle sets, by the compiled kernels on all cores.

A text that the kernels find too complex (see :mod:`datagen.dedup.kernels.fold_table`) is folded by Python and goes through them again; one
without any unit, or with code points beyond U+1FFFF, is left to :func:`datagen.dedup.shingle.shingle`. All three ways give the same hashes.
"""

import os
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from datagen.dedup.kernels.column import Column, Texts
from datagen.dedup.lsh import Bands, band_key
from datagen.dedup.minhash import ADDENDS, MULTIPLIERS, PERMUTATIONS
from datagen.dedup.shingle import Shingles, shingle
from datagen.text import fold

Signatures = npt.NDArray[np.uint32]
Result = TypeVar("Result")
BLOCK = 1 << 19
"""Bytes of text a task takes: large enough to forget the cost of a task, small enough for the processor's cache."""


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


def signatures_of(texts: Texts, ngram: int) -> Signatures:
    """Return MinHash signatures, uint32 of shape (rows, 128): those of :func:`datagen.dedup.minhash.signature`."""
    from datagen.dedup.kernels.fold_table import fold_table
    from datagen.dedup.kernels.sign import sign_texts

    table, out = fold_table(), np.empty((texts.rows, PERMUTATIONS), dtype=np.uint32)
    left = np.zeros(texts.rows, dtype=np.bool_)

    def sign(start: int, block: Column) -> None:
        own = slice(start, start + block.rows)
        left[own] = sign_texts(*block, *table, ngram, MULTIPLIERS, ADDENDS, out[own])

    for_blocks(texts, sign)
    rows = np.flatnonzero(left)
    if len(rows):
        out[rows] = _sign_complex(texts, rows, ngram)
    return out


def band_keys(texts: Texts, ngram: int, bands: Bands) -> Signatures:
    """Return the high 32 bits of every band's key, uint32 of shape (bands, rows); signatures are not kept."""
    from datagen.dedup.kernels.fold_table import fold_table
    from datagen.dedup.kernels.sign import key_texts

    table, out = fold_table(), np.empty((bands.bands, texts.rows), dtype=np.uint32)
    left = np.zeros(texts.rows, dtype=np.bool_)

    def sign(start: int, block: Column) -> None:
        own = slice(start, start + block.rows)
        out[:, own], left[own] = key_texts(*block, *table, ngram, MULTIPLIERS, ADDENDS, *bands)

    for_blocks(texts, sign)
    rows = np.flatnonzero(left)
    if len(rows):
        out[:, rows] = keys_of_signatures(_sign_complex(texts, rows, ngram), bands)
    return out


def keys_of_signatures(signatures: Signatures, bands: Bands) -> Signatures:
    """Return band keys, uint32 of shape (bands, rows), of signatures."""
    return np.stack([(band_key(signatures, bands, b) >> np.uint64(32)).astype(np.uint32) for b in range(bands.bands)])


def shingle_sets(texts: Texts, ngram: int) -> ShingleSets:
    """Return the shingle set of every row."""
    from datagen.dedup.kernels.fold_table import fold_table, folded_table
    from datagen.dedup.kernels.sign import shingle_texts

    table = fold_table()
    parts = for_blocks(texts, lambda _, block: shingle_texts(*block, *table, ngram))
    if not parts:
        return ShingleSets.of([])
    values, sizes, left = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    offsets = np.zeros(texts.rows + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    sets = ShingleSets(values, offsets)
    if not left.any():
        return sets
    rows = np.flatnonzero(left)
    folded = Column.of(fold(texts.text(i)) for i in rows.tolist())
    again, sizes_again, still = shingle_texts(*folded, *folded_table(), ngram)
    ends = np.cumsum(sizes_again)
    replaced = {
        row: shingle(texts.text(row), ngram) if still[at] else again[ends[at] - sizes_again[at] : ends[at]]
        for at, row in enumerate(rows.tolist())
    }
    return ShingleSets.of([replaced[i] if left[i] else sets.row(i) for i in range(texts.rows)])


def first_equal(texts: Texts) -> npt.NDArray[np.int64]:
    """Return, per row, the first row whose bytes are the same, int64 of shape (rows,)."""
    from datagen.dedup.kernels.sign import hash_texts

    parts = for_blocks(texts, lambda _, block: hash_texts(*block))
    hashes = np.concatenate([np.zeros(0, dtype=np.uint64), *parts])
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    first = np.arange(texts.rows)
    # Equal hashes only tell which rows to compare.
    seen: dict[Hashable, int] = {}
    for row in np.flatnonzero(counts[inverse] > 1).tolist():
        first[row] = seen.setdefault(texts.key(row), row)
    return first


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


def for_blocks(texts: Texts, work: Callable[[int, Column], Result]) -> list[Result]:
    """Call ``work`` with every block and its first row, on all cores, and return the results in order.

    Blocks are encoded here while others are worked on, a few ahead of them, so that no more memory is needed than a few blocks take.
    """
    blocks = texts.blocks(size=BLOCK)
    ahead = list(islice(blocks, 2))
    workers = available_cores()
    if workers < 2 or len(ahead) < 2:
        return [work(*block) for block in chain(ahead, blocks)]
    results: list[Result] = []
    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for block in chain(ahead, blocks):
            running.append(pool.submit(work, *block))
            if len(running) > 2 * workers:
                results.append(running.popleft().result())
        return [*results, *(future.result() for future in running)]


def _sign_complex(texts: Texts, rows: npt.NDArray[np.int64], ngram: int) -> Signatures:
    from datagen.dedup.kernels.fold_table import folded_table
    from datagen.dedup.kernels.sign import sign_sets, sign_texts

    folded = Column.of(fold(texts.text(i)) for i in rows.tolist())
    out = np.empty((len(rows), PERMUTATIONS), dtype=np.uint32)
    left = np.flatnonzero(sign_texts(*folded, *folded_table(), ngram, MULTIPLIERS, ADDENDS, out))
    sets = ShingleSets.of([shingle(texts.text(i), ngram) for i in rows[left].tolist()])
    out[left] = sign_sets(*sets, MULTIPLIERS, ADDENDS)
    return out
