"""Texts to signatures, band keys and shingle sets, by the compiled kernels on all cores.

A text that the kernels find too complex (see :mod:`datagen.dedup.kernels.fold_table`) is folded by Python and goes through them again; one
without any unit, or with code points beyond U+1FFFF, is left to :func:`datagen.dedup.shingle.shingle`. All three ways give the same hashes.
"""

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
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

    deque(in_blocks(texts, sign), maxlen=0)
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
        left[start : start + block.rows] = key_texts(*block, *table, ngram, MULTIPLIERS, ADDENDS, *bands, out, start)

    deque(in_blocks(texts, sign), maxlen=0)
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

    table, values = fold_table(), Growing()
    offsets, left = np.zeros(texts.rows + 1, dtype=np.int64), np.zeros(texts.rows, dtype=np.bool_)
    row = 0
    for part, sizes, complex_rows in in_blocks(texts, lambda _, block: shingle_texts(*block, *table, ngram)):
        offsets[row + 1 : row + 1 + len(sizes)], left[row : row + len(sizes)] = sizes, complex_rows
        row += len(sizes)
        values.append(part, done=row / texts.rows)
    np.cumsum(offsets, out=offsets)
    sets = ShingleSets(values.taken(), offsets)
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
    """Return, per row, the first row that is the same, int64 of shape (rows,)."""
    seen: dict[Hashable, int] = {}
    rows = range(texts.rows)
    return np.fromiter(map(seen.setdefault, texts.keys(), rows), dtype=np.int64, count=len(rows))


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


def in_blocks(texts: Texts, work: Callable[[int, Column], Result]) -> Iterator[Result]:
    """Call ``work`` with every block and its first row, on all cores, and yield the results in order.

    Blocks are encoded here while others are worked on, a few ahead of them, so that no more memory is needed than a few blocks take.
    """
    blocks = texts.blocks(size=BLOCK)
    ahead = list(islice(blocks, 2))
    workers = available_cores()
    if workers < 2 or len(ahead) < 2:
        for block in chain(ahead, blocks):
            yield work(*block)
        return
    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for block in chain(ahead, blocks):
            running.append(pool.submit(work, *block))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


class Growing:
    """An array of uint64 that parts are appended to, in large pieces of memory: first-touched pages of 4 KiB cost more time than all the
    hashing of what is put there, and numpy asks for huge ones."""

    def __init__(self) -> None:
        self._values = np.zeros(0, dtype=np.uint64)
        self._size = 0

    def append(self, part: Shingles, *, done: float) -> None:
        """Append; ``done``, the share of all parts that are there now, in (0, 1], tells how much room to make."""
        end = self._size + len(part)
        if end > len(self._values):
            # Room that is never written to takes no memory.
            larger = np.empty(int(end / done * 1.1) + 1, dtype=np.uint64)
            larger[: self._size] = self._values[: self._size]
            self._values = larger
        self._values[self._size : end] = part
        self._size = end

    def taken(self) -> Shingles:
        """Return what was appended."""
        return self._values[: self._size]


def _sign_complex(texts: Texts, rows: npt.NDArray[np.int64], ngram: int) -> Signatures:
    from datagen.dedup.kernels.fold_table import folded_table
    from datagen.dedup.kernels.sign import sign_sets, sign_texts

    folded = Column.of(fold(texts.text(i)) for i in rows.tolist())
    out = np.empty((len(rows), PERMUTATIONS), dtype=np.uint32)
    left = np.flatnonzero(sign_texts(*folded, *folded_table(), ngram, MULTIPLIERS, ADDENDS, out))
    sets = ShingleSets.of([shingle(texts.text(i), ngram) for i in rows[left].tolist()])
    out[left] = sign_sets(*sets, MULTIPLIERS, ADDENDS)
    return out
