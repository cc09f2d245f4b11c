"""The compiled loop of :mod:`datagen.score.defects.repetition`."""

import numpy as np
import numpy.typing as npt

from datagen.dedup.kernels.compiled import compiled


@compiled
def repeated_shares(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.float64]:
    """Return, for each row ``data[offsets[i]:offsets[i + 1]]``, the share of its bytes covered by windows seen earlier in the row.

    Windows are told apart by a 64-bit polynomial hash in one open-addressing table, which rows share: a slot belongs to the row that
    stamped it last.
    """
    rows = len(offsets) - 1
    shares = np.zeros(rows, dtype=np.float64)
    longest = 0
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    size = 64
    while size < 2 * longest:
        size *= 2
    keys = np.zeros(size, dtype=np.uint64)
    stamps = np.full(size, -1, dtype=np.int64)
    base = np.uint64(0x9E3779B97F4A7C15)
    power = np.uint64(1)
    for _ in range(width):
        power = power * base
    for row in range(rows):
        start, end = offsets[row], offsets[row + 1]
        if end - start <= width:
            continue
        value = np.uint64(0)
        covered = 0
        reached = start
        for at in range(start, end):
            value = value * base + np.uint64(data[at]) + np.uint64(1)
            first = at - width + 1
            if first < start:
                continue
            if first > start:
                value = value - power * (np.uint64(data[first - 1]) + np.uint64(1))
            mixed = value ^ (value >> np.uint64(29))
            slot = np.int64((mixed * base) >> np.uint64(32)) & (size - 1)
            while stamps[slot] == row and keys[slot] != value:
                slot = (slot + 1) & (size - 1)
            if stamps[slot] == row:
                covered += at + 1 - max(first, reached)
                reached = at + 1
            else:
                stamps[slot] = row
                keys[slot] = value
        shares[row] = covered / (end - start)
    return shares
