"""Duplicates within a whole set at once: signatures, bands, and verified pairs joined into clusters.

Every pair that joins a cluster has been verified by exact Jaccard similarity, so there are no false positives; a pair at the threshold is
missed with probability below 0.02 (see :mod:`datagen.dedup.lsh`). A cluster is a connected component: its ends may be less similar than the
threshold when a row between them is near both. Clusters do not depend on the order of rows.

Cost: one pass over the text, one sort a band, and exact comparisons for the few rows that share a band. ``make bench-dedup`` measures it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from datagen.dedup.compared import Compared
from datagen.dedup.engines.candidates import Integers, Runs
from datagen.dedup.engines.rowtable import RowTable
from datagen.dedup.engines.steps import Engine, open_engine
from datagen.dedup.engines.verify import Evidence, first_equal, witnesses
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
    active = active_rows(bands)
    first = active[first_equal(table.identity.take(active))]
    distinct = active[first == active]
    evidence = Evidence.of(
        distinct,
        table.text.take(distinct),
        None if table.completion is None else table.completion.take(distinct),
        None if table.questions is None else table.questions[distinct],
        None if table.guards is None else table.guards[distinct],
        partial(steps.shingle, ngram=ngram),
    )
    root = steps.join(evidence, [evidence.positions(runs) for runs in bands], threshold)
    return describe(active, first, evidence, root, threshold, prefer)


def active_rows(bands: Sequence[Runs]) -> Integers:
    """Return the rows, ascending, that share a band with another; all that verification will look at."""
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(runs.rows for runs in bands)]))


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
    starts = np.flatnonzero(np.append(True, np.diff(roots[order]) != 0)) if len(order) else order
    row_of, first_of, position_of = active.tolist(), first.tolist(), position.tolist()
    clusters: list[list[int]] = []  # of indices into active
    compared: list[list[int]] = []  # of positions, the kept row's first
    ends = np.append(starts[1:], len(order))
    several = ends - starts > 1
    in_order: list[int] = order.tolist()
    for start, end in zip(starts[several].tolist(), ends[several].tolist(), strict=True):
        group = in_order[start:end]
        if prefer is not None:
            kept = max(group, key=lambda g: (prefer(row_of[g]), -g))
            group = [kept, *(g for g in group if g != kept)]
        clusters.append(group)
        compared.append(list(dict.fromkeys(position_of[g] for g in group)))
    flat = [p for positions in compared for p in positions]
    witness, similarity = witnesses(evidence, compared, threshold)
    near = {p: (flat[w], s) for p, w, s in zip(flat, witness.tolist(), similarity.tolist(), strict=True) if w >= 0}
    duplicates: list[Duplicate] = []
    for number, (kept, *others) in enumerate(clusters):
        kept_row, kept_at = row_of[kept], position_of[kept]
        for g in others:
            row, at = row_of[g], position_of[g]
            if at == kept_at:
                duplicates.append(Duplicate(row, kept_row, number, "exact_duplicate", 1.0, kept_row))
            elif first_of[g] != row:
                duplicates.append(Duplicate(row, kept_row, number, "exact_duplicate", 1.0, first_of[g]))
            else:
                other, similar = near[at]
                similar_row = kept_row if other == kept_at else int(evidence.rows[other])
                duplicates.append(Duplicate(row, kept_row, number, "near_duplicate", similar, similar_row))
    return Found([[row_of[g] for g in cluster] for cluster in clusters], {d.row: d for d in sorted(duplicates)})


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
