"""Duplicates within a whole set at once: shingles, signatures, bands, and verified pairs joined into clusters.

Every pair that joins a cluster has been verified by exact Jaccard similarity, so there are no false positives; a pair at the threshold is
missed with probability below 0.02 (see :mod:`datagen.dedup.lsh`). A cluster is a connected component: its ends may be less similar than the
threshold when a row between them is near both. Clusters do not depend on the order of rows.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from datagen.dedup.clusters import Clusters
from datagen.dedup.compared import Compared
from datagen.dedup.lsh import band_key, choose_bands
from datagen.dedup.minhash import ADDENDS, MULTIPLIERS
from datagen.dedup.shingle import Shingles, jaccard, shingle
from datagen.errors import UsageError, suggest
from datagen.hashing import sha256_hex
from datagen.text import fold

Engine = Literal["native", "datasketch", "ray"]
Reason = Literal["exact_duplicate", "near_duplicate"]
Signatures = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Why a row was dropped.

    ``kept_row`` is the row of its cluster that stays, ``similar_row`` the row it was verified against (the kept one, unless rows in
    between join them) and ``similarity`` their exact Jaccard similarity, at or above the threshold; 1.0 for exact duplicates.
    """

    row: int
    kept_row: int
    cluster: int
    reason: Reason
    similarity: float
    similar_row: int


@dataclass(frozen=True, slots=True)
class Found:
    """Clusters of two or more rows (ascending, the kept row first) and, per dropped row, why."""

    clusters: list[list[int]]
    duplicates: dict[int, Duplicate]


def find_duplicates(rows: Sequence[Compared], *, threshold: float, ngram: int, engine: Engine = "native") -> Found:
    """Find exact and near duplicates; the first row of each cluster is the one to keep.

    Raises:
        UsageError: unknown or unavailable engine, threshold outside (0, 1], ngram below 1.
    """
    _check(threshold, ngram, engine)
    clusters = Clusters(len(rows))
    first_of: dict[bytes, int] = {}
    exact: dict[int, int] = {}
    distinct: list[int] = []
    for i, row in enumerate(rows):
        j = first_of.setdefault(row.identity, i)
        if i == j:
            distinct.append(i)
        else:
            exact[i] = j
            clusters.union(j, i)
    joined = _join([rows[i] for i in distinct], threshold=threshold, ngram=ngram, engine=engine)
    similar: dict[int, int] = {}
    for at, other in enumerate(joined.partner):
        if other >= 0:
            clusters.union(distinct[at], distinct[other])
            similar[distinct[at]] = distinct[other]
    for at, root in enumerate(joined.root):
        clusters.union(distinct[at], distinct[root])
    groups = clusters.groups()
    position = {i: at for at, i in enumerate(distinct)}
    duplicates: dict[int, Duplicate] = {}
    for number, group in enumerate(groups):
        for i in group[1:]:
            if i in exact:
                duplicates[i] = Duplicate(i, group[0], number, "exact_duplicate", 1.0, exact[i])
                continue
            # The kept row is the better witness wherever it is near enough itself.
            similarity = jaccard(joined.shingles[position[i]], joined.shingles[position[group[0]]])
            witness = group[0]
            if similarity < threshold:
                witness = similar[i]
                similarity = jaccard(joined.shingles[position[i]], joined.shingles[position[witness]])
            duplicates[i] = Duplicate(i, group[0], number, "near_duplicate", similarity, witness)
    return Found(groups, duplicates)


@dataclass(frozen=True, slots=True)
class _Joined:
    shingles: list[Shingles]
    root: list[int]
    partner: list[int]


def _join(rows: Sequence[Compared], *, threshold: float, ngram: int, engine: Engine) -> _Joined:
    """Join rows that are no exact duplicates of each other; ``partner`` is a verified near row, or -1."""
    shingles = [shingle(row.text, ngram) for row in rows]
    answers = [shingle(row.completion, ngram) for row in rows]
    questions = [_hash(fold(row.prompt)) if row.prompt else 0 for row in rows]
    guards = _number(row.guard for row in rows)
    # Rows with equal shingles are joined here: a thousand copies would make half a million pairs below.
    twins: dict[Hashable, int] = {}
    root, partner = list(range(len(rows))), [-1] * len(rows)
    compared: list[int] = []
    for i in range(len(rows)):
        key = (shingles[i].tobytes(), questions[i], answers[i].tobytes() if questions[i] else b"", guards[i])
        j = twins.setdefault(key, i)
        if i == j:
            compared.append(i)
        else:
            root[i] = partner[i] = j
    if len(compared) > 1:
        _join_near(compared, shingles, answers, questions, guards, threshold, engine, root, partner)
    return _Joined(shingles, root, partner)


def _join_near(
    compared: list[int],
    shingles: list[Shingles],
    answers: list[Shingles],
    questions: list[int],
    guards: list[int],
    threshold: float,
    engine: Engine,
    root: list[int],
    partner: list[int],
) -> None:
    # numba loads only when there is something to compare.
    from datagen.dedup.kernels import ShingleSets, sign_sets, unite

    n = len(compared)
    sets = ShingleSets.of([shingles[i] for i in compared])
    completions = ShingleSets.of([answers[i] for i in compared])
    parent = np.arange(n, dtype=np.int64)
    nearest, similarity = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.float64)
    asked = np.array([questions[i] for i in compared], dtype=np.uint64)
    guard = np.array([guards[i] for i in compared], dtype=np.int64)
    signatures: Signatures = sign_sets(sets.values, sets.offsets, MULTIPLIERS, ADDENDS)
    for order, keys in (_bands if engine == "native" else _datasketch)(signatures, threshold):
        unite(order, keys, parent, *sets, *completions, asked, guard, float(threshold), nearest, similarity)
    for at, i in enumerate(compared):
        if nearest[at] >= 0:
            partner[i] = compared[int(nearest[at])]
            top = at
            while parent[top] != top:
                top = int(parent[top])
            root[i] = compared[top]


Candidates = Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]


def _bands(signatures: Signatures, threshold: float) -> Candidates:
    """Yield, per band, rows sorted by key and the keys: rows with equal keys are candidates."""
    bands = choose_bands(threshold)
    for band in range(bands.bands):
        keys = band_key(signatures, bands, band)
        order = np.argsort(keys, kind="stable")
        yield order, keys[order]


def _datasketch(signatures: Signatures, threshold: float) -> Candidates:
    """Yield the pairs that datasketch's LSH finds from the same signatures and bands: same result, for comparison and for its stores."""
    from datasketch import MinHash, MinHashLSH

    bands = choose_bands(threshold)
    lsh = MinHashLSH(num_perm=signatures.shape[1], params=(bands.bands, bands.rows))
    blank = MinHash(num_perm=signatures.shape[1])
    pairs: list[int] = []
    for i, signature in enumerate(signatures):
        minhash = blank.copy()
        minhash.hashvalues = signature
        for j in sorted(int(str(key)) for key in lsh.query(minhash)):
            pairs += (j, i)
        lsh.insert(str(i), minhash)
    yield np.array(pairs, dtype=np.int64), np.arange(len(pairs) // 2, dtype=np.uint64).repeat(2)


def _check(threshold: float, ngram: int, engine: str) -> None:
    if engine == "ray":
        raise UsageError("engine 'ray' is not available in this version", hint="use engine native: the same result, on one machine")
    if engine not in ("native", "datasketch"):
        raise UsageError(f"unknown engine '{engine}'", hint=suggest(engine, ("native", "datasketch")))
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold must be in (0, 1], got {threshold}", hint="0.7 is the default; 1 finds texts with equal shingles")
    if ngram < 1:
        raise UsageError(f"ngram must be at least 1, got {ngram}")


def _hash(text: str) -> int:
    return int(sha256_hex(text)[:16], 16) or 1


def _number(values: Iterator[Hashable]) -> list[int]:
    """Number distinct values 0, 1, 2, ... in order of first appearance."""
    seen: dict[Hashable, int] = {}
    return [seen.setdefault(value, len(seen)) for value in values]
