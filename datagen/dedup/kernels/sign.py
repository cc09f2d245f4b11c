"""MinHash signatures, band keys and shingle sets of many texts."""

# pyright: reportArgumentType=false
# An element of an array of integers is an integer to numba, and an array to the stubs.

import numpy as np
import numpy.typing as npt

from datagen.dedup.kernels.compiled import compiled
from datagen.dedup.kernels.windows import Bytes, Entries, Hashes, hash_units, hash_windows, longest_of, sort_hashes
from datagen.dedup.minhash import PERMUTATIONS

Integers = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint32]
SPARE = 64
"""Units a text may have beyond its bytes: a few code points fold to many; a text with more of them is complex."""
_HIGH = np.uint64(32)
_ONES = np.uint32(0xFFFFFFFF)
_KEY_PRIME = np.uint64(0x9E3779B97F4A7C15)
_KEY_SHIFT = np.uint64(29)


@compiled
def sign_windows(windows: Hashes, count: int, a: Signatures, b: Signatures, out: Signatures) -> None:
    """Write ``min(a * x + b) mod 2**32`` over all windows x, per permutation."""
    # The number of permutations is a constant to the compiler, and eight windows share one load and store of the running minimum.
    for p in range(PERMUTATIONS):
        out[p] = _ONES
    i = 0
    while i + 8 <= count:
        x0, x1, x2, x3 = (np.uint32(windows[i]), np.uint32(windows[i + 1]), np.uint32(windows[i + 2]), np.uint32(windows[i + 3]))
        x4, x5, x6, x7 = (np.uint32(windows[i + 4]), np.uint32(windows[i + 5]), np.uint32(windows[i + 6]), np.uint32(windows[i + 7]))
        for p in range(PERMUTATIONS):
            m, n = a[p], b[p]
            low = min(min(np.uint32(m * x0 + n), np.uint32(m * x1 + n)), min(np.uint32(m * x2 + n), np.uint32(m * x3 + n)))
            high = min(min(np.uint32(m * x4 + n), np.uint32(m * x5 + n)), min(np.uint32(m * x6 + n), np.uint32(m * x7 + n)))
            out[p] = min(out[p], min(low, high))
        i += 8
    while i < count:
        x = np.uint32(windows[i])
        for p in range(PERMUTATIONS):
            out[p] = min(out[p], np.uint32(a[p] * x + b[p]))
        i += 1


@compiled
def sign_sets(values: Hashes, offsets: Integers, a: Signatures, b: Signatures) -> Signatures:
    """Return signatures of shingle sets, uint32 of shape (rows, 128); an empty set gives all one bits."""
    rows = len(offsets) - 1
    signatures = np.empty((rows, PERMUTATIONS), dtype=np.uint32)
    for row in range(rows):
        sign_windows(values[offsets[row] : offsets[row + 1]], offsets[row + 1] - offsets[row], a, b, signatures[row])
    return signatures


@compiled
def sign_texts(
    data: Bytes, offsets: Integers, entries: Entries, sequences: Entries, ngram: int, a: Signatures, b: Signatures, out: Signatures
) -> npt.NDArray[np.bool_]:
    """Write signatures to ``out``, shape (rows, 128); return which rows were too complex or without units, and were left alone."""
    rows = len(offsets) - 1
    left = np.zeros(rows, dtype=np.bool_)
    units = np.empty(longest_of(offsets) + SPARE, dtype=np.uint64)
    windows = np.empty(len(units), dtype=np.uint64)
    for row in range(rows):
        count = hash_units(data, offsets[row], offsets[row + 1], entries, sequences, units)
        if count <= 0:
            left[row] = True
        else:
            sign_windows(windows, hash_windows(units, count, ngram, windows), a, b, out[row])
    return left


@compiled
def key_texts(
    data: Bytes,
    offsets: Integers,
    entries: Entries,
    sequences: Entries,
    ngram: int,
    a: Signatures,
    b: Signatures,
    bands: int,
    width: int,
    out: Signatures,
) -> npt.NDArray[np.bool_]:
    """As :func:`sign_texts`, but keep only the high 32 bits of every band's key: ``out`` has the shape (bands, rows)."""
    rows = len(offsets) - 1
    left = np.zeros(rows, dtype=np.bool_)
    units = np.empty(longest_of(offsets) + SPARE, dtype=np.uint64)
    windows = np.empty(len(units), dtype=np.uint64)
    least = np.empty(PERMUTATIONS, dtype=np.uint32)
    for row in range(rows):
        count = hash_units(data, offsets[row], offsets[row + 1], entries, sequences, units)
        if count <= 0:
            left[row] = True
            continue
        sign_windows(windows, hash_windows(units, count, ngram, windows), a, b, least)
        for band in range(bands):
            key = np.uint64(0)
            for p in range(band * width, band * width + width):
                key = (key ^ np.uint64(least[p])) * _KEY_PRIME
                key ^= key >> _KEY_SHIFT
            out[band, row] = np.uint32(key >> _HIGH)
    return left


@compiled
def shingle_texts(
    data: Bytes, offsets: Integers, entries: Entries, sequences: Entries, ngram: int
) -> tuple[Hashes, Integers, npt.NDArray[np.bool_]]:
    """Return the sorted distinct windows of all rows, one after another, their number per row, and which rows were left alone."""
    rows = len(offsets) - 1
    left = np.zeros(rows, dtype=np.bool_)
    sizes = np.zeros(rows, dtype=np.int64)
    units = np.empty(longest_of(offsets) + SPARE, dtype=np.uint64)
    windows = np.empty(len(units), dtype=np.uint64)
    ordered = np.empty(len(units), dtype=np.uint64)
    heads = np.empty((1 << 16) + 1, dtype=np.int64)
    values = np.empty(offsets[rows] - offsets[0] + SPARE * rows, dtype=np.uint64)
    total = 0
    for row in range(rows):
        count = hash_units(data, offsets[row], offsets[row + 1], entries, sequences, units)
        if count <= 0:
            left[row] = True
            continue
        count = hash_windows(units, count, ngram, windows)
        sort_hashes(windows, count, ordered, heads)
        start = total
        for i in range(count):
            if i == 0 or ordered[i] != ordered[i - 1]:
                values[total] = ordered[i]
                total += 1
        sizes[row] = total - start
    return values[:total].copy(), sizes, left


@compiled
def pack_keys(keys: npt.NDArray[np.uint32]) -> Hashes:
    """Return ``key << 32 | row``."""
    packed = np.empty(len(keys), dtype=np.uint64)
    for row in range(len(keys)):
        packed[row] = np.uint64(keys[row]) << _HIGH | np.uint64(row)
    return packed


@compiled
def runs_of_sorted(packed: Hashes) -> tuple[Integers, Integers]:
    """Return the rows of all runs of two or more equal keys in sorted ``key << 32 | row``, and where each run starts, and the end."""
    inside, runs = 0, 0
    for i in range(1, len(packed)):
        if packed[i] >> _HIGH == packed[i - 1] >> _HIGH:
            inside += 1
            if i == 1 or packed[i - 1] >> _HIGH != packed[i - 2] >> _HIGH:
                inside += 1
                runs += 1
    rows, starts = np.empty(inside, dtype=np.int64), np.empty(runs + 1, dtype=np.int64)
    inside, runs = 0, 0
    for i in range(1, len(packed)):
        if packed[i] >> _HIGH == packed[i - 1] >> _HIGH:
            if i == 1 or packed[i - 1] >> _HIGH != packed[i - 2] >> _HIGH:
                starts[runs] = inside
                runs += 1
                rows[inside] = np.int64(packed[i - 1] & np.uint64(0xFFFFFFFF))
                inside += 1
            rows[inside] = np.int64(packed[i] & np.uint64(0xFFFFFFFF))
            inside += 1
    starts[runs] = inside
    return rows, starts
