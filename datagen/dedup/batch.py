"""Duplicates within a whole set at once: signatures, bands, and verified pairs joined into clusters.

Every pair that joins a cluster has been verified by exact Jaccard similarity, so there are no false positives; a pair at a threshold
of 0.7 is missed with probability 0.01 (see :mod:`datagen.dedup.lsh`). A cluster is a connected component: its ends may be less similar
than the threshold when a row between them is near both. Clusters do not depend on the order of rows.

Cost: one pass over the text, one sort a band, and exact comparisons for the few rows that share a band. ``make bench-dedup`` measures it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from datagen.collection import no_collection
from datagen.dedup.compared import Compared
from datagen.dedup.engines.candidates import Integers, Runs
from datagen.dedup.engines.rowtable import RowTable
from datagen.dedup.engines.steps import Engine, open_engine
from datagen.dedup.engines.verify import Evidence, find_witnesses
from datagen.errors import UsageError, suggest

Reason = Literal["exact_duplicate", "near_duplicate"]
Prefer = Callable[[int], Any]
"""Rank of a row, compared with ``>``: the highest of a cluster stays, the first among equals."""


class Duplicate(NamedTuple):
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
    """Clusters of two or more rows (the kept row first, the others ascending) and, per dropped row, why."""

    clusters: list[list[int]]
    duplicates: dict[int, Duplicate]


def find_duplicates(
    rows: Sequence[Compared], *, threshold: float, ngram: int, engine: Engine = "native", prefer: Prefer | None = None
) -> Found:
    """Find exact and near duplicates; the row of each cluster that ``prefer`` ranks highest stays, else the first.

    Raises:
        UsageError: unknown engine, threshold outside (0, 1], ngram below 1.
        MissingExtra: engine ``ray`` is not installed.
    """
    return find_in_table(RowTable.of(rows), threshold=threshold, ngram=ngram, engine=engine, prefer=prefer)


def find_in_table(table: RowTable, *, threshold: float, ngram: int, engine: Engine = "native", prefer: Prefer | None = None) -> Found:
    """As :func:`find_duplicates`, of rows that are columns already."""
    check_options(threshold, ngram, engine)
    if table.rows < 2:
        return Found([], {})
    steps = open_engine(engine)
    bands = steps.candidates(table.text, ngram, threshold)
    active, first = first_of_active(table, bands)
    distinct = active[first == active]
    evidence = Evidence.of(
        distinct,
        table.text.take(distinct),
        None if table.completion is None else table.completion.take(distinct),
        None if table.questions is None else table.questions[distinct],
        None if table.guards is None else table.guards[distinct],
        partial(steps.shingle, ngram=ngram),
    )
    root = steps.join(evidence, list(evidence.positions(bands)), threshold)
    return describe(active, first, evidence, root, threshold, prefer)


def first_of_active(table: RowTable, bands: Sequence[Runs]) -> tuple[Integers, Integers]:
    """Return the rows, ascending, that share a band with another, which is all that verification will look at; and, per each of them, the
    first row identical to it."""
    # numba loads only when there is something to compare.
    from datagen.dedup.kernels.native import first_equal

    shared = np.zeros(table.rows, dtype=np.uint8)
    for runs in bands:
        shared[runs.rows] += 1
    active = np.flatnonzero(shared)
    first = active.copy()
    # Identical rows share all bands; few others do.
    at = np.flatnonzero(shared[active] == len(bands))
    same = active[at]
    first[at] = same[first_equal(table.identity.take(same))]
    return active, first


def describe(
    active: Integers, first: Integers, evidence: Evidence, root: Integers, threshold: float, prefer: Prefer | None = None
) -> Found:
    """Put clusters and reasons together.

    Args:
        active: rows, ascending; every duplicate and every row it is a duplicate of.
        first: per active row, the first row identical to it.
        evidence: of the active rows that are their own first.
        root: per position of the evidence, the smallest position of its cluster.
    """
    position = np.searchsorted(evidence.rows, first)
    roots = root[position]
    order = np.argsort(roots, kind="stable")
    _, starts, sizes = np.unique(roots[order], return_index=True, return_counts=True)
    # Members of clusters of two or more, one cluster after another, as indices into active.
    members = order[np.repeat(sizes > 1, sizes)]
    ends = np.cumsum(sizes[sizes > 1])
    starts = np.append(0, ends)
    if prefer is not None:
        members = _kept_first(members, starts, active, prefer)
    rows, at, kept = active[members], position[members], np.repeat(starts[:-1], np.diff(starts))
    witness, similarity = find_witnesses(evidence, at, starts, threshold)
    exact = at == at[kept]
    similar = np.where(exact | (at[witness] == at[kept]), rows[kept], evidence.rows[at[witness]])
    copies = ~exact & (first[members] != rows)
    similar[copies] = first[members[copies]]
    exact |= copies
    similarity[exact] = 1.0
    number = np.repeat(np.arange(len(ends)), np.diff(starts))
    dropped = np.flatnonzero(np.arange(len(members)) != kept)
    dropped = dropped[np.argsort(rows[dropped])]
    reasons: list[Reason] = ["exact_duplicate" if e else "near_duplicate" for e in exact[dropped].tolist()]
    columns = (rows, rows[kept], number)
    values = [column[dropped].tolist() for column in columns]
    in_order: list[int] = rows.tolist()
    with no_collection():
        # Made as tuples, without a call in Python for each.
        make = partial(tuple.__new__, Duplicate)
        duplicates: list[Duplicate] = list(
            map(make, zip(*values, reasons, similarity[dropped].tolist(), similar[dropped].tolist(), strict=True))
        )
        clusters = [in_order[a:b] for a, b in pairwise(starts.tolist())]
    return Found(clusters, dict(zip(values[0], duplicates, strict=True)))


def _kept_first(members: Integers, starts: Integers, active: Integers, prefer: Prefer) -> Integers:
    """Move the member that ``prefer`` ranks highest to the front of its cluster."""
    moved = members.copy()
    for start, end in pairwise(starts.tolist()):
        group: list[int] = members[start:end].tolist()
        kept = max(range(len(group)), key=lambda k: (prefer(int(active[group[k]])), -k))
        moved[start:end] = [group[kept], *group[:kept], *group[kept + 1 :]]
    return moved


def check_options(threshold: float, ngram: int, engine: str) -> None:
    """Refuse values out of range.

    Raises:
        UsageError: unknown engine, threshold outside (0, 1], ngram below 1.
    """
    if engine not in get_args(Engine):
        raise UsageError(f"unknown engine '{engine}'", hint=suggest(engine, get_args(Engine)))
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold must be in (0, 1], got {threshold}", hint="0.7 is the default; 1 finds texts with equal shingles")
    if ngram < 1:
        raise UsageError(f"ngram must be at least 1, got {ngram}")
