"""MinHash signatures, band keys and shingle sets of many texts."""

# pyright: reportArgumentType=false
# An element of an array of integers is an integer to numba, and an array to the stubs.

import numpy as np
import numpy.typing as npt

from datagen.dedup.kernels.compiled import compiled
from datagen.dedup.kernels.windows import Bytes, Entries, Hashes, ascii_steps, hash_units, hash_windows, longest_of, sort_hashes
from datagen.dedup.minhash import PERMUTATIONS

Integers = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint32]
SPARE = 64
"""Units a text may have beyond its bytes: a few code points fold to many; a text with more of them is complex."""
_HIGH = np.uint64(32)
_ONE, _SIX, _WORD_MASK = (np.uint64(n) for n in (1, 6, 63))
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
    ascii = ascii_steps(entries)
    units = np.empty(longest_of(offsets) + SPARE, dtype=np.uint64)
    windows = np.empty(len(units), dtype=np.uint64)
    for row in range(rows):
        count = hash_units(data, offsets[row], offsets[row + 1], entries, sequences, ascii, units)
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
    start: int,
) -> npt.NDArray[np.bool_]:
    """As :func:`sign_texts`, but write only the high 32 bits of every band's key: row ``i`` to ``out[:, start + i]``."""
    # The first values of all bands, then the second ones, ...: a band's own steps wait for each other, so bands go side by side.
    first, second = a.copy(), b.copy()
    for p in range(width):
        for band in range(bands):
            first[p * bands + band], second[p * bands + band] = a[band * width + p], b[band * width + p]
    rows = len(offsets) - 1
    left = np.zeros(rows, dtype=np.bool_)
    ascii = ascii_steps(entries)
    units = np.empty(longest_of(offsets) + SPARE, dtype=np.uint64)
    windows = np.empty(len(units), dtype=np.uint64)
    least = np.empty(PERMUTATIONS, dtype=np.uint32)
    keys = np.empty(bands, dtype=np.uint64)
    for row in range(rows):
        count = hash_units(data, offsets[row], offsets[row + 1], entries, sequences, ascii, units)
        if count <= 0:
            left[row] = True
            continue
        sign_windows(windows, hash_windows(units, count, ngram, windows), first, second, least)
        keys[:] = 0
        for p in range(width):
            values = least[p * bands : (p + 1) * bands]
            for band in range(bands):
                key = (keys[band] ^ np.uint64(values[band])) * _KEY_PRIME
                keys[band] = key ^ (key >> _KEY_SHIFT)
        for band in range(bands):
            out[band, start + row] = np.uint32(keys[band] >> _HIGH)
    return left


@compiled
def shingle_texts(
    data: Bytes, offsets: Integers, entries: Entries, sequences: Entries, ngram: int
) -> tuple[Hashes, Integers, npt.NDArray[np.bool_]]:
    """Return the sorted distinct windows of all rows, one after another, their number per row, and which rows were left alone."""
    rows = len(offsets) - 1
    left = np.zeros(rows, dtype=np.bool_)
    sizes = np.zeros(rows, dtype=np.int64)
    ascii = ascii_steps(entries)
    units = np.empty(longest_of(offsets) + SPARE, dtype=np.uint64)
    windows = np.empty(len(units), dtype=np.uint64)
    ordered = np.empty(len(units), dtype=np.uint64)
    heads = np.empty((1 << 16) + 1, dtype=np.int64)
    # Room for what most texts need; fresh memory that is never used would cost more than all the work.
    values = np.empty((offsets[rows] - offsets[0]) // 4 + SPARE, dtype=np.uint64)
    total = 0
    for row in range(rows):
        count = hash_units(data, offsets[row], offsets[row + 1], entries, sequences, ascii, units)
        if count <= 0:
            left[row] = True
            continue
        count = hash_windows(units, count, ngram, windows)
        sort_hashes(windows, count, ordered, heads)
        start = total
        if total + count > len(values):
            larger = np.empty(2 * (total + count), dtype=np.uint64)
            larger[:total] = values[:total]
            values = larger
        for i in range(count):
            if i == 0 or ordered[i] != ordered[i - 1]:
                values[total] = ordered[i]
                total += 1
        sizes[row] = total - start
    return values[:total], sizes, left


@compiled
def pick_repeated(keys: npt.NDArray[np.uint32], bits: int, seen: Hashes, again: Hashes, out: Hashes) -> int:
    """Write ``key << 32 | row``, rows ascending, of all rows whose key occurs twice, and of a few others; return how many they are.

    ``seen`` and ``again`` are sets of ``2**bits`` places, a bit each, all zero before and of no use after: a key's low bits are its place,
    so keys that differ may share one. Most rows are told apart by a bit in the cache, and only the others have to be sorted.
    ``out`` has room for all rows.
    """
    mask = np.uint64((1 << bits) - 1)
    for row in range(len(keys)):
        place = np.uint64(keys[row]) & mask
        word, bit = place >> _SIX, _ONE << (place & _WORD_MASK)
        old = seen[word]
        again[word] |= old & bit
        seen[word] = old | bit
    count = np.uint64(0)
    for row in range(len(keys)):
        place = np.uint64(keys[row]) & mask
        out[count] = np.uint64(keys[row]) << _HIGH | np.uint64(row)
        count += again[place >> _SIX] >> (place & _WORD_MASK) & _ONE
    return int(count)


@compiled
def sort_packed(one: Hashes, two: Hashes, rows: int) -> None:
    """Sort ``rows`` elements of ``key << 32 | row`` from ``one`` into ``two`` by their keys, rows in order: a radix sort in three rounds of
    11 bits, several times faster than numpy's sort. ``one`` is overwritten."""
    heads = np.zeros((3, 2048), dtype=np.int64)
    for i in range(rows):
        heads[0, np.int64(one[i] >> _HIGH) & 2047] += 1
        heads[1, np.int64(one[i] >> np.uint64(43)) & 2047] += 1
        heads[2, np.int64(one[i] >> np.uint64(54))] += 1
    for digit in range(3):
        total = 0
        for place in range(2048):
            count = heads[digit, place]
            heads[digit, place] = total
            total += count
    for i in range(rows):
        place = np.int64(one[i] >> _HIGH) & 2047
        two[heads[0, place]] = one[i]
        heads[0, place] += 1
    for i in range(rows):
        place = np.int64(two[i] >> np.uint64(43)) & 2047
        one[heads[1, place]] = two[i]
        heads[1, place] += 1
    for i in range(rows):
        place = np.int64(one[i] >> np.uint64(54))
        two[heads[2, place]] = one[i]
        heads[2, place] += 1


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
