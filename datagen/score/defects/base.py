"""The interface of row scorers: a frame in, one number a row out.

A scorer is a function of the frame of :mod:`datagen.score.frame` that returns one float a row. :class:`Scorer` names it and says from which
value on a row is worth a look; the name is also the finding's code. Scorers are polars expressions; what a regular expression cannot decide
(a checksum, whether JSON parses) is decided in Python on the few rows that an expression lets through (:func:`count_verified`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

Column = Literal["prompt", "completion"]
Score = Callable[["pl.DataFrame"], "pl.Series"]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named score.

    Attributes:
        name: snake_case; the code of its findings.
        score: frame of n rows to float64 of length n.
        limit: rows whose value is at or above it are findings; None: only measured.
        found: what in a flagged row's text is meant, for people; '' shows the row alone.
        column: the text ``found`` looks at.
    """

    name: str
    score: Score
    limit: float | None = None
    found: Callable[[str], str] | None = None
    column: Column = "completion"


def count_matches(text: "pl.Series", pattern: str, hints: Sequence[str]) -> "pl.Series":
    """Return how often ``pattern`` (Rust regex) occurs in each text, float64; it is tried only where a hint occurs.

    ``hints`` are literal strings, case ignored, one of which every match holds: an automaton finds them many times faster than a pattern
    with Unicode word boundaries runs.
    """
    import polars as pl

    likely = text.str.contains_any(list(hints), ascii_case_insensitive=True)
    rows = likely.arg_true()
    counts = pl.zeros(len(text), dtype=pl.Float64, eager=True)
    return counts.scatter(rows, text[rows].str.count_matches(pattern).cast(pl.Float64)) if len(rows) else counts


def count_verified(text: "pl.Series", candidate: str, check: Callable[[str], list[str]]) -> "pl.Series":
    """Return how many things ``check`` finds in each text, float64; it is asked only where ``candidate`` (Rust regex) matches."""
    import polars as pl

    counts = [0.0] * len(text)
    for i in text.str.contains(candidate).arg_true().to_list():
        counts[i] = float(len(check(text[i])))
    return pl.Series(counts, dtype=pl.Float64)


def first(pattern: str) -> Callable[[str], str]:
    """Return a function that gives the first match of a pattern in a text, or ''."""
    import re

    compiled = re.compile(pattern)

    def find(text: str) -> str:
        match = compiled.search(text)
        return match.group(0) if match else ""

    return find
