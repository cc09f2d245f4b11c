"""From the bytes of a text to the hashes of its n-grams: the compiled twin of :func:`datagen.dedup.shingle.shingle`.

Texts are UTF-8 in Arrow's large-string layout: row ``i`` is ``data[offsets[i]:offsets[i + 1]]``. Bytes must be valid UTF-8.
"""

import numpy as np
import numpy.typing as npt

from datagen.dedup.kernels.compiled import compiled
from datagen.dedup.kernels.fold_table import CJK, COMPLEX, SEQUENCE, WORD
from datagen.dedup.shingle import BASE, MIX_1, MIX_2, ROTATION, SHIFT

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Entries = npt.NDArray[np.uint32]
TOO_COMPLEX = -1
BITS = np.uint64(24)
LOW = np.uint64(0xFFFFFF)
UNIT_ROTATION = np.uint64(ROTATION)
UNIT_BACK = np.uint64(64 - ROTATION)


@compiled
def mix(h: np.uint64) -> np.uint64:
    """Return MurmurHash3's finaliser of ``h``."""
    h = (h ^ (h >> SHIFT)) * MIX_1
    h = (h ^ (h >> SHIFT)) * MIX_2
    return h ^ (h >> SHIFT)


@compiled
def extend(h: np.uint64, point: np.uint64) -> np.uint64:
    """Return the running hash of a unit after one more code point."""
    return ((h << UNIT_ROTATION) | (h >> UNIT_BACK)) + point * BASE


@compiled
def hash_units(data: Bytes, start: int, end: int, entries: Entries, sequences: Entries, out: Hashes) -> int:
    """Write the hash of every unit of ``data[start:end]`` to ``out``, longer than the text; return how many, or TOO_COMPLEX."""
    count = 0
    inside = np.int64(0)
    h = np.uint64(0)
    i = start
    while i < end:
        first = np.int64(data[i])
        if first < 0x80:
            # Without a branch: where words end cannot be predicted, and a wrong guess costs more than all of this.
            entry = np.uint64(entries[first])
            word = np.int64(entry >> BITS)
            out[count] = h
            count += inside & (1 - word)
            inside = word
            h = extend(h, entry & LOW) & np.uint64(-word)
            i += 1
            continue
        if first < 0xE0:
            point = ((first & 0x1F) << 6) | (np.int64(data[i + 1]) & 0x3F)
            i += 2
        elif first < 0xF0:
            point = ((first & 0x0F) << 12) | ((np.int64(data[i + 1]) & 0x3F) << 6) | (np.int64(data[i + 2]) & 0x3F)
            i += 3
        elif first == 0xF0:
            point = ((np.int64(data[i + 1]) & 0x3F) << 12) | ((np.int64(data[i + 2]) & 0x3F) << 6) | (np.int64(data[i + 3]) & 0x3F)
            i += 4
        else:
            return TOO_COMPLEX
        if point >= len(entries):
            return TOO_COMPLEX
        entry = np.uint64(entries[point])
        at, last = np.int64(0), np.int64(0)
        if entry >> BITS == SEQUENCE:
            at = np.int64(entry & LOW) + 1
            last = at + np.int64(sequences[at - 1]) - 1
            if last < at:
                continue
            # Only here may a text have more units than bytes.
            if count + 2 * (last - at + 1) + end - i + 1 > len(out):
                return TOO_COMPLEX
            entry = np.uint64(sequences[at])
        elif entry >> BITS == COMPLEX:
            return TOO_COMPLEX
        while True:
            kind = entry >> BITS
            if kind == WORD:
                h = extend(h, entry & LOW)
                inside = np.int64(1)
            else:
                out[count] = h
                count += inside
                if kind == CJK:
                    out[count] = extend(np.uint64(0), entry & LOW)
                    count += 1
                inside = np.int64(0)
                h = np.uint64(0)
            if at >= last:
                break
            at += 1
            entry = np.uint64(sequences[at])
    out[count] = h
    count += inside
    for k in range(count):
        out[k] = mix(out[k])
    return int(count)


@compiled
def hash_windows(units: Hashes, count: int, ngram: int, out: Hashes) -> int:
    """Write the hash of every window of ``min(ngram, count)`` units to ``out``, in order, repeats included; return how many."""
    width = min(ngram, count)
    power = np.uint64(1)
    for _ in range(width - 1):
        power = power * BASE
    total = np.uint64(0)
    for i in range(width):
        total = total * BASE + units[i]
    constant = np.uint64(width) * power * BASE
    windows = count - width + 1
    out[0] = mix(total + constant)
    for i in range(1, windows):
        total = (total - units[i - 1] * power) * BASE + units[i + width - 1]
        out[i] = mix(total + constant)
    return windows


@compiled
def longest_of(offsets: npt.NDArray[np.int64]) -> int:
    """Return the number of bytes of the longest row."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    return int(longest)


@compiled
def sort_hashes(values: Hashes, count: int, out: Hashes, heads: npt.NDArray[np.int64]) -> None:
    """Sort the first ``count`` hashes into ``out``: dealt by their leading bits into about as many places, then put in order by insertion.

    Hashes are uniform, so a place holds one or two; where a text repeats itself it may hold many, and they are sorted first. ``heads`` has
    2**16 + 1 elements.
    """
    bits = 1
    while bits < 16 and (1 << bits) < count:
        bits += 1
    shift = np.uint64(64 - bits)
    heads[: (1 << bits) + 1] = 0
    for i in range(count):
        heads[np.int64(values[i] >> shift) + 1] += 1
    crowded = False
    for place in range(1 << bits):
        crowded |= heads[place + 1] > 32
        heads[place + 1] += heads[place]
    for i in range(count):
        place = np.int64(values[i] >> shift)
        out[heads[place]] = values[i]
        heads[place] += 1
    if crowded:
        out[:count].sort()
        return
    for i in range(1, count):
        value = out[i]
        j = i
        while j > 0 and out[j - 1] > value:
            out[j] = out[j - 1]
            j -= 1
        out[j] = value
