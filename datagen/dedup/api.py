"""Deduplicate strings, dicts, a polars frame, a file, or samples: what is kept, what is dropped, and why.

    >>> from datagen import deduplicate
    >>> result = deduplicate(["退房时间是中午 12 点。", "退房时间是中午12点。", "早餐七点开始。"])
    >>> result.kept
    ['退房时间是中午 12 点。', '早餐七点开始。']
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from datagen.dedup.clusters import Clusters
from datagen.dedup.incremental import On, TextIndex, text_of
from datagen.errors import DataError, UsageError
from datagen.hashing import canonical_json
from datagen.schemas.detect import FORMATS, detect_format
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult
from datagen.text import fold

Engine = Literal["native", "datasketch", "ray"]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Why row ``row`` was dropped: the kept row it repeats, and how similar they are (exact Jaccard of shingles)."""

    row: int
    kept_row: int
    reason: Literal["exact_duplicate", "near_duplicate"]
    similarity: float


@dataclass(frozen=True, slots=True)
class DedupResult:
    """``kept`` and ``dropped`` hold the caller's own rows in input order; ``clusters`` hold row numbers, the kept one first."""

    kept: list[Any]
    dropped: list[Any]
    clusters: list[list[int]]
    duplicates: dict[int, Duplicate]

    def explain(self, i: int) -> str:
        """Say in words what became of row ``i``."""
        duplicate = self.duplicates.get(i)
        if duplicate is None:
            return f"row {i} is kept"
        return f"row {i} is dropped: {duplicate.reason} of row {duplicate.kept_row}, similarity {duplicate.similarity:.2f}"


def deduplicate(rows: Any, *, threshold: float = 0.7, ngram: int = 5, on: On = "both", engine: Engine = "native") -> DedupResult:
    """Remove exact and near duplicates; the first row of a cluster stays.

    Args:
        rows: a list of strings or dicts, a polars frame, or the path of a JSON or JSONL dataset in any known format.
        threshold: Jaccard similarity in (0, 1] at and above which two rows are near duplicates.
        ngram: units (CJK characters, words) per shingle.
        on: which text is compared, for rows that have a prompt and a completion.
        engine: ``native``; the others come later.

    Raises:
        UsageError: an unknown engine, a threshold outside (0, 1], or an unknown kind of rows.
    """
    if engine != "native":
        raise UsageError(f"engine '{engine}' is not available in this version", hint="use engine='native'")
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold must be in (0, 1], got {threshold}")
    items, identities, texts = _convert(rows, on)
    duplicates, clusters = _find(identities, texts, threshold=threshold, ngram=ngram, numbers_matter=False)
    kept = [item for i, item in enumerate(items) if i not in duplicates]
    dropped = [items[i] for i in sorted(duplicates)]
    return DedupResult(kept, dropped, clusters, duplicates)


def deduplicate_samples(samples: Sequence[Sample], *, threshold: float = 0.7, ngram: int = 5, on: On = "both") -> StageResult:
    """Deduplicate samples as a stage. Rows with different figures are different rows, however alike their wording.

    ``stats["conflicts"]`` counts questions that stay with different answers: they are for a person to settle, not dropped.
    """
    identities = [canonical_json(s.record.model_dump(mode="json")) for s in samples]
    duplicates, clusters = _find(identities, [text_of(s, on) for s in samples], threshold=threshold, ngram=ngram, numbers_matter=True)
    kept = [s for i, s in enumerate(samples) if i not in duplicates]
    dropped = [
        Dropped(samples[i], d.reason, f"of {samples[d.kept_row].id[:12]}, similarity {d.similarity:.2f}") for i, d in sorted(duplicates.items())
    ]
    answers: dict[str, set[str]] = {}
    for sample in kept:
        answers.setdefault(fold(prompt_text(sample.record)), set()).add(fold(completion_text(sample.record)))
    return StageResult(kept, dropped, {"clusters": len(clusters), "conflicts": sum(len(a) > 1 for a in answers.values())})


def _find(
    identities: Sequence[bytes], texts: Sequence[str], *, threshold: float, ngram: int, numbers_matter: bool
) -> tuple[dict[int, Duplicate], list[list[int]]]:
    clusters = Clusters(len(texts))
    similarity: dict[int, float] = {}
    first: dict[bytes, int] = {}
    exact: set[int] = set()
    index = TextIndex(threshold=threshold, ngram=ngram, numbers_matter=numbers_matter)
    for i, (identity, text) in enumerate(zip(identities, texts, strict=True)):
        if identity in first:
            exact.add(i)
            similarity[i] = 1.0
            clusters.union(first[identity], i)
            continue
        first[identity] = i
        for match in index.matches(text):
            clusters.union(int(match.id), i)
            similarity[i] = max(similarity.get(i, 0.0), match.similarity)
        index.add(str(i), text)
    groups = clusters.groups()
    duplicates = {
        i: Duplicate(i, group[0], "exact_duplicate" if i in exact else "near_duplicate", similarity.get(i, 1.0))
        for group in groups
        for i in group[1:]
    }
    return duplicates, groups


def _convert(rows: Any, on: On) -> tuple[list[Any], list[bytes], list[str]]:
    """Return the caller's rows, what makes two of them identical, and the text to compare."""
    if isinstance(rows, str | Path):
        from datagen.jsonl import read_rows

        rows = [row.value for row in read_rows(Path(rows))]
    elif hasattr(rows, "iter_rows"):
        rows = list(rows.iter_rows(named=True))
    if not isinstance(rows, Iterable):
        raise UsageError(f"cannot deduplicate a {type(rows).__name__}", hint="give strings, dicts, a polars frame or a path")
    items: list[Any] = list(rows)
    for i, item in enumerate(items):
        if not isinstance(item, str | dict | Sample):
            raise UsageError(f"row {i}: cannot deduplicate a {type(item).__name__}", hint="rows are strings or dicts")
    read = _reader([item for item in items if isinstance(item, dict)], on)
    texts = [item if isinstance(item, str) else text_of(item, on) if isinstance(item, Sample) else read(item) for item in items]
    identities = [canonical_json(item.to_json() if isinstance(item, Sample) else item) for item in items]
    return items, identities, texts


def _reader(rows: list[dict[str, Any]], on: On) -> Callable[[dict[str, Any]], str]:
    """Return how a row's text is read: by the rows' format, or, for rows in no known format, all their values."""
    try:
        detection = detect_format(rows)
    except DataError:
        return _all_text

    def read(row: dict[str, Any]) -> str:
        try:
            if detection.format == "datagen":
                return text_of(Sample.model_validate(row), on)
            record = FORMATS[detection.format].read(detection.layout.normalise(row), detection.style)
            return text_of(Sample(id="", record=record), on)
        except (DataError, ValidationError):
            return _all_text(row)

    return read


def _all_text(row: dict[str, Any]) -> str:
    return "\n".join(value if isinstance(value, str) else canonical_json(value).decode() for _, value in sorted(row.items()))
