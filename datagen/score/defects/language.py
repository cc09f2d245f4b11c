"""Answers in another language than their question."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_ENOUGH = 6
"""Chinese characters or English words a side must have before its language is believed."""


def language_mismatch(rows: "pl.DataFrame") -> "pl.Series":
    """Return 1 where question and answer each are clearly in one language and not the same (zh, en), else 0. Cost: none.

    Clearly: at least 6 Chinese characters and three of them for every Latin word, or at least 6 Latin words and three for every Chinese
    character. Translation tasks are flagged, too: this orders a review, it drops nothing.
    """
    import polars as pl

    def side(name: str) -> pl.Expr:
        cjk, latin = pl.col(f"{name}_cjk"), pl.col(f"{name}_latin")
        zh, en = (cjk >= _ENOUGH) & (cjk >= 3 * latin), (latin >= _ENOUGH) & (latin >= 3 * cjk)
        return pl.when(zh).then(1).when(en).then(-1).otherwise(0)

    return rows.select((side("prompt") * side("completion") == -1).cast(pl.Float64)).to_series()
