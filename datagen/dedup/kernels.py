"""The compiled loops: MinHash signatures of many texts, and union of the candidate pairs that pass exact verification.

Shingle sets travel as one flat array and row offsets: row ``i`` is ``values[offsets[i]:offsets[i + 1]]``, sorted and distinct. Compiled
code is cached on disk, in the user's cache folder because the package's own may be read-only; ``NUMBA_CACHE_DIR`` overrides it.
"""

# pyright: reportUntypedFunctionDecorator=false

import os
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from datagen.dedup.shingle import Shingles


def _cache_folder() -> str:
    """Return the user's cache folder, or, where none can be made, a fresh temporary one."""
    folder = user_cache_path("datagen", appauthor=False) / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return tempfile.mkdtemp(prefix="datagen-numba-")
    return str(folder) if os.access(folder, os.W_OK) else tempfile.mkdtemp(prefix="datagen-numba-")


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = _cache_folder()

from numba import njit  # noqa: E402  # numba reads its cache folder when it is imported

Integers = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]


class ShingleSets(NamedTuple):
    """Shingle sets of many rows: ``values`` uint64, ``offsets`` int64 of shape (rows + 1,)."""

    values: Shingles
    offsets: Integers

    @classmethod
    def of(cls, sets: Sequence[Shingles]) -> "ShingleSets":
        offsets = np.zeros(len(sets) + 1, dtype=np.int64)
        np.cumsum([len(s) for s in sets], out=offsets[1:])
        return cls(np.concatenate([np.zeros(0, dtype=np.uint64), *sets]), offsets)


@njit(cache=True, nogil=True)
def sign_sets(values: Shingles, offsets: Integers, a: Shingles, b: Shingles) -> Signatures:
    """Return signatures, uint32 of shape (rows, len(a)): the minimum over a row's shingles of ``(a * x + b) >> 32``."""
    rows = len(offsets) - 1
    signatures = np.full((rows, len(a)), np.uint32(0xFFFFFFFF), dtype=np.uint32)
    for row in range(rows):
        signature = signatures[row]
        for at in range(offsets[row], offsets[row + 1]):
            x = values[at]
            for p in range(len(a)):
                signature[p] = min(signature[p], np.uint32((a[p] * x + b[p]) >> np.uint64(32)))
    return signatures


@njit(cache=True, nogil=True)
def set_jaccard(values: Shingles, offsets: Integers, i: int, j: int) -> float:
    """Return the exact Jaccard similarity of rows ``i`` and ``j``; 1.0 for two empty rows."""
    x, x_end = offsets[i], offsets[i + 1]
    y, y_end = offsets[j], offsets[j + 1]
    total = (x_end - x) + (y_end - y)
    if total == 0:
        return 1.0
    common = 0
    while x < x_end and y < y_end:
        if values[x] == values[y]:
            common += 1
            x += 1
            y += 1
        elif values[x] < values[y]:
            x += 1
        else:
            y += 1
    return common / (total - common)


@njit(cache=True, nogil=True)
def find_root(parent: Integers, i: int) -> int:
    """Return the root of ``i``, halving the path on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def unite(
    order: Integers,
    keys: Shingles,
    parent: Integers,
    values: Shingles,
    offsets: Integers,
    answers: Shingles,
    answer_offsets: Integers,
    questions: Shingles,
    guards: Integers,
    threshold: float,
    nearest: Integers,
    similarity: Floats,
) -> None:
    """Unite rows that share a key and are near duplicates; rows that are already in one cluster are not compared again.

    Args:
        order: rows sorted by key; keys: their keys, ascending. Rows of one run of equal keys are candidates of each other.
        parent: union-find forest, changed in place; the smaller row becomes the root.
        values, offsets: shingles of the compared text. answers, answer_offsets: shingles of the completion alone.
        questions: hash of the folded question, 0 where there is none: rows with the same question are near duplicates only if their
            completions alone reach the threshold, too.
        guards: rows with different guards are never near duplicates.
        nearest, similarity: changed in place: per row, the partner of its most similar verified pair.
    """
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and keys[end] == keys[start]:
            end += 1
        for x in range(start, end):
            for y in range(x + 1, end):
                i, j = order[x], order[y]
                if guards[i] != guards[j]:
                    continue
                root_i, root_j = find_root(parent, i), find_root(parent, j)
                if root_i == root_j:
                    continue
                n_i, n_j = offsets[i + 1] - offsets[i], offsets[j + 1] - offsets[j]
                if min(n_i, n_j) < threshold * max(n_i, n_j):
                    continue
                similar = set_jaccard(values, offsets, i, j)
                if similar < threshold:
                    continue
                if questions[i] != 0 and questions[i] == questions[j] and set_jaccard(answers, answer_offsets, i, j) < threshold:
                    continue
                parent[max(root_i, root_j)] = min(root_i, root_j)
                if similar > similarity[i]:
                    similarity[i], nearest[i] = similar, j
                if similar > similarity[j]:
                    similarity[j], nearest[j] = similar, i
        start = end
