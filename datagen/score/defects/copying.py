"""Answers that only repeat the question."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_FEWEST = 6
"""Characters: shorter answers (a name, a number) are often rightly part of the question."""


def answer_copied_from_question(rows: "pl.DataFrame") -> "pl.Series":
    """Return length of the shorter over length of the longer where one of question and answer contains the other, else 0.

    Letters and digits only, case folded. Range [0, 1]; from 0.6 on the row says (almost) nothing but its question. Cost: one substring
    search a row. The same rule as ``datagen.generate.grounding`` uses while generating, and its converse.
    """
    import polars as pl

    plain = rows.select(
        asked=pl.col("prompt").str.to_lowercase().str.replace_all(r"[\W_]+", "").fill_null(""),
        said=pl.col("completion").str.to_lowercase().str.replace_all(r"[\W_]+", "").fill_null(""),
    ).with_columns(a=pl.col("asked").str.len_chars(), s=pl.col("said").str.len_chars())
    # Python's search: polars compiles a regular expression a row here, and refuses one of a long answer.
    pairs = zip(plain["asked"].to_list(), plain["said"].to_list(), strict=True)
    inside = pl.Series([said in asked or asked in said for asked, said in pairs], dtype=pl.Boolean)
    ratio = pl.min_horizontal("a", "s") / pl.max_horizontal("a", "s", pl.lit(1))
    return plain.select(pl.when(inside & (pl.min_horizontal("a", "s") >= _FEWEST)).then(ratio).otherwise(0.0)).to_series()
