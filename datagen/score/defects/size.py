"""How long a row is, and whether there is anything in it."""

from typing import TYPE_CHECKING

from datagen.text import CJK

if TYPE_CHECKING:
    import polars as pl

CUTOFF_TOKENS = 2048
"""LLaMA-Factory's default ``cutoff_len``: longer rows are cut without a warning, and a cut answer loses its end-of-turn token."""
_INNER_SIGN = "([0-9])[.,:]([0-9])"
_LONG = rf"[\p{{Alphabetic}}\p{{Nd}}--[{CJK}]]{{6,}}"
_SHORT = rf"[\p{{Alphabetic}}\p{{Nd}}--[{CJK}]]{{1,5}}"
_SIGN = r"[^\s\w]"


def prompt_tokens(rows: "pl.DataFrame") -> "pl.Series":
    """Return the estimated tokens of persona, system text and question. Unit: tokens, within 20 % of a real tokenizer; cost: linear."""
    import polars as pl

    return _tokens(rows.select(pl.concat_str("context", "prompt", separator="\n")).to_series())


def completion_tokens(rows: "pl.DataFrame") -> "pl.Series":
    """Return the estimated tokens of the answer. Unit and cost as :func:`prompt_tokens`."""
    return _tokens(rows["completion"])


def over_cutoff(rows: "pl.DataFrame") -> "pl.Series":
    """Return by how much a row exceeds 2,048 estimated tokens, as a ratio: 1.0 is exactly at the cutoff. Range: [0, inf).

    Source: LLaMA-Factory 0.9.5: ``cutoff_len`` and ``infer_seqlen``.
    """
    return (prompt_tokens(rows) + completion_tokens(rows)) / CUTOFF_TOKENS


def empty_answer(rows: "pl.DataFrame") -> "pl.Series":
    """Return 1 for an answer (or plain text) without a letter, digit or any other visible mark, else 0."""
    return _blank(rows["completion"])


def empty_prompt(rows: "pl.DataFrame") -> "pl.Series":
    """Return 1 for a question that is blank, else 0; plain text has no question."""
    import polars as pl

    return rows.select(
        pl.when(pl.col("kind") == "text").then(0.0).otherwise((~pl.col("prompt").str.contains(r"\S")).cast(pl.Float64))
    ).to_series()


def _blank(text: "pl.Series") -> "pl.Series":
    import polars as pl

    return (~text.str.contains(r"[^\s\p{C}]")).cast(pl.Float64)


def _tokens(text: "pl.Series") -> "pl.Series":
    """Estimate as ``datagen.text.estimate_tokens`` does, in five passes of the regex engine: 0.7 per CJK character, a quarter of the
    characters of words over five, 1.3 per shorter word, 1 per punctuation mark."""
    import polars as pl

    joined = text.to_frame("t").select(pl.col("t").str.replace_all(_INNER_SIGN, "$1$2"))
    frame = joined.select(pl.col("t"), rest=pl.col("t").str.replace_all(_LONG, " "))
    long_characters = pl.col("t").str.len_chars() - pl.col("rest").str.len_chars() + pl.col("t").str.count_matches(_LONG)
    total = (
        0.7 * pl.col("rest").str.count_matches(f"[{CJK}]")
        + long_characters / 4
        + 1.3 * pl.col("rest").str.count_matches(_SHORT)
        + pl.col("rest").str.count_matches(_SIGN)
    )
    return frame.select((total + 0.499).round().cast(pl.Float64)).to_series()
