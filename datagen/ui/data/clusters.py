"""Duplicates and conflicts of an iteration, from its table: which dropped row belongs to which kept one, and who contradicts whom."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datagen.ui.data.rows import RowTable

if TYPE_CHECKING:
    import polars as pl

MOST_READ = 2_000
_DETAIL = re.compile(r"of ([0-9a-f]{12}), similarity ([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Row numbers: the kept row (None if it was dropped later itself), and what was dropped as its duplicate, with similarities."""

    kept: int | None
    dropped: tuple[int, ...]
    similarity: tuple[float, ...]


def find_clusters(table: RowTable) -> list[Cluster]:
    """Return near duplicates by the row that was kept, most similar last: those are the least in doubt. At most MOST_READ rows are read."""
    import polars as pl

    rows = table.frame.with_row_index("row")
    ids = {str(i)[:12]: int(r) for r, i in rows.filter(pl.col("reason") == "").select("row", "id").iter_rows()}
    members: dict[str, list[tuple[int, float]]] = {}
    for row in rows.filter(pl.col("reason") == "near_duplicate")["row"].to_list()[:MOST_READ]:
        found = _DETAIL.search(table.detail(row))
        if found:
            members.setdefault(found[1], []).append((row, float(found[2])))
    clusters = [Cluster(ids.get(kept), tuple(r for r, _ in m), tuple(s for _, s in m)) for kept, m in members.items()]
    return sorted(clusters, key=lambda c: max(c.similarity))


def find_conflicts(table: RowTable) -> list[list[int]]:
    """Return, for each question that kept rows answer differently, its rows."""
    import polars as pl

    flagged = table.frame.with_row_index("row").filter(pl.col("flags").str.split(" ").list.contains("conflict"))
    groups = flagged.group_by(_folded(), maintain_order=True).agg("row")
    return [[int(r) for r in rows] for rows in groups["row"].to_list()]


def _folded() -> "pl.Expr":
    import polars as pl

    return pl.col("question").str.to_lowercase().str.replace_all(r"\s+", "")
