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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from pydantic import ValidationError

from datagen.dedup.batch import Duplicate, Engine, find_duplicates
from datagen.dedup.compared import Compared, On, guard_numbers, of_record, of_text
from datagen.errors import DataError, UsageError
from datagen.hashing import canonical_json
from datagen.jsonl import JsonObject, read_rows
from datagen.schemas.detect import FORMATS, detect_format
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult
from datagen.text import fold

if TYPE_CHECKING:
    from polars import DataFrame

Rows = TypeVar("Rows")


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
        """Say in words what became of row ``i``."""
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
    rows: "DataFrame", *, threshold: float = ..., ngram: int = ..., on: On = ..., engine: Engine = ..., numbers_matter: bool = ...
) -> "DedupResult[DataFrame]": ...
@overload
def deduplicate(
    rows: list[str], *, threshold: float = ..., ngram: int = ..., on: On = ..., engine: Engine = ..., numbers_matter: bool = ...
) -> DedupResult[list[str]]: ...
@overload
def deduplicate(
    rows: str | Path | Sequence[JsonObject],
    *,
    threshold: float = ...,
    ngram: int = ...,
    on: On = ...,
    engine: Engine = ...,
    numbers_matter: bool = ...,
) -> DedupResult[list[JsonObject]]: ...
def deduplicate(
    rows: Any, *, threshold: float = 0.7, ngram: int = 5, on: On = "both", engine: Engine = "native", numbers_matter: bool = False
) -> DedupResult[Any]:
    """Remove exact and near duplicates; the first row of a cluster stays.

    Args:
        rows: a list of strings or dicts, a polars frame, or the path of a JSON or JSONL file. Dicts may be in any known row format; of
        rows in no known format all values are compared.
        threshold: Jaccard similarity in (0, 1] at and above which two rows are near duplicates.
        ngram: units (CJK characters, words) per shingle.
        on: which text is compared, for rows that have a prompt and a completion.
        engine: ``native``, or ``datasketch`` for candidates from that library's index: the same result, slower.
        numbers_matter: rows whose numbers differ are no near duplicates, however alike their wording.

    Returns:
        A deterministic result; which rows form a cluster does not depend on their order.

    Raises:
        UsageError: an unknown engine, a value out of range, or an unknown kind of rows.
        DataError: the file cannot be read; names ``file:line``.
    """
    items, restore = _open(rows)
    compared = _compare(items, on)
    found = find_duplicates(
        [guard_numbers(c) for c in compared] if numbers_matter else compared, threshold=threshold, ngram=ngram, engine=engine
    )
    keep = [i for i in range(len(items)) if i not in found.duplicates]
    return DedupResult(restore(keep), restore(sorted(found.duplicates)), found.clusters, _conflicts(compared, keep), found.duplicates)


def deduplicate_samples(
    samples: Sequence[Sample],
    *,
    threshold: float = 0.7,
    ngram: int = 5,
    on: On = "both",
    engine: Engine = "native",
    numbers_matter: bool = True,
) -> StageResult:
    """Deduplicate samples as a stage. Unless told otherwise, rows with different figures are different rows, however alike their wording.

    ``stats["clusters"]`` counts clusters; ``stats["conflicts"]`` counts prompts that stay with different completions.

    Raises:
        UsageError: an unknown engine or a value out of range.
    """
    compared = [of_record(sample.record, on) for sample in samples]
    found = find_duplicates(
        [guard_numbers(c) for c in compared] if numbers_matter else compared, threshold=threshold, ngram=ngram, engine=engine
    )
    keep = [i for i in range(len(samples)) if i not in found.duplicates]
    dropped = [
        Dropped(samples[i], d.reason, f"of {samples[d.kept_row].id[:12]}, similarity {d.similarity:.2f}, cluster {d.cluster}")
        for i, d in sorted(found.duplicates.items())
    ]
    stats = {"clusters": len(found.clusters), "conflicts": len(_conflicts(compared, keep))}
    return StageResult([samples[i] for i in keep], dropped, stats)


def _conflicts(rows: Sequence[Compared], keep: Sequence[int]) -> list[list[int]]:
    """Return, for each prompt kept with more than one completion, its rows."""
    by_prompt: dict[str, list[int]] = {}
    for i in keep:
        if rows[i].prompt.strip():
            by_prompt.setdefault(fold(rows[i].prompt), []).append(i)
    return [found for found in by_prompt.values() if len({fold(rows[i].completion) for i in found}) > 1]


def _open(rows: Any) -> tuple[list[Any], Callable[[list[int]], Any]]:
    """Return the rows one by one, and how to give some of them back in the caller's container."""
    if isinstance(rows, str | Path):
        rows = [row.value for row in read_rows(Path(rows))]
    if hasattr(rows, "iter_rows"):
        return list(rows.iter_rows(named=True)), lambda indices: rows[indices]
    if not isinstance(rows, Sequence):
        raise UsageError(f"cannot deduplicate a {type(rows).__name__}", hint="give a list of strings or dicts, a polars frame or a path")
    items: list[Any] = list(cast("Sequence[Any]", rows))
    for i, item in enumerate(items):
        if not isinstance(item, str | dict):
            raise UsageError(f"row {i}: cannot deduplicate a {type(item).__name__}", hint="rows are strings or dicts")
    return items, lambda indices: [items[i] for i in indices]


def _compare(items: Sequence[Any], on: On) -> list[Compared]:
    read = _reader([item for item in items if isinstance(item, dict)], on)
    return [of_text(item) if isinstance(item, str) else read(item) for item in items]


def _reader(rows: list[JsonObject], on: On) -> Callable[[JsonObject], Compared]:
    """Return how a row is read: by the rows' format; a row that is in no known format by all its values."""
    try:
        detection = detect_format(rows)
    except DataError:
        return _all_values

    def read(row: JsonObject) -> Compared:
        try:
            if detection.format == "datagen":
                return of_record(Sample.model_validate(row).record, on)
            return of_record(FORMATS[detection.format].read(detection.layout.normalise(row), detection.style), on)
        except (DataError, ValidationError):
            return _all_values(row)

    return read


def _all_values(row: JsonObject) -> Compared:
    values = [value if isinstance(value, str) else canonical_json(value).decode() for _, value in sorted(row.items())]
    return Compared(canonical_json(row), "\n".join(values))
