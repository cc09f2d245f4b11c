"""Exact verification of candidate pairs, and the clusters they make.

Shingle sets travel as one flat array and row offsets: row ``i`` is ``values[offsets[i]:offsets[i + 1]]``, sorted and distinct.
"""

# pyright: reportArgumentType=false
# An element of an array of integers is an integer to numba, and an array to the stubs.

import numpy as np
import numpy.typing as npt

from datagen.dedup.kernels.compiled import compiled

Hashes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@compiled
def set_jaccard(values: Hashes, offsets: Integers, i: int, j: int) -> float:
    """Return the exact Jaccard similarity of rows ``i`` and ``j``; 1.0 for two empty rows."""
    return near_jaccard(values, offsets, i, j, 0.0)


@compiled
def near_jaccard(values: Hashes, offsets: Integers, i: int, j: int, threshold: float) -> float:
    """Return the exact Jaccard similarity of rows ``i`` and ``j``, or -1.0 as soon as it is sure to be below the threshold."""
    x, x_end = offsets[i], offsets[i + 1]
    y, y_end = offsets[j], offsets[j + 1]
    total = (x_end - x) + (y_end - y)
    if total == 0:
        return 1.0
    # common / (total - common) >= t means common >= t * total / (1 + t); one less, so that rounding never decides.
    needed = np.int64(threshold * total / (1.0 + threshold)) - 1
    common = 0
    while x < x_end and y < y_end:
        if common + min(x_end - x, y_end - y) < needed:
            return -1.0
        if values[x] == values[y]:
            common += 1
            x += 1
            y += 1
        elif values[x] < values[y]:
            x += 1
        else:
            y += 1
    return common / (total - common)


@compiled
def find_root(parent: Integers, i: int) -> int:
    """Return the root of ``i``, halving the path on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled
def positions_of(rows: Integers, starts: Integers, position: Integers) -> tuple[Integers, Integers]:
    """Return runs over positions from runs over rows; a row beyond ``position``, or whose position is -1, leaves its run."""
    found, begins = np.empty(len(rows), dtype=np.int64), np.empty(len(starts), dtype=np.int64)
    count, runs = 0, 0
    for k in range(len(starts) - 1):
        begins[runs] = count
        for at in range(starts[k], starts[k + 1]):
            if rows[at] < len(position) and position[rows[at]] >= 0:
                found[count] = position[rows[at]]
                count += 1
        if count - begins[runs] < 2:
            count = begins[runs]
        else:
            runs += 1
    begins[runs] = count
    return found[:count], begins[: runs + 1]


@compiled
def similarity_of(
    i: int,
    j: int,
    values: Hashes,
    offsets: Integers,
    answers: Hashes,
    answer_offsets: Integers,
    questions: Hashes,
    guards: Hashes,
    threshold: float,
) -> float:
    """Return the similarity of a pair of near duplicates, else -1.0.

    Rows with different guards never are; rows with the same question (not 0) only if their completions alone reach the threshold, too.
    """
    if guards[i] != guards[j]:
        return -1.0
    similar = near_jaccard(values, offsets, i, j, threshold)
    if similar < threshold:
        return -1.0
    if questions[i] != 0 and questions[i] == questions[j] and set_jaccard(answers, answer_offsets, i, j) < threshold:
        return -1.0
    return similar


@compiled
def unite(
    rows: Integers,
    starts: Integers,
    parent: Integers,
    values: Hashes,
    offsets: Integers,
    answers: Hashes,
    answer_offsets: Integers,
    questions: Hashes,
    guards: Hashes,
    threshold: float,
) -> None:
    """Unite near duplicates among candidates: ``rows[starts[k]:starts[k + 1]]`` are candidates of each other.

    Within such a run, rows of one cluster form a group, and a row is compared with a group only until one member of it is near: a run of
    a thousand copies costs a thousand comparisons, not half a million. ``parent`` is changed in place; the smaller row becomes the root.
    """
    longest = 0
    for k in range(len(starts) - 1):
        longest = max(longest, starts[k + 1] - starts[k])
    head = np.empty(longest, dtype=np.int64)
    tail = np.empty(longest, dtype=np.int64)
    following = np.empty(longest, dtype=np.int64)
    for k in range(len(starts) - 1):
        start = starts[k]
        groups = 0
        for at in range(starts[k + 1] - start):
            row = rows[start + at]
            own = -1
            following[at] = -1
            g = 0
            while g < groups:
                root, other = find_root(parent, row), find_root(parent, rows[start + head[g]])
                near = root == other
                member = head[g]
                while not near and member >= 0:
                    near = (
                        similarity_of(row, rows[start + member], values, offsets, answers, answer_offsets, questions, guards, threshold)
                        >= 0.0
                    )
                    member = following[member]
                if near:
                    if root != other:
                        parent[max(root, other)] = min(root, other)
                    if own < 0:
                        own = g
                        following[tail[g]] = at
                        tail[g] = at
                    else:
                        following[tail[own]] = head[g]
                        tail[own] = tail[g]
                        groups -= 1
                        head[g], tail[g] = head[groups], tail[groups]
                        continue
                g += 1
            if own < 0:
                head[groups] = tail[groups] = at
                groups += 1


@compiled
def witnesses_of(
    members: Integers,
    starts: Integers,
    values: Hashes,
    offsets: Integers,
    answers: Hashes,
    answer_offsets: Integers,
    questions: Hashes,
    guards: Hashes,
    threshold: float,
    witness: Integers,
    similarity: Floats,
) -> None:
    """See :func:`datagen.dedup.engines.verify.find_witnesses`; a row's copies, at the same position, are no witnesses. The results go to
    the last two arguments, zero before."""
    for k in range(len(starts) - 1):
        for at in range(starts[k] + 1, starts[k + 1]):
            for other in range(starts[k], starts[k + 1]):
                if members[other] == members[at]:
                    continue
                similar = similarity_of(members[at], members[other], values, offsets, answers, answer_offsets, questions, guards, threshold)
                if similar >= 0.0:
                    witness[at] = other
                    similarity[at] = similar
                    break
