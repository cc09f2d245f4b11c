"""Duplicates, conflicts and leaks of an audit, by the rules of :mod:`datagen.dedup`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datagen.dedup.batch import Found, find_duplicates
from datagen.dedup.compared import Compared, guard_numbers, of_record
from datagen.dedup.leakage import Hit, Leak, find_sample_leaks
from datagen.dedup.leakage.rules import strength
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample

if TYPE_CHECKING:
    import polars as pl

THRESHOLD = 0.7
NGRAM = 5


def find_repeats(samples: Sequence[Sample]) -> Found:
    """Return exact and near duplicates, as ``datagen dedup --numbers-matter`` finds them: two figures are two facts."""
    return find_duplicates([guard_numbers(_compared(s)) for s in samples], threshold=THRESHOLD, ngram=NGRAM)


def _compared(sample: Sample) -> Compared:
    """As ``of_record``, but a sample's id already is the hash of its canonical record."""
    record = sample.record
    if record.kind == "conversation" and not any(turn.tool_calls for turn in record.messages):
        prompt, completion = prompt_text(record), completion_text(record)
        return Compared(sample.id.encode(), f"{prompt}\n{completion}", prompt, completion)
    return of_record(record)._replace(identity=sample.id.encode())


def find_conflicts(rows: "pl.DataFrame", dropped: frozenset[int]) -> list[list[int]]:
    """Return the kept rows that answer one question differently, each group ascending, groups by first row.

    Questions are equal if their letters and digits are, under one persona and system text; answers are compared the same way. Rows with
    media are left out: the picture is part of the question.
    """
    import polars as pl

    def plain(name: str) -> pl.Expr:
        return pl.col(name).str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[\W_]+", "")

    keyed = rows.filter((pl.col("kind") == "conversation") & ~pl.col("media") & ~pl.col("row").is_in(list(dropped))).select(
        "row", "context", asked=plain("prompt"), said=plain("completion")
    )
    groups = (
        keyed.filter(pl.col("asked") != "")
        .group_by("asked", "context")
        .agg(pl.col("row"), answers=pl.col("said").n_unique())
        .filter(pl.col("answers") > 1)
    )
    return sorted(sorted(group) for group in groups["row"].to_list())


def find_leaked(samples: Sequence[Sample], evaluation: Sequence[Sample]) -> dict[int, Leak]:
    """Return, for each row that is in the evaluation set, its strongest leak: by rule, then score, then the first evaluation row."""
    found: dict[int, Leak] = {}
    for leak in find_sample_leaks(samples, evaluation):
        known = found.get(leak.train_row)
        if known is None or strength(Hit(*leak[1:])) > strength(Hit(*known[1:])):
            found[leak.train_row] = leak
    return found
