"""Deduplicate strings, dicts, a polars frame, a file, or samples: what is kept, what is dropped, and why.

    >>> from datagen import deduplicate
    >>> result = deduplicate(["退房时间是中午 12 点。", "退房时间是中午12点。", "早餐七点开始。"])
    >>> result.kept
    ['退房时间是中午 12 点。', '早餐七点开始。']
    >>> result.explain(1)
    'row 1 is dropped: near_duplicate of row 0, similarity 1.00 (cluster 0)'

Two decisions. Plain rows are compared by Jaccard similarity alone unless ``numbers_matter``; samples inside a pipeline are facts, so there
a different figure is a different row. And the same prompt with another completion is a *conflict*: it is reported, never dropped, since
only a person can say which is right.
"""

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np

from datagen.dedup.batch import Duplicate, Engine, find_duplicates, find_in_table
from datagen.dedup.compared import Compared, On, guard_numbers, of_record
from datagen.dedup.engines.rowtable import RowTable
from datagen.dedup.keep import Keep, preference_of_rows, preference_of_samples
from datagen.dedup.reading import open_rows, read_compared, text_column
from datagen.errors import UsageError
from datagen.jsonl import JsonObject
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult
from datagen.text import fold

if TYPE_CHECKING:
    from polars import DataFrame

Rows = TypeVar("Rows", bound=Sized)


@dataclass(frozen=True, slots=True)
class DedupResult(Generic[Rows]):
    """Outcome in input order. ``kept`` and ``dropped`` hold the caller's own rows, in the container they came in (a path gives a list of
    dicts).

    ``clusters`` hold row numbers, from 0, the kept row first; ``conflicts`` the kept rows that answer one prompt differently;
    ``duplicates`` says per dropped row why.
    """

    kept: Rows
    dropped: Rows
    clusters: list[list[int]]
    conflicts: list[list[int]]
    duplicates: dict[int, Duplicate]

    def explain(self, i: int) -> str:
        """Say in words what became of row ``i``, from 0.

        Raises:
            UsageError: no such row.
        """
        rows = len(self.kept) + len(self.dropped)
        if not 0 <= i < rows:
            raise UsageError(f"there is no row {i}", hint=f"the input has {rows} rows, numbered from 0")
        duplicate = self.duplicates.get(i)
        if duplicate is None:
            return f"row {i} is kept"
        via = f" with row {duplicate.similar_row}" if duplicate.similar_row != duplicate.kept_row else ""
        return (
            f"row {i} is dropped: {duplicate.reason} of row {duplicate.kept_row}, "
            f"similarity {duplicate.similarity:.2f}{via} (cluster {duplicate.cluster})"
        )


@overload
def deduplicate(
    rows: "DataFrame",
    *,
    threshold: float = ...,
    ngram: int = ...,
    on: On = ...,
    engine: Engine = ...,
    keep: Keep = ...,
    by: str | None = ...,
    numbers_matter: bool = ...,
) -> "DedupResult[DataFrame]": ...
@overload
def deduplicate(
    rows: list[str],
    *,
    threshold: float = ...,
    ngram: int = ...,
    on: On = ...,
    engine: Engine = ...,
    keep: Keep = ...,
    by: str | None = ...,
    numbers_matter: bool = ...,
) -> DedupResult[list[str]]: ...
@overload
def deduplicate(
    rows: str | Path | Sequence[JsonObject],
    *,
    threshold: float = ...,
    ngram: int = ...,
    on: On = ...,
    engine: Engine = ...,
    keep: Keep = ...,
    by: str | None = ...,
    numbers_matter: bool = ...,
) -> DedupResult[list[JsonObject]]: ...
def deduplicate(
    rows: Any,
    *,
    threshold: float = 0.7,
    ngram: int = 5,
    on: On = "both",
    engine: Engine = "native",
    keep: Keep = "first",
    by: str | None = None,
    numbers_matter: bool = False,
) -> DedupResult[Any]:
    """Remove exact and near duplicates; one row of each cluster stays.

    Args:
        rows: a list of strings or dicts, a polars frame, or the path of a JSON or JSONL file. Dicts may be in any known row format; of
        rows in no known format all values are compared.
        threshold: Jaccard similarity in (0, 1] at and above which two rows are near duplicates.
        ngram: units (CJK characters, words) per shingle.
        on: which text is compared, for rows that have a prompt and a completion.
        engine: ``native``; ``datasketch``, candidates from that library's index; ``ray``, on a Ray cluster. The same result from each.
        keep: which row of a cluster stays: the ``first``, the ``newest`` (last, or greatest by ``by``), the ``longest``, or the ``best``
            (greatest ``by``, or ``score``). The first among equals; a row without the value comes last.
        by: the column that ``newest`` and ``best`` compare.
        numbers_matter: rows whose numbers differ are no near duplicates, however alike their wording.

    Returns:
        A deterministic result; which rows form a cluster does not depend on their order.

    Raises:
        UsageError: an unknown engine, a value out of range, an unknown kind of rows, or a column that no row has.
        DataError: the file cannot be read (names ``file:line``), or values of ``by`` cannot be compared.
        MissingExtra: engine ``ray`` is not installed.
    """
    opened = open_rows(rows)
    items = opened.items
    texts = None if numbers_matter else text_column(opened)
    compared: Sequence[Compared] = () if texts is not None else read_compared(items, on)
    if numbers_matter:
        compared = [guard_numbers(c) for c in compared]
    table = RowTable.of(compared) if texts is None else RowTable.of_texts(texts)
    prefer = preference_of_rows(items, table.text, keep, by)
    found = find_in_table(table, threshold=threshold, ngram=ngram, engine=engine, prefer=prefer)
    kept = np.ones(len(items), dtype=np.bool_)
    kept[list(found.duplicates)] = False
    conflicts = _conflicts(compared, np.flatnonzero(kept).tolist()) if compared else []
    return DedupResult(opened.restore(kept), opened.restore(~kept), found.clusters, conflicts, found.duplicates)


def deduplicate_samples(
    samples: Sequence[Sample],
    *,
    threshold: float = 0.7,
    ngram: int = 5,
    on: On = "both",
    engine: Engine = "native",
    keep: Keep = "first",
    by: str | None = None,
    numbers_matter: bool = True,
) -> StageResult:
    """Deduplicate samples as a stage. Unless told otherwise, rows with different figures are different rows, however alike their wording.

    ``keep="best"`` compares the score named ``by``, or the mean of a sample's scores. ``stats["clusters"]`` counts clusters;
    ``stats["conflicts"]`` counts prompts that stay with different completions.

    Raises:
        UsageError: an unknown engine or a value out of range.
    """
    compared = [of_record(sample.record, on) for sample in samples]
    found = find_duplicates(
        [guard_numbers(c) for c in compared] if numbers_matter else compared,
        threshold=threshold,
        ngram=ngram,
        engine=engine,
        prefer=preference_of_samples(samples, keep, by),
    )
    kept = [i for i in range(len(samples)) if i not in found.duplicates]
    dropped = [
        Dropped(samples[i], d.reason, f"of {samples[d.kept_row].id[:12]}, similarity {d.similarity:.2f}, cluster {d.cluster}")
        for i, d in sorted(found.duplicates.items())
    ]
    stats = {"clusters": len(found.clusters), "conflicts": len(_conflicts(compared, kept))}
    return StageResult([samples[i] for i in kept], dropped, stats)


def _conflicts(rows: Sequence[Compared], keep: Sequence[int]) -> list[list[int]]:
    """Return, for each prompt kept with more than one completion, its rows."""
    by_prompt: dict[str, list[int]] = {}
    for i in keep:
        if rows[i].prompt.strip():
            by_prompt.setdefault(fold(rows[i].prompt), []).append(i)
    return [found for found in by_prompt.values() if len({fold(rows[i].completion) for i in found}) > 1]
