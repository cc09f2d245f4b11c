"""Duplicates and conflicts of an iteration, from its table: which dropped row belongs to which kept one, and who contradicts whom."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from datagen.ui.data.rows import RowTable

if TYPE_CHECKING:
    import polars as pl

_DETAIL = r"of ([0-9a-f]{12}), similarity ([0-9.]+)"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Row numbers: the kept row (None if it was dropped later itself), and what was dropped as its duplicate, with similarities."""

    kept: int | None
    dropped: tuple[int, ...]
    similarity: tuple[float, ...]


def find_clusters(table: RowTable) -> list[Cluster]:
    """Return near duplicates by the row that was kept, most similar last: those are the least in doubt."""
    import polars as pl

    rows = table.frame.with_row_index("row")
    near = rows.filter(pl.col("reason") == "near_duplicate").select(
        "row",
        of=pl.col("detail").str.extract(_DETAIL, 1),
        similarity=pl.col("detail").str.extract(_DETAIL, 2).cast(pl.Float64, strict=False),
    )
    groups = near.drop_nulls().group_by("of", maintain_order=True).agg("row", "similarity")
    kept = rows.filter(pl.col("reason") == "").select(of=pl.col("id").str.slice(0, 12), kept="row").unique("of", keep="last")
    joined = groups.join(kept, on="of", how="left", maintain_order="left")
    clusters = [Cluster(at, tuple(dropped), tuple(s)) for _, dropped, s, at in joined.iter_rows()]
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
