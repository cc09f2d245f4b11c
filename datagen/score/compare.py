"""What changed between two datasets: rows added, removed and changed, and how every figure moved.

A row of B is *unchanged* if A has an equal record, *changed* if it asks the same question with another answer or nearly the same text
(Jaccard of 5-gram shingles at 0.7, as deduplication has it), else *added*; rows of A that no row of B takes up are *removed*. Rows are
matched one to one, so repeated rows count as often as they occur.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.dedup.overlap import OverlapIndex
from datagen.dedup.shingle import shingle
from datagen.jsonl import JsonObject
from datagen.schemas.document import Document
from datagen.schemas.record import prompt_text, whole_text
from datagen.schemas.sample import Sample
from datagen.score.api import audit
from datagen.score.diversity.embedding import embed_texts
from datagen.score.diversity.measure import EQUAL_ROWS, MAX_EMBEDDED, choose_rows, measure_diversity
from datagen.score.result import AuditResult
from datagen.text import units

SIMILAR = 0.7


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of both sets; ``name`` is dotted (``defects.mojibake``)."""

    name: str
    a: float
    b: float

    @property
    def change(self) -> float:
        return self.b - self.a


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """Row numbers from 0: ``added`` in B, ``removed`` in A, ``changed`` pairs (A, B), each ascending; figures in reading order."""

    a: AuditResult
    b: AuditResult
    unchanged: int
    added: list[int]
    removed: list[int]
    changed: list[tuple[int, int]]
    figures: list[Figure]

    def to_json(self) -> JsonObject:
        """Return the difference as JSON; rows are named by dataset and line."""

        def place(result: AuditResult, row: int) -> JsonObject:
            at = result.source.rows[row]
            return {"dataset": at.dataset, "line": at.line, "question": prompt_text(at.sample.record)[:200]}

        return {
            "a": self.a.source.name,
            "b": self.b.source.name,
            "rows": {"a": self.a.source.n_rows, "b": self.b.source.n_rows},
            "unchanged": self.unchanged,
            "added": [place(self.b, row) for row in self.added],
            "removed": [place(self.a, row) for row in self.removed],
            "changed": [{"a": place(self.a, i), "b": place(self.b, j)} for i, j in self.changed],
            "figures": {f.name: {"a": round(f.a, 4), "b": round(f.b, 4), "change": round(f.change, 4)} for f in self.figures},
        }


def compare_datasets(
    a: Path | str | Sequence[Sample], b: Path | str | Sequence[Sample], *, docs: Path | str | Sequence[Document] | None = None
) -> DatasetDiff:
    """Compare two datasets; ``docs`` adds coverage and grounding figures. Diversity is measured at equal size in one embedding.

    Raises:
        UsageError, DataError: as :func:`audit`.
    """
    first, second = audit(a, docs=docs), audit(b, docs=docs)
    unchanged, added, removed, changed = match_rows(first.source.samples, second.source.samples)
    return DatasetDiff(first, second, unchanged, added, removed, changed, _figures(first, second))


def match_rows(a: Sequence[Sample], b: Sequence[Sample]) -> tuple[int, list[int], list[int], list[tuple[int, int]]]:
    """Return how many rows are unchanged, the rows added (of B), removed (of A), and changed pairs."""
    free_a, free_b = _take_equal([s.id for s in a], [s.id for s in b], range(len(a)), range(len(b)))[1:]
    unchanged = len(a) - len(free_a)
    asked_a, asked_b = ({i: "\x00".join(units(prompt_text(s[i].record))) for i in free} for s, free in ((a, free_a), (b, free_b)))
    pairs, free_a, free_b = _take_equal(
        [asked_a.get(i, "") for i in range(len(a))], [asked_b.get(i, "") for i in range(len(b))], free_a, free_b
    )
    near, free_a, free_b = _take_near(a, b, free_a, free_b)
    return unchanged, free_b, free_a, sorted([*pairs, *near])


def _take_equal(
    keys_a: Sequence[str], keys_b: Sequence[str], free_a: Sequence[int], free_b: Sequence[int]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair rows with equal keys ('' never), in order; return the pairs and what is left of both sides."""
    waiting: dict[str, list[int]] = {}
    for i in reversed(free_a):
        waiting.setdefault(keys_a[i], []).append(i)
    pairs: list[tuple[int, int]] = []
    left_b: list[int] = []
    for j in free_b:
        queue = waiting.get(keys_b[j]) if keys_b[j] else None
        if queue:
            pairs.append((queue.pop(), j))
        else:
            left_b.append(j)
    taken = {i for i, _ in pairs}
    return pairs, [i for i in free_a if i not in taken], left_b


def _take_near(
    a: Sequence[Sample], b: Sequence[Sample], free_a: list[int], free_b: list[int]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    index = OverlapIndex([shingle(whole_text(a[i].record), 5) for i in free_a])
    taken: set[int] = set()
    pairs: list[tuple[int, int]] = []
    left: list[int] = []
    for j in free_b:
        own = shingle(whole_text(b[j].record), 5)
        rows, common, sizes = index.overlaps(own)
        best = max(
            (
                (c / (len(own) + n - c), -r)
                for r, c, n in zip(rows.tolist(), common.tolist(), sizes.tolist(), strict=True)
                if r not in taken
            ),
            default=(0.0, 0),
        )
        if best[0] >= SIMILAR:
            taken.add(-best[1])
            pairs.append((free_a[-best[1]], j))
        else:
            left.append(j)
    return pairs, [i for at, i in enumerate(free_a) if at not in taken], left


def _figures(a: AuditResult, b: AuditResult) -> list[Figure]:
    figures = [Figure("rows", a.source.n_rows, b.source.n_rows), Figure("kept", a.kept, b.kept)]
    counts_a, counts_b = a.counts(), b.counts()
    figures += [Figure(f"defects.{code}", counts_a.get(code, 0), counts_b.get(code, 0)) for code in sorted({*counts_a, *counts_b})]
    for side in ("prompt", "completion"):
        figures += [
            Figure(f"{side}_tokens.{mark}", a.balance.lengths[side][mark], b.balance.lengths[side][mark]) for mark in ("p50", "p95")
        ]
    figures += _diversity(a, b)
    for language in sorted({*a.balance.languages, *b.balance.languages}):
        figures.append(Figure(f"languages.{language}", a.balance.languages.get(language, 0), b.balance.languages.get(language, 0)))
    if a.coverage and b.coverage:
        figures += [
            Figure("coverage.sections", _share(a.coverage.sections), _share(b.coverage.sections)),
            Figure("coverage.facts", a.coverage.facts_share, b.coverage.facts_share),
            Figure("coverage.under_covered_sections", len(a.coverage.under_covered()), len(b.coverage.under_covered())),
        ]
    return figures


def _diversity(a: AuditResult, b: AuditResult) -> list[Figure]:
    texts = [_sampled(result) for result in (a, b)]
    if not texts[0] or not texts[1]:
        return []
    vectors = embed_texts([*texts[0], *texts[1]])
    n = min(EQUAL_ROWS, len(texts[0]), len(texts[1]))
    first = measure_diversity(texts[0], vectors[: len(texts[0])], n=n)
    second = measure_diversity(texts[1], vectors[len(texts[0]) :], n=n)
    return [Figure(f"diversity.{x.name}", x.value, y.value) for x, y in zip(first, second, strict=True)]


def _sampled(result: AuditResult) -> list[str]:
    chosen = choose_rows(result.frame.height, MAX_EMBEDDED)
    text: Any = result.frame["prompt"] + "\n" + result.frame["completion"]
    return list(text[chosen].to_list())


def _share(pair: tuple[int, int]) -> float:
    return pair[0] / pair[1] if pair[1] else 1.0
